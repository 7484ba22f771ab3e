"""Checks that all libraries have the same weights: then they generate the same likeliest tokens."""

from __future__ import annotations

from collections.abc import Sequence

from gpt2_helpers.bench.worker_process import WorkerError
from interleave import Start
from worker import VARIANTS
from workloads import CTRANSLATE2, CTRANSLATE2_INT8, OURS_FP32


def find_other_weights(libraries: Sequence[str], start: Start) -> dict[str, str]:
    """The libraries that do not generate the same most likely tokens as ours, each with a reason.

    They have other weights, or none, and cannot be compared.
    """
    expected = _most_likely(OURS_FP32, start)
    print(f"The most likely tokens: {expected!r}", flush=True)
    excluded = {}
    for library in libraries:
        if library == CTRANSLATE2_INT8:  # the file of CTRANSLATE2, rounded while it is loaded
            continue
        try:
            text = _most_likely(library if library in VARIANTS else f"{library} fp32", start)
            if text != expected:
                excluded[library] = f"generates {text!r} instead of {expected!r}: other weights"
        except WorkerError as error:
            excluded[library] = str(error)
        print(f"  {library}: {excluded.get(library, 'the same')}", flush=True)
    if CTRANSLATE2 in excluded:
        excluded[CTRANSLATE2_INT8] = excluded[CTRANSLATE2]
    return excluded


def _most_likely(variant: str, start: Start) -> str:
    process = start(variant)
    try:
        return _normalized(process.run()["text"])
    finally:
        process.close()


def _normalized(text: str) -> str:
    """A text without whitespace and incomplete characters, which libraries display differently."""
    return "".join(text.replace("\ufffd", "").split())
