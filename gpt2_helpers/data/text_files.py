"""Files -> characters: a file's encoding, and its text in blocks. Knows nothing of CSV or tokens.

A file is UTF-8, or begins with the mark of UTF-8, UTF-16 or UTF-32, or is plainly UTF-16 without
one, or is Western European text of one byte a character (Latin-1 or Windows-1252). Anything else is
refused with the line where it shows: no byte is ever dropped or guessed at.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import regex

from gpt2_helpers.errors import DatasetError

READ_SIZE = 1 << 20  # bytes read at once
_HEAD = 1 << 16  # bytes looked at for signatures and for UTF-16 without a mark

_BOMS = (  # the mark of UTF-32 LE begins with that of UTF-16 LE: it must be tried first
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 (little-endian)",
    "utf-16-be": "UTF-16 (big-endian)",
    "utf-32-le": "UTF-32 (little-endian)",
    "utf-32-be": "UTF-32 (big-endian)",
    "latin-1": "Latin-1",
    "cp1252": "Windows-1252",
}
_SIGNATURES = (  # long enough that no text begins with one: an article may well begin with "ID3"
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf1", "an RTF document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"BZh91AY&SY", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1\x15", "a Parquet table"),
    (b"\x7fELF", "a program"),
    (b"ID3\x03\0", "a sound file"),
    (b"ID3\x04\0", "a sound file"),
    (b"OggS\0", "a sound file"),
    (b"fLaC\0", "a sound file"),
)
_RIFF = {b"WEBP": "a WebP picture", b"WAVE": "a sound file", b"AVI ": "a film"}
# Bytes that plain text has no use for: what holds them is no text of one byte a character.
_CONTROLS = [byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1a\x1b"] + [127]
_ESCAPED = regex.compile("[\udc80-\udcff]")


class UndecodableError(DatasetError):
    """Bytes that are no text in the encoding they were read in; `place` is the file and line."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place


@dataclass
class ReadReport:
    """What reading found out, in plain sentences, and how far it has come."""

    bytes_read: int = 0
    _files: dict[str, list[str]] = field(default_factory=dict)

    def add(self, path: Path, sentence: str) -> None:
        """Note a sentence about a file; the same one about many files is told once."""
        self._files.setdefault(sentence, []).append(str(path))

    def notes(self) -> tuple[str, ...]:
        """The sentences, each with its file.

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
        return tuple(lines)


@dataclass(frozen=True)
class Encoding:
    """How to read a file: Python's name of its codec, and the bytes of the mark to pass over."""

    codec: str
    skip: int = 0
    note: str | None = None


def read_text(path: Path, report: ReadReport) -> Iterator[str]:
    """The text of a file in blocks, newlines as `\\n`; what was detected goes into `report`.

    Raises DatasetError where the file cannot be read, or holds something other than text.
    """
    encoding = detect_encoding(path)
    if encoding.note:
        report.add(path, encoding.note)
    yield from _decoded(path, encoding, report)


def detect_encoding(path: Path) -> Encoding:
    """The encoding of a file; it is read to its end, since one late byte can decide.

    Raises DatasetError for binary data, and with the line for bytes that are no text.
    """
    with open_binary(path) as file:
        head = file.read(_HEAD)
    for mark, codec in _BOMS:
        if head.startswith(mark):
            note = None if codec == "utf-8" else f"read as {_NAMES[codec]}"
            return Encoding(codec, len(mark), note)
    kind = next((kind for start, kind in _SIGNATURES if head.startswith(start)), None)
    if head.startswith(b"RIFF"):
        kind = _RIFF.get(head[8:12])
    if kind:
        raise DatasetError(
            f"{path} is {kind}, which is no plain text: save its text as a .txt file in UTF-8, "
            "or take it out of the dataset"
        )
    codec_16 = _utf16_without_mark(head)
    if codec_16:
        return Encoding(codec_16, 0, f"read as {_NAMES[codec_16]}, which it plainly is")
    try:
        for _ in _decoded(path, Encoding("utf-8"), ReadReport()):
            pass
    except UndecodableError as fault:
        return _detect_single_byte(path, fault)
    return Encoding("utf-8")


@contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """A file to read bytes from; DatasetError where the system refuses."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None


def _decoded(path: Path, encoding: Encoding, report: ReadReport) -> Iterator[str]:
    """The file's text in blocks; UndecodableError names the line of bytes that are none."""
    decoder = codecs.getincrementaldecoder(encoding.codec)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    line = 1
    with open_binary(path) as file:
        report.bytes_read += file.seek(encoding.skip)
        data = b"start"
        while data:
            data = file.read(READ_SIZE)
            try:
                characters = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(encoding.codec)
                line += newlines.decode(before, final=True).count("\n")
                bad = " ".join(f"0x{byte:02x}" for byte in error.object[error.start : error.end])
                raise UndecodableError(
                    f"{path}, line {line}",
                    f"{bad} is no {_NAMES[encoding.codec]}, as which the rest of the file reads: "
                    "mend that line, or save the file as UTF-8",
                ) from None
            text = newlines.decode(characters, final=not data)
            if "\0" in text:
                line += text.count("\n", 0, text.index("\0"))
                raise DatasetError(
                    f"{path}, line {line}: a NUL byte, which no text holds: the file is binary "
                    "or damaged; save its text as UTF-8, or take it out of the dataset"
                )
            line += text.count("\n")
            report.bytes_read += len(data)
            if text:
                yield text


def _utf16_without_mark(head: bytes) -> str | None:
    """The UTF-16 codec of text that plainly is UTF-16: zeros in every other byte, and readable."""
    units = len(head) // 2
    # The zeros are the upper halves of Western letters, or of spaces and digits in other scripts.
    zeros = [head[parity : 2 * units : 2].count(0) for parity in (0, 1)]
    for upper, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        # A single one in a short file is rather a NUL that has strayed into it.
        enough = max(units / 10, 1)
        if zeros[upper] > enough and zeros[1 - upper] <= units / 100:
            text = head[: 2 * units].decode(codec, errors="replace")
            readable = sum(char.isprintable() or char.isspace() for char in text)
            if readable - text.count("\ufffd") >= 0.98 * len(text):
                return codec
    return None


def _detect_single_byte(path: Path, fault: UndecodableError) -> Encoding:
    """Latin-1 or Windows-1252 for a file that is no UTF-8, or `fault` where it is neither."""
    counts = np.zeros(256, np.int64)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    others = invalid = 0
    with open_binary(path) as file:
        data = b"start"
        while data:
            data = file.read(READ_SIZE)
            counts += np.bincount(np.frombuffer(data, np.uint8), minlength=256)
            text = decoder.decode(data, final=not data)
            others += len(text) - len(text.encode("ascii", "ignore"))
            invalid += len(_ESCAPED.findall(text))
    if (others - invalid) * 5 >= invalid:
        raise fault  # sequences that are UTF-8 hardly come about by chance: a damaged UTF-8 file
    if counts[_CONTROLS].any():
        raise DatasetError(
            f"{fault.place}: the bytes are no text in any encoding known here: the file is "
            "binary or damaged; save its text as UTF-8, or take it out of the dataset"
        )
    letters = int(counts[ord("A") : ord("Z") + 1].sum() + counts[ord("a") : ord("z") + 1].sum())
    accented = int(counts[0xC0:].sum())
    # Western languages have few accented letters, and next to no 0xff. Cyrillic, Greek or Chinese
    # encodings have hardly anything else, and 0xff is what fills binary data.
    if (accented >= 8 and accented > letters) or counts[0xFF] * 4 > accented:
        raise DatasetError(
            f"{fault.place}: the bytes are neither UTF-8 nor Western European text: open the "
            "file in an editor that knows its encoding, and save it as UTF-8"
        )
    codec = "cp1252" if counts[0x80:0xA0].any() else "latin-1"
    note = f"read as {_NAMES[codec]}, since it is no UTF-8; if letters look wrong, save it as UTF-8"
    encoding = Encoding(codec, 0, note)
    if counts[[0x81, 0x8D, 0x8F, 0x90, 0x9D]].any():  # these mean nothing in Windows-1252
        for _ in _decoded(path, encoding, ReadReport()):
            pass  # raises at the line where the first of them stands
    return encoding
