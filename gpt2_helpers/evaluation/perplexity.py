"""Bits per byte: how well a model predicts a text.

Unlike perplexity per token, the measure allows comparing models with different vocabularies.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

    from gpt2_helpers.model.gpt2 import GPT2


def bits_per_byte(model: GPT2, tokenizer: Tokenizer, text: str, stride: int | None = None) -> float:
    """Compute the cross-entropy of a text in bits per UTF-8 byte; lower is better.

    A window of `n_ctx` tokens moves over the text by `stride`. Every token is predicted once, with
    at least `n_ctx - stride` tokens of context as soon as the text has that many.

    Args:
        model: The model.
        tokenizer: The tokenizer that belongs to it.
        text: The text to predict, not empty.
        stride: Tokens that the window moves by, from 1 to `n_ctx`; half of `n_ctx` by default.
            Lower is more exact and slower.

    Returns:
        Bits per byte.

    Raises:
        DatasetError: The text is empty.
        OptionError: The stride is out of range.
    """
    import tensorflow as tf

    ids = np.array([tokenizer.end_of_text, *tokenizer.encode(text)], np.int32)
    if len(ids) < 2:
        raise DatasetError("cannot compute bits per byte of an empty text")
    n_ctx = model.config.n_ctx
    if stride is None:
        stride = max(1, n_ctx // 2)
    if not 1 <= stride <= n_ctx:
        raise OptionError(f"stride must be from 1 to the context length {n_ctx}, got {stride}")

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)],
        autograph=False,
    )
    def sum_losses(window: tf.Tensor, n_skipped: tf.Tensor) -> tf.Tensor:
        logits = model._forward(window[None, :-1])[0]  # (time, n_vocab)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=window[1:], logits=logits)
        return tf.reduce_sum(tf.cast(losses[n_skipped:], tf.float64))

    nats, scored = 0.0, 1  # the end-of-text token at the start is context only
    while scored < len(ids):
        end = min(len(ids), scored + (n_ctx if scored == 1 else stride))
        start = max(0, end - n_ctx - 1)
        nats += float(sum_losses(ids[start:end], scored - start - 1))
        scored = end
    return nats / math.log(2) / len(text.encode("utf-8"))


def measure(folder: str | Path, text: str) -> float:
    """Bits per byte of `text` for the newest checkpoint in a model or run folder, in fp32.

    measure("models/124M", Path("book.txt").read_text())
    """
    return bits_per_byte(load_model(folder), Tokenizer.load(folder), text)
