"""Runs an exported ONNX model as an application would, and our own logits to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation.decoders import DecoderPool


class OnnxRunner:
    """A session of ONNX Runtime with the cache of one text.

    Args:
        folder: The exported folder.
        config: The model's shape.
        segment: Tokens after which the recent segment is appended to the past.
    """

    def __init__(self, folder: Path, config: ModelConfig, segment: int = 64) -> None:
        runtime = pytest.importorskip("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._segment = segment
        empty = np.zeros((config.n_head, 0, config.head_dim), np.float32)
        self._empty = {f"{kind}_{layer}": empty for layer in range(config.n_layer) for kind in "kv"}
        self.moves = 0  # of the recent segment to the past
        self.restart()

    def restart(self) -> None:
        """Forget the text."""
        self._past, self._recent, self._length = self._empty, self._empty, 0

    def read(self, ids: list[int]) -> np.ndarray:
        """Read more tokens of the text; returns the logits after the last one (n_vocab)."""
        inputs = {"input_ids": np.array(ids, np.int64), "past_length": np.int64(self._length)}
        for kind, cache in (("past", self._past), ("recent", self._recent)):
            inputs |= {f"{kind}_{name}": array for name, array in cache.items()}
        for name in self._past:
            if name.startswith("k"):
                inputs[f"past_{name}"] = self._past[name].transpose(0, 2, 1)
        names = ["logits", *(f"new_recent_{name}" for name in self._empty)]
        logits, *recent = self._session.run(names, {k: np.asarray(v) for k, v in inputs.items()})
        self._recent = dict(zip(self._empty, recent, strict=True))
        self._length += len(ids)
        if recent[0].shape[1] >= self._segment:
            self._past = {
                name: np.concatenate([past, self._recent[name]], axis=1)
                for name, past in self._past.items()
            }
            self._recent = self._empty
            self.moves += 1
        assert logits.shape[0] == 1
        last: np.ndarray = logits[0]
        return last

    def perplexity(self, ids: list[int]) -> float:
        """Perplexity of a text that is read token by token."""
        self.restart()
        losses = []
        for token, target in zip(ids, ids[1:], strict=False):
            logits = self.read([token]).astype(np.float64)
            losses.append(
                np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target]
            )
        return float(np.exp(np.mean(losses)))


def our_logits(
    config: ModelConfig, weights: Mapping[str, np.ndarray], ids: list[int]
) -> np.ndarray:
    """Our logits after the last of `ids` (n_vocab), in fp32."""
    model = InferenceModel(config, weights, "float32", "float32")
    decoder = DecoderPool(model).get(1, len(ids), "float32")
    if len(ids) > 1:
        decoder.prefill(0, ids[:-1])
    last, position = np.array(ids[-1:], np.int32), np.array([len(ids) - 1], np.int32)
    logits: np.ndarray = decoder.logits(last, position)[0]
    return logits
