"""Whether all peers have the same weights: then they write the same likeliest tokens."""

from __future__ import annotations

from collections.abc import Sequence

from peer_process import PeerError
from turns import Start
from worker import VARIANTS
from works import CTRANSLATE2, CTRANSLATE2_INT8, OURS_FP32


def other_weights(peers: Sequence[str], start: Start) -> dict[str, str]:
    """Of `peers` those that do not write the likeliest tokens that ours does, or nothing, each with
    why: nobody knows what weights they have."""
    right = _likeliest(OURS_FP32, start)
    print(f"The likeliest tokens: {right!r}", flush=True)
    found = {}
    for peer in peers:
        if peer == CTRANSLATE2_INT8:  # which is the same file, rounded while it is loaded
            continue
        try:
            written = _likeliest(peer if peer in VARIANTS else f"{peer} fp32", start)
            if written != right:
                found[peer] = f"writes {written!r} where {right!r} is right: other weights"
        except PeerError as error:
            found[peer] = str(error)
        print(f"  {peer}: {found.get(peer, 'the same')}", flush=True)
    if CTRANSLATE2 in found:
        found[CTRANSLATE2_INT8] = found[CTRANSLATE2]
    return found


def _likeliest(variant: str, start: Start) -> str:
    process = start(variant)
    try:
        return _letters(process.run()["text"])
    finally:
        process.close()


def _letters(text: str) -> str:
    """A text less its blanks and what is no whole letter, which libraries show each in its way."""
    return "".join(text.replace("\ufffd", "").split())
