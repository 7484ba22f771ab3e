"""What a dataset contains, for the user to check before training: lengths, duplicates, examples."""

from __future__ import annotations

import numpy as np

from gpt2_helpers.data.packing import Documents, find_documents
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import AnyIds

_LONGEST, _EXAMPLES = 3, 3
_EXAMPLE_CHARACTERS = 160
_EXAMPLE_TOKENS = 100  # enough for that many characters
_MAX_COMPARED = 1_000_000  # documents; their hashes take about 100 MB


def summarize(tokens: AnyIds, tokenizer: Tokenizer, end_of_text: int | None) -> list[str]:
    """Describe the documents of a dataset.

    Args:
        tokens: Token ids (count,).
        tokenizer: The tokenizer of the ids.
        end_of_text: The id after each document; None if it is encoded as plain text: all
            of the data is then one document.

    Returns:
        Sentences on the longest documents and on duplicates, and up to three examples as the model
        sees them.
    """
    if end_of_text is None:
        return [_example(tokens, tokenizer, 0, len(tokens))]
    documents = find_documents(tokens, end_of_text, tokenizer.encode("\n")[0])
    lines = [_longest(documents)] if len(documents.first) > 1 else []
    duplicates = _count_duplicates(documents)
    if duplicates:
        compared = min(len(documents.first), _MAX_COMPARED)
        among = "documents" if compared == len(documents.first) else "first documents"
        verb = "is a copy" if duplicates == 1 else "are copies"
        lines.append(
            f"{duplicates:,} of the {compared:,} {among} {verb} of an earlier one: "
            "deduplicate=True leaves copies out"
        )
    chosen = np.unique(np.linspace(0, len(documents.first) - 1, _EXAMPLES).astype(int))
    for index in chosen[: len(documents.first)]:
        lines.append(
            _example(tokens, tokenizer, int(documents.first[index]), int(documents.last[index]))
        )
    return lines


def _longest(documents: Documents) -> str:
    lengths = np.sort(documents.lengths)[::-1][:_LONGEST].tolist()
    *most, last = (f"{length:,}" for length in lengths)
    return f"the longest documents have {', '.join(most)} and {last} tokens"


def _count_duplicates(documents: Documents) -> int:
    """Documents whose ids are those of an earlier one. Compares hashes, to save memory."""
    tokens, seen = documents.tokens, set()
    spans = zip(documents.first[:_MAX_COMPARED], documents.last[:_MAX_COMPARED], strict=True)
    compared = 0
    for first, last in spans:
        ids = tokens[first:last]
        if len(ids) and ids[-1] == documents.start_id:  # its end, which the last one may lack
            ids = ids[:-1]
        seen.add(hash(ids.tobytes()))
        compared += 1
    return compared - len(seen)


def _example(tokens: AnyIds, tokenizer: Tokenizer, first: int, last: int) -> str:
    """The start of a document on one line, with its markers."""
    text = tokenizer.decode(tokens[first : min(last, first + _EXAMPLE_TOKENS)])
    shown = text[:_EXAMPLE_CHARACTERS].replace("\n", "\\n")
    is_cut = len(text) > _EXAMPLE_CHARACTERS or last - first > _EXAMPLE_TOKENS
    return f"example: {shown}{' ...' if is_cut else ''}"
