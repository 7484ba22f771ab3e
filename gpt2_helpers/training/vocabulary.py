"""Trains a byte-level BPE vocabulary on text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.documents import iter_text
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.tokenize import split_at_word_boundaries
from gpt2_helpers.errors import DatasetError, import_optional
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode

VOCABULARY_CHUNK = 1 << 20  # characters passed to the vocabulary training at a time


def text_chunks(files: Iterable[Path], config: DatasetConfig) -> Iterator[str]:
    """The text of the files in chunks that end between two words.

    Without `<|endoftext|>`: it is one token of its own, so its characters must not become merges.
    """
    text = iter_text(files, ReadReport(), config)
    for chunk in split_at_word_boundaries(text, VOCABULARY_CHUNK):
        yield from chunk.split(END_OF_TEXT)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer.

    Ids are numbered as in GPT-2: the 256 bytes, the merges by frequency, and `<|endoftext|>` last.

    Args:
        texts: The text to train on, in any number of pieces. A merge never spans two pieces.
        vocab_size: Number of token ids, 257 or more.

    Returns:
        The new tokenizer.

    Raises:
        DatasetError: The text is too short for that many tokens, or contains no text at all.

    Example:
        train_tokenizer(open("books.txt"), 4096).save("models/mine")
    """
    tokenizers = import_optional("tokenizers", "training a vocabulary", "pretrain")
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        initial_alphabet=list(bytes_to_unicode().values()),
        special_tokens=[],
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    merges = _merges(bpe)
    merged = (left + right for left, right in merges)
    tokens = [*bytes_to_unicode().values(), *merged, END_OF_TEXT]
    if len(tokens) != vocab_size:
        raise DatasetError(
            f"the text is too short for vocab_size={vocab_size}: it yields only {len(tokens)} "
            f"tokens; add text or set --vocab-size {len(tokens)}"
        )
    return Tokenizer({token: index for index, token in enumerate(tokens)}, merges)


def _merges(bpe: Any) -> list[tuple[str, str]]:
    merges = []
    for pair in json.loads(bpe.to_str())["model"]["merges"]:
        # Releases before 0.20 write a pair as one string.
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        merges.append((left, right))
    return merges
