"""Chooses the training windows of a dataset: cut anywhere, or packed with whole documents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.data.batches import StreamWindows, WindowSource
from gpt2_helpers.data.packing import DocumentWindows, find_documents, find_sequence
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import COMPLETION_MARKER, Tokenizer
from gpt2_helpers.types import AnyIds

STREAM, DOCUMENTS = "stream", "documents"


def choose_windows(
    windows: str,
    recorded: str | None,
    is_table: bool,
    legacy_tokens: bool,
    has_prompts: bool = False,
) -> str:
    """Resolve the option `windows`.

    Args:
        windows: The option: auto, stream or documents.
        recorded: What an existing run was trained with; None for a new run.
        is_table: Whether the documents are rows of a table.
        legacy_tokens: Whether ends of documents are encoded as plain characters.
        has_prompts: Whether documents are prompts with completions.

    Returns:
        `STREAM` or `DOCUMENTS`.

    Raises:
        OptionError: The ends of documents are not encoded as a token.

    Example:
        >>> choose_windows("auto", None, is_table=True, legacy_tokens=False)
        'documents'
    """
    if has_prompts and windows == STREAM:
        raise OptionError(
            "windows='stream' cuts prompts from their completions: use windows='documents', or "
            "leave out prompt_column and keywords_from"
        )
    if has_prompts:
        windows = DOCUMENTS
    if windows == DOCUMENTS and legacy_tokens:
        raise OptionError(
            "windows='documents' needs <|endoftext|> as a single token, but legacy_tokens encodes "
            "it as plain characters: use windows='stream'"
        )
    if windows != "auto":
        return windows
    if recorded is not None:
        return recorded
    return DOCUMENTS if is_table and not legacy_tokens else STREAM


def make_windows(
    windows: str,
    tokens: AnyIds,
    tokenizer: Tokenizer,
    n_ctx: int,
    has_start_marker: bool,
    has_prompts: bool = False,
) -> WindowSource:
    """Make the windows of a dataset.

    Args:
        windows: `STREAM` or `DOCUMENTS`.
        tokens: Token ids (count,).
        tokenizer: The tokenizer of the ids.
        n_ctx: Context length of the model.
        has_start_marker: Whether each document begins with a marker, as the rows of tables do.
        has_prompts: Whether only completions are predicted, after `COMPLETION_MARKER`.
    """
    if windows == STREAM:
        return StreamWindows(tokens, n_ctx)
    newline = tokenizer.encode("\n")[0]
    marker = tokenizer.encode(COMPLETION_MARKER) if has_prompts else ()
    documents = find_documents(tokens, tokenizer.end_of_text, newline, has_start_marker, marker)
    return DocumentWindows(documents, n_ctx)


def as_window_source(data: NDArray[np.integer] | WindowSource, model: GPT2) -> WindowSource:
    """`data`, or the windows of an array of token ids.

    Raises:
        DatasetError: There are fewer than two tokens, or ids outside the model's vocabulary.
    """
    source = StreamWindows(data, model.config.n_ctx) if isinstance(data, np.ndarray) else data
    tokens = source.tokens
    if len(tokens) < 2:
        raise DatasetError(f"training needs at least 2 tokens, got {len(tokens)}: add more text")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= model.config.n_vocab:
        raise DatasetError(
            f"token id {high if low >= 0 else low} is outside the model's vocabulary of "
            f"{model.config.n_vocab}: the data was encoded with another tokenizer, encode it again"
        )
    return source


def n_targets(window: NDArray[np.int32]) -> int:
    """Number of ids that are predicted in a window of either kind."""
    return len(window) - 1 if window.ndim == 1 else int(np.count_nonzero(window[1] >= 0))


def has_prompts(tokens: AnyIds, tokenizer: Tokenizer) -> bool:
    """Whether documents are prompts with completions, by the marker between them."""
    return len(find_sequence(tokens, tokenizer.encode(COMPLETION_MARKER))) > 0
