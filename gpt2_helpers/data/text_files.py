"""Text files: reads them as text in chunks, and reports what was found.

No byte is dropped or replaced, except for byte order marks, which are not text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gpt2_helpers.data.compression import compression_of
from gpt2_helpers.data.encodings import BOM, decode, find_encoding
from gpt2_helpers.errors import DatasetError, printable

MAX_IN_MEMORY = 1 << 28  # characters of texts that are held at once, such as prompts


@dataclass
class ReadReport:
    """Findings about the files read so far, as sentences, and the number of bytes read."""

    bytes_read: int = 0
    _files: dict[str, list[str]] = field(default_factory=dict)
    _dataset: list[str] = field(default_factory=list)

    def add(self, path: Path, sentence: str) -> None:
        """Add a finding about a file. The same finding about many files is reported once."""
        self._files.setdefault(sentence, []).append(str(path))

    def add_for_all(self, sentence: str) -> None:
        """Add a finding about the whole dataset."""
        self._dataset.append(sentence)

    def notes(self) -> tuple[str, ...]:
        """The findings about files, each with its file, and about the dataset.

        >>> report = ReadReport()
        >>> for name in ("a.txt", "b.txt", "c.txt"):
        ...     report.add(Path(name), "read as Latin-1")
        >>> report.notes()
        ('a.txt and 2 more files: read as Latin-1',)
        """
        lines = []
        for sentence, files in self._files.items():
            others = len(files) - 1
            more = f" and {others} more file{'s' * (others > 1)}" if others else ""
            lines.append(f"{files[0]}{more}: {sentence}")
        return tuple(map(printable, (*lines, *self._dataset)))  # names of files may have any bytes


def read_text(path: Path, report: ReadReport, encoding: str | None = None) -> Iterator[str]:
    r"""Read a text file in chunks, with all line ends converted to `\n`; gzip and zstd too.

    Args:
        path: File to read.
        report: Receives the encoding if it was guessed or is not UTF-8, the byte order marks that
            were left out, and the number of bytes read.
        encoding: Name of the encoding, such as "cp1250". Default: detected. A byte order mark takes
            precedence.

    Yields:
        The text in chunks of any length, none of them empty.

    Raises:
        DatasetError: The file cannot be read or is not text.

    Example:
        text = "".join(read_text(Path("story.txt"), ReadReport()))
    """
    if kind := compression_of(path):
        report.add(path, f"decompressed, {kind}")
    found = find_encoding(path, encoding)
    if found.note:
        report.add(path, found.note)
    before, marks = report.bytes_read, 0
    for size, text in decode(path, found):
        report.bytes_read = before + size
        if BOM in text:
            marks += text.count(BOM)
            text = text.replace(BOM, "")
        if text:
            yield text
    if marks:
        report.add(path, f"left out {marks:,} byte order mark{'s' * (marks > 1)} inside the text")


def limit_size(texts: Iterable[str], path: object, limit: int | None = None) -> Iterator[str]:
    """Pass texts through that will be held in memory.

    A compressed file of a megabyte can contain more than any machine's memory.

    Args:
        texts: The texts.
        path: What they are read from, for the error.
        limit: Largest total number of characters. Defaults to `MAX_IN_MEMORY`.

    Raises:
        DatasetError: There are more.

    >>> list(limit_size(["ab", "c"], "prompts.txt", limit=3))
    ['ab', 'c']
    """
    limit, size = MAX_IN_MEMORY if limit is None else limit, 0
    for text in texts:
        size += len(text)
        if size > limit:
            raise DatasetError(
                f"{path} contains more than {limit:,} characters, which are held in memory here: "
                "split it into several files"
            )
        yield text
