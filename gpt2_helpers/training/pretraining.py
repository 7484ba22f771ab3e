"""A new GPT-2 from nothing but text: its vocabulary, its first weights, and how well it predicts.

The training itself is `finetuning`'s; this module makes what that starts from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.errors import DatasetError, OptionError, import_optional
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode
from gpt2_helpers.training.pretrain_config import PretrainConfig


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A byte-level BPE of `vocab_size` ids learnt from `texts`, `<|endoftext|>` the last of them.

    Raises DatasetError where the texts are too few for so many pieces.
    """
    tokenizers = import_optional("tokenizers", "training a vocabulary")
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        initial_alphabet=list(bytes_to_unicode().values()),
        special_tokens=[],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    # The learner's own numbering is not kept: bytes first, then merges, then the end, as in GPT-2.
    merges = _merges_of(learner)
    pieces = [*bytes_to_unicode().values(), *(left + right for left, right in merges), END_OF_TEXT]
    if len(pieces) != vocab_size:
        raise DatasetError(
            f"the text yields only {len(pieces)} pieces, fewer than vocab_size={vocab_size}: "
            f"give more text or --vocab-size {len(pieces)}"
        )
    return Tokenizer({piece: index for index, piece in enumerate(pieces)}, merges)


def _merges_of(learner: Any) -> list[tuple[str, str]]:
    merges = []
    for pair in json.loads(learner.to_str())["model"]["merges"]:
        left, right = pair.split(" ") if isinstance(pair, str) else pair  # as older releases did
        merges.append((left, right))
    return merges


def new_model(config: PretrainConfig, seed: int, precision: str = "float32") -> GPT2:
    """A GPT-2 of the wanted shape with random weights."""
    shape = config.model_config()
    return GPT2(shape, random_weights(shape, seed), precision)


def bits_per_byte(model: GPT2, tokenizer: Tokenizer, text: str, stride: int | None = None) -> float:
    """How many bits the model needs for each UTF-8 byte of `text`; lower is better.

    Every token is predicted once, from at least `n_ctx - stride` tokens before it where the text
    has so many (by itself, half the context). The measure does not depend on the vocabulary.
    Raises DatasetError for an empty text, OptionError for a stride outside the context.
    """
    ids = np.array([tokenizer.end_of_text, *tokenizer.encode(text)], np.int32)
    if len(ids) < 2:
        raise DatasetError("bits per byte needs some text, got none")
    n_ctx = model.config.n_ctx
    if stride is None:
        stride = max(1, n_ctx // 2)
    if not 1 <= stride <= n_ctx:
        raise OptionError(f"stride must be between 1 and the context of {n_ctx}, got {stride}")

    window, known = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)

    @tf.function(input_signature=[window, known], autograph=False)
    def nats(window: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        logits = model._forward(window[None, :-1])[0]  # (time, n_vocab)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=window[1:], logits=logits)
        return tf.reduce_sum(tf.cast(losses[known:], tf.float64))

    total, done = 0.0, 1  # ids[0] is given
    while done < len(ids):
        end = min(len(ids), done + (n_ctx if done == 1 else stride))
        start = max(0, end - n_ctx - 1)
        total += float(nats(ids[start:end], done - start - 1))
        done = end
    return total / math.log(2) / len(text.encode("utf-8"))
