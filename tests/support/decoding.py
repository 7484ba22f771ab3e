"""A toy shape and texts for tests of decoders."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.model.gpt2 import GPT2

CONFIG = ModelConfig(n_vocab=48, n_ctx=24, n_embd=16, n_head=2, n_layer=2)
TEXTS = np.random.default_rng(1).integers(0, CONFIG.n_vocab, (4, CONFIG.n_ctx))


def logits_at(decoder: Decoder, inputs: list[tuple[int, int]]) -> np.ndarray:
    """The logits (row, n_vocab) if the input of each row is TEXTS[text][position]."""
    ids = np.array([TEXTS[text][position] for text, position in inputs], np.int32)
    positions = np.array([position for _, position in inputs], np.int32)
    return decoder.logits(ids, positions)


def assert_close(ours: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance)


def change_weights(model: GPT2) -> None:
    """Change all weights, as training does."""
    for variable in model.variables.values():
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=0.1))
    model.version += 1
