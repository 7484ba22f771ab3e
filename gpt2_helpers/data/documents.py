"""Reads the files of a dataset as one text stream.

Every document in the stream ends with `<|endoftext|>`, as in GPT-2's training data: it is inserted
between two text files, and each record of a table, JSON or Parquet file becomes `<|startoftext|>` +
text + `<|endoftext|>` + newline. A record with a prompt has a marker between prompt and completion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.cleaning import clean_text
from gpt2_helpers.data.formats import has_records
from gpt2_helpers.data.record_texts import Fields
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.tokenizer import COMPLETION_MARKER, END_OF_TEXT, START_OF_TEXT

TAIL = 64  # characters kept to see whether the stream ends with an end of text
_DEFAULTS = DatasetConfig()


def wrap_row(row: str, start: str = START_OF_TEXT, end: str = END_OF_TEXT) -> str:
    """Format one record, such as a row of a table, as a document.

    >>> wrap_row("Why is the sky blue?")
    '<|startoftext|>Why is the sky blue?<|endoftext|>\\n'
    """
    return f"{start}{row}{end}\n"


def wrap_pair(prompt: str, completion: str) -> str:
    """Format a prompt and its completion as a document, without white space around either.

    >>> wrap_pair("What is 1 + 1?", "2")
    '<|startoftext|>What is 1 + 1?\\n<|completion|>\\n2<|endoftext|>\\n'
    """
    # The first marker in a document is where its completion starts, and the first end its end.
    prompt = prompt.replace(END_OF_TEXT, " ").replace(COMPLETION_MARKER, "\n")
    return wrap_row(f"{prompt.strip()}{COMPLETION_MARKER}{completion.strip()}")


def _wrap(fields: Fields) -> str:
    return wrap_pair(*fields) if len(fields) == 2 else wrap_row(*fields)


def needs_end(text: str) -> bool:
    r"""Whether `<|endoftext|>` must be inserted between a text and that of the next file.

    >>> needs_end("One"), needs_end("One<|endoftext|>\n"), needs_end("")
    (True, False, False)
    """
    return bool(text) and not text.rstrip("\n").endswith(END_OF_TEXT)


def iter_text(
    files: Iterable[Path], report: ReadReport, config: DatasetConfig = _DEFAULTS
) -> Iterator[str]:
    """Read all files as one stream of text.

    Args:
        files: Files of text and of records, in order.
        report: Receives what was detected.
        config: The column of records and the encoding.

    Yields:
        The text in chunks of any length.

    Raises:
        DatasetError: A file is not text, or its records lack the column or need one to be named.
    """
    tail = ""
    for file in files:
        chunks: Iterator[str]
        is_text = not has_records(file)
        if not is_text:
            chunks = map(_wrap, read_records(file, report, config))
        else:
            chunks = clean_text(read_text(file, report, config.encoding), file, report, config)
        empty = True
        for chunk in chunks:
            if empty and needs_end(tail):
                yield END_OF_TEXT
                tail += END_OF_TEXT
            empty = False
            tail = (tail + chunk[-TAIL:])[-TAIL:]
            yield chunk
        if empty and is_text:  # read_records reports files without texts
            report.add(file, "empty")


def split_documents(chunks: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Split a text at the ends of its documents, `<|endoftext|>`.

    Args:
        chunks: The text, in chunks of any length.

    Yields:
        Pieces of the text without the ends, and whether the document ends after each.

    >>> list(split_documents(["One<|endof", "text|>Two"]))
    [('One', True), ('Two', False)]
    """
    rest = ""
    for chunk in chunks:
        *ended, rest = (rest + chunk).split(END_OF_TEXT)
        for piece in ended:
            yield piece, True
        # An end may continue in the next chunk.
        kept = 1 - len(END_OF_TEXT)
        if len(rest) > -kept:
            yield rest[:kept], False
            rest = rest[kept:]
    yield rest, False
