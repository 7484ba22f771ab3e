"""Divides a dataset into parts that are read independently of each other.

A part is either a few whole files or a range of bytes of one large text file. The parts depend only
on the names and sizes of the files, so a job that is started again has the same ones.
"""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from gpt2_helpers.beam.storage import open_read
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.cleaning import clean_text
from gpt2_helpers.data.documents import iter_text
from gpt2_helpers.data.formats import Format, binary_kind, format_of, is_json, is_token_file
from gpt2_helpers.data.remote_files import LocalCopies
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.system.files import drain
from gpt2_helpers.tokenizer import END_OF_TEXT

_BLOCK = 1 << 16  # bytes searched at a time
# Whitespace after another character. In UTF-8 the bytes of other characters are not in ASCII.
_WORD_END = re.compile(rb"[!-~\x80-\xff][ \t\n\r]")
_CHARACTER = 4  # bytes of a character in UTF-8, at most
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_UTF8 = ("utf-8", "ascii")


@dataclass(frozen=True)
class Part:
    """A part of a dataset.

    Attributes:
        number: Its number, from 0.
        files: Paths or URLs.
        start: Of a range, the byte from which its first word end is searched; None for whole files.
        end: The same for the end of the range.
        at_documents: Whether a range begins and ends between documents rather than words.
    """

    number: int
    files: tuple[str, ...]
    start: int | None = None
    end: int | None = None
    at_documents: bool = False

    @property
    def starts_file(self) -> bool:
        """Whether it begins with a file rather than in the middle of one."""
        return not self.start


def plan_parts(
    files: Iterable[tuple[str, int]], config: DatasetConfig, part_bytes: int
) -> list[Part]:
    """Divide files into parts.

    Large text files are divided if they are not compressed and in UTF-8, unless an option needs the
    whole text of a file. Small files that follow each other are a part together.

    Args:
        files: Paths or URLs, each with its size in bytes.
        config: How the files are read.
        part_bytes: Size of a part, approximately.

    Raises:
        DatasetError: A file has token ids.

    >>> files = [("a.csv", 10), ("b.csv", 10), ("c.csv", 90)]
    >>> [part.files for part in plan_parts(files, DatasetConfig(), 20)]
    [('a.csv', 'b.csv'), ('c.csv',)]
    """
    parts: list[Part] = []
    pending: list[str] = []
    pending_bytes = 0

    def add(part: Part) -> None:
        parts.append(replace(part, number=len(parts)))

    for file, size in files:
        if is_token_file(Path(file)):
            raise DatasetError(f"{file} contains token ids: pass text")
        is_divided = size > part_bytes and _is_divisible(file, config)
        if pending and (is_divided or pending_bytes + size > part_bytes):
            add(Part(0, tuple(pending)))
            pending, pending_bytes = [], 0
        if not is_divided:
            pending.append(file)
            pending_bytes += size
            continue
        count = -(-size // part_bytes)
        bounds = [size * order // count for order in range(count + 1)]
        for start, end in itertools.pairwise(bounds):
            add(Part(0, (file,), start, end, config.deduplicate))
    if pending:
        add(Part(0, tuple(pending)))
    return parts


def _is_divisible(file: str, config: DatasetConfig) -> bool:
    if config.strip_boilerplate or config.unwrap or config.encoding not in (None, *_UTF8):
        return False
    if format_of(Path(file)) is not Format.TEXT:
        return False
    with open_read(file) as opened:
        head = opened.read(_BLOCK)
    if head.startswith(_UTF16_OR_32) or b"\0" in head:
        return False
    return not is_json(head) and binary_kind(head) is None  # such as a compressed file


def read_part(part: Part, config: DatasetConfig, report: ReadReport) -> Iterator[str]:
    """Read the text of a part, as `iter_text` does.

    Args:
        part: The part.
        config: How the files are read.
        report: Receives what was detected.

    Yields:
        The text in chunks of any length.

    Raises:
        DatasetError: A file cannot be read.

    Example:
        text = "".join(read_part(Part(0, ("titles.csv",)), DatasetConfig(), ReadReport()))
    """
    of_copies = ReadReport()
    if part.start is None:
        with LocalCopies() as copies:
            found = [path for file in part.files for path in _paths(file, copies)]
            yield from iter_text(found, of_copies, config)
        for note in of_copies.notes():
            report.add_for_all(copies.shown(note))
        return
    with _copy_of_range(part) as path:
        # Not `iter_text`: the first bytes of a range might look like JSON or another encoding.
        if part.starts_file:
            chunks = read_text(path, of_copies, config.encoding)
            yield from clean_text(chunks, path, of_copies, config)
        else:
            yield from read_text(path, of_copies, config.encoding or "utf-8")
    for note in of_copies.notes():
        report.add_for_all(note.replace(str(path), part.files[0]))


def _paths(file: str, copies: LocalCopies) -> Sequence[Path]:
    found = drain(copies.resolve(file))
    return [Path(path) for path in ([found] if isinstance(found, str | os.PathLike) else found)]


@contextmanager
def _copy_of_range(part: Part) -> Iterator[Path]:
    """A file with the text of a range; errors name the original."""
    (file,) = part.files
    assert part.start is not None
    assert part.end is not None
    find = _document_end if part.at_documents else _word_end
    with tempfile.TemporaryDirectory(prefix="gpt2-beam-") as folder:
        path = Path(folder, Path(file).name)
        with open_read(file) as source:
            start, end = find(source, part.start), find(source, part.end)
            source.seek(start)
            with path.open("wb") as copy:
                _copy(source, copy, end - start)
        try:
            yield path
        except DatasetError as error:
            place = f"{file}, bytes {start:,} to {end:,}"
            raise DatasetError(
                f"{str(error).replace(str(path), place)} (a large file is read as UTF-8, in parts, "
                "unless encoding is set)"
            ) from error


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size > 0:
        data = source.read(min(size, 1 << 20))
        if not data:
            break
        target.write(data)
        size -= len(data)


def _word_end(file: IO[bytes], offset: int) -> int:
    """The first end of a word at or after a byte, or the end of the file.

    The same place is found for the end of a range and the start of the next one. No token of GPT-2
    contains whitespace after another character, so the ids of both sides are those of the whole.
    """
    if not offset:
        return 0
    position = max(0, offset - _CHARACTER)
    while True:
        file.seek(position)
        data = file.read(_BLOCK)
        for found in _WORD_END.finditer(data):
            end = found.start() + 1
            # The character before may be whitespace or invisible too, such as U+3000.
            before = data[max(0, end - _CHARACTER) : end].decode("utf-8", "ignore")[-1:]
            if position + end >= offset and before.isprintable() and before.strip():
                return position + end
        if len(data) < _BLOCK:
            return position + len(data)
        position += _BLOCK - 2 * _CHARACTER


def _document_end(file: IO[bytes], offset: int) -> int:
    """The first end of a document at or after a byte, or the end of the file."""
    if not offset:
        return 0
    mark = END_OF_TEXT.encode()
    position = max(0, offset - len(mark))
    while True:
        file.seek(position)
        data = file.read(_BLOCK)
        start = 0
        while (found := data.find(mark, start)) >= 0:
            if position + found + len(mark) >= offset:
                return position + found + len(mark)
            start = found + 1
        if len(data) < _BLOCK:
            return position + len(data)
        position += _BLOCK - len(mark)
