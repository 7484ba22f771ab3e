"""Reads files as the documents that models are evaluated on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.documents import iter_text
from gpt2_helpers.data.find_files import check_column, find_files
from gpt2_helpers.data.formats import has_records, is_token_file
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.text_files import ReadReport, limit_size
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import COMPLETION_MARKER, END_OF_TEXT, START_OF_TEXT
from gpt2_helpers.types import DatasetPath

_DEFAULTS = DatasetConfig()


@dataclass(frozen=True)
class Document:
    """A text to evaluate models on.

    Attributes:
        file: The file that it is from.
        number: Its number in the file, from 1.
        text: The text.
    """

    file: str
    number: int
    text: str


def read_documents(
    dataset: DatasetPath,
    config: DatasetConfig = _DEFAULTS,
    whole_files: bool = False,
    report: ReadReport | None = None,
) -> Iterator[Document]:
    """Read files as documents. Blank documents are skipped.

    Args:
        dataset: A file of text or of records, a folder, a glob pattern, or a list of these.
        config: The column of records and the encoding.
        whole_files: Whether a file is one document, with its `<|endoftext|>`; records are then the
            text that a model would be trained on. Default: a text file is split at
            `<|endoftext|>`, and each record, such as a row of a table, is a document.
        report: Receives what was detected.

    Yields:
        The documents, in order.

    Raises:
        DatasetError: A file cannot be read, contains token ids, or has no documents.
        OptionError: `config.column` is given but no file has records.
    """
    report = ReadReport() if report is None else report
    files = find_files(dataset, report, config)
    for file in files:
        if is_token_file(file):
            raise DatasetError(f"{file} contains token ids: evaluate on the text itself")
    check_column(files, config.column)
    empty = True
    for file in files:
        texts: Iterable[str]
        if has_records(file) and not whole_files:
            # A prompt and its completion as they are trained on.
            texts = map(COMPLETION_MARKER.join, read_records(file, report, config))
        else:
            text = "".join(limit_size(iter_text([file], report, config), file))
            texts = [text] if whole_files else _split(text)
        numbered = (text for text in texts if text.replace(END_OF_TEXT, "").strip())
        for number, text in enumerate(numbered, 1):
            empty = False
            yield Document(str(file), number, text)
    if empty:
        reasons = "; ".join(report.notes()[:3]) or "only whitespace, or no files"
        raise DatasetError(f"{dataset} contains no text to evaluate on ({reasons})")


def _split(text: str) -> Iterator[str]:
    """The documents of a text file, without the newline after an `<|endoftext|>`, and without the
    `<|startoftext|>` that a table's rows have."""
    first, *others = text.split(END_OF_TEXT)
    for document in (first, *(other.removeprefix("\n") for other in others)):
        yield document.removeprefix(START_OF_TEXT)
