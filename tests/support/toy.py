"""A toy tokenizer and a toy GPT-2 for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

# Small, since training runs many steps. `golden/` has a model with the toy tokenizer's vocabulary.
TOY = ModelConfig(n_vocab=48, n_ctx=12, n_embd=16, n_head=2, n_layer=2)

# Each becomes one token, and so does each of its prefixes.
_WORDS = (
    " the", " and", " of", " to", " in", " is", " that", " what", " would", " you", " your",
    " people", " best", " thing", " ever", " have", "What", "How", "ing", "er", "est", "ou",
    "start", "text", "end",
)  # fmt: skip


def toy_tokenizer() -> Tokenizer:
    """A tokenizer of about 320 tokens: 256 bytes, parts of English words, `<|endoftext|>` last.

    >>> toy_tokenizer().encode("What is the best?")
    [305, 267, 258, 291, 63]
    """
    characters = bytes_to_unicode()
    vocabulary = {characters[byte]: byte for byte in range(256)}
    merges = []
    for word in _WORDS:
        left, *rest = (characters[byte] for byte in word.encode())
        for right in rest:
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append((left, right))
            left += right
    vocabulary[END_OF_TEXT] = len(vocabulary)
    return Tokenizer(vocabulary, merges)


def toy_weights(
    config: ModelConfig = TOY, seed: int = 0, scale: float = 6.0
) -> dict[str, np.ndarray]:
    """Random weights, larger than those of a new model, with random biases and gains."""
    random = np.random.default_rng(seed + 1)
    weights = {}
    for name, array in random_weights(config, seed).items():
        if name.endswith(("/g", "/b")):
            weights[name] = array + random.normal(0, 0.2, array.shape).astype(np.float32)
        else:
            weights[name] = array * np.float32(scale)
    return weights


def toy_model(
    config: ModelConfig = TOY, seed: int = 0, precision: str = "float32", scale: float = 6.0
) -> GPT2:
    """A GPT-2 with `toy_weights`."""
    from gpt2_helpers.model.gpt2 import GPT2

    return GPT2(config, toy_weights(config, seed, scale), precision)
