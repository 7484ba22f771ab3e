"""Libraries with other weights are excluded."""

from __future__ import annotations

from typing import Any

from benchmark_fakes import ScriptedProcess
from gpt2_helpers.bench.worker_process import WorkerError
from same_weights import find_other_weights
from workloads import (
    BASELINES,
    CTRANSLATE2,
    CTRANSLATE2_INT8,
    GPT_2_SIMPLE,
    KERAS_HUB,
    OURS_FP32,
)


def test_a_library_with_other_likely_tokens_is_excluded() -> None:
    texts = {
        OURS_FP32: "some\ufffd words",
        GPT_2_SIMPLE: " some words",  # others show blanks and halves of letters otherwise
        "transformers fp32": "somewords",
        "KerasHub fp32": "other words",
        CTRANSLATE2: "no words",
        "onnxruntime fp32": "some words",
    }
    ended = []

    class Writer(ScriptedProcess):
        def run(self) -> dict[str, Any]:
            return {"units": 1, "text": texts[self.name]}

        def close(self) -> None:
            ended.append(self.name)

    found = find_other_weights(BASELINES, lambda name: Writer(name, [], []))
    assert list(found) == [KERAS_HUB, CTRANSLATE2, CTRANSLATE2_INT8]
    assert found[KERAS_HUB] == "generates 'otherwords' instead of 'somewords': other weights"
    assert ended == list(texts)


def test_a_library_that_fails_is_excluded() -> None:
    class Failing(ScriptedProcess):
        def run(self) -> dict[str, Any]:
            if self.name != OURS_FP32:
                raise WorkerError("not installed")
            return {"units": 1, "text": "words"}

    found = find_other_weights(BASELINES, lambda name: Failing(name, [], []))
    assert found == dict.fromkeys(BASELINES, "not installed")
