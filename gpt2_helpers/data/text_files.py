"""Text files: detects the encoding and decodes in chunks.

A file is read as UTF-8, as the encoding of its byte order mark (UTF-8, UTF-16 or UTF-32), as UTF-16
if it clearly is UTF-16 without a mark, or as Western European single-byte text (Latin-1 or
Windows-1252). Anything else raises an error with the line number; no byte is dropped or replaced.
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

CHUNK_SIZE = 1 << 20  # bytes read at a time
_HEAD_SIZE = 1 << 16  # bytes searched for file signatures and for UTF-16 without a BOM

_BOMS = (  # UTF-32 LE before UTF-16 LE, whose BOM is a prefix of it
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 (little-endian)",
    "utf-16-be": "UTF-16 (big-endian)",
    "utf-32-le": "UTF-32 (little-endian)",
    "utf-32-be": "UTF-32 (big-endian)",
    "latin-1": "Latin-1",
    "cp1252": "Windows-1252",
}
_SIGNATURES = (  # long enough that no text starts with them; an article may start with "ID3"
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
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
    (b"PAR1\x15", "a Parquet file"),
    (b"\x7fELF", "an executable"),
    (b"ID3\x03\0", "an audio file"),
    (b"ID3\x04\0", "an audio file"),
    (b"OggS\0", "an audio file"),
    (b"fLaC\0", "an audio file"),
)
_RIFF_KINDS = {b"WEBP": "a WebP image", b"WAVE": "an audio file", b"AVI ": "a video"}
# Control characters that plain text does not use: a file with one is not single-byte text.
_CONTROL_BYTES = [byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1a\x1b"] + [127]
_SURROGATE_ESCAPES = regex.compile("[\udc80-\udcff]")


class UndecodableError(DatasetError):
    """Bytes that are invalid in an encoding; `location` names the file and line."""

    def __init__(self, location: str, problem: str) -> None:
        super().__init__(f"{location}: {problem}")
        self.location = location


@dataclass
class ReadReport:
    """Findings about the files read so far, as sentences, and the number of bytes read."""

    bytes_read: int = 0
    _files: dict[str, list[str]] = field(default_factory=dict)

    def add(self, path: Path, sentence: str) -> None:
        """Add a finding about a file. The same finding about many files is reported once."""
        self._files.setdefault(sentence, []).append(str(path))

    def notes(self) -> tuple[str, ...]:
        """The findings, each with the file it is about.

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
    """How to read a file: Python's codec name, the length of the BOM, and a note for the user."""

    codec: str
    bom_length: int = 0
    note: str | None = None


def read_text(path: Path, report: ReadReport) -> Iterator[str]:
    r"""Read a text file in chunks, with all line ends converted to `\n`.

    Args:
        path: File to read.
        report: Receives the detected encoding if it is not UTF-8, and the number of bytes read.

    Yields:
        The text in chunks of any length, none of them empty.

    Raises:
        DatasetError: The file cannot be read or is not text.

    Example:
        text = "".join(read_text(Path("story.txt"), ReadReport()))
    """
    encoding = detect_encoding(path)
    if encoding.note:
        report.add(path, encoding.note)
    yield from _decode(path, encoding, report)


def detect_encoding(path: Path) -> Encoding:
    """Detect the encoding of a file. Reads all of it, since a single late byte can decide."""
    with _open(path) as file:
        head = file.read(_HEAD_SIZE)
    for bom, codec in _BOMS:
        if head.startswith(bom):
            note = None if codec == "utf-8" else f"read as {_ENCODING_NAMES[codec]}"
            return Encoding(codec, len(bom), note)
    kind = next((kind for start, kind in _SIGNATURES if head.startswith(start)), None)
    if head.startswith(b"RIFF"):
        kind = _RIFF_KINDS.get(head[8:12])
    if kind:
        raise DatasetError(
            f"{path} is {kind}, not plain text: save its text as a .txt file in UTF-8, or remove "
            "it from the dataset"
        )
    utf16 = _detect_utf16_without_bom(head)
    if utf16:
        return Encoding(utf16, 0, f"read as {_ENCODING_NAMES[utf16]}, without a byte order mark")
    try:
        for _ in _decode(path, Encoding("utf-8"), ReadReport()):
            pass
    except UndecodableError as error:
        return _detect_single_byte(path, error)
    return Encoding("utf-8")


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None


def _decode(path: Path, encoding: Encoding, report: ReadReport) -> Iterator[str]:
    """Decode a file in chunks; raises UndecodableError with the line of invalid bytes."""
    decoder = codecs.getincrementaldecoder(encoding.codec)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    line = 1
    with _open(path) as file:
        report.bytes_read += file.seek(encoding.bom_length)
        data = b"start"
        while data:
            data = file.read(CHUNK_SIZE)
            try:
                characters = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                valid = error.object[: error.start].decode(encoding.codec)
                line += newlines.decode(valid, final=True).count("\n")
                bad = " ".join(f"0x{byte:02x}" for byte in error.object[error.start : error.end])
                raise UndecodableError(
                    f"{path}, line {line}",
                    f"{bad} is not valid {_ENCODING_NAMES[encoding.codec]}, unlike the rest of "
                    "the file: correct that line, or save the file as UTF-8",
                ) from None
            text = newlines.decode(characters, final=not data)
            if "\0" in text:
                line += text.count("\n", 0, text.index("\0"))
                raise DatasetError(
                    f"{path}, line {line}: contains a NUL byte, so the file is binary or damaged: "
                    "save its text as UTF-8, or remove it from the dataset"
                )
            line += text.count("\n")
            report.bytes_read += len(data)
            if text:
                yield text


def _detect_utf16_without_bom(head: bytes) -> str | None:
    """The UTF-16 codec if one of each two bytes is often zero and the decoded text is readable."""
    units = len(head) // 2
    # Zeros are the upper bytes of Latin letters, or of spaces and digits in other scripts.
    zeros = [head[parity : 2 * units : 2].count(0) for parity in (0, 1)]
    for upper, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        # At least two: a single zero in a short file is more likely a stray NUL.
        enough = max(units / 10, 1)
        if zeros[upper] > enough and zeros[1 - upper] <= units / 100:
            text = head[: 2 * units].decode(codec, errors="replace")
            readable = sum(char.isprintable() or char.isspace() for char in text)
            if readable - text.count("\ufffd") >= 0.98 * len(text):
                return codec
    return None


def _detect_single_byte(path: Path, not_utf8: UndecodableError) -> Encoding:
    """Latin-1 or Windows-1252 for a file that is not UTF-8; raises `not_utf8` if it is damaged."""
    counts = np.zeros(256, np.int64)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    non_ascii = invalid = 0
    with _open(path) as file:
        data = b"start"
        while data:
            data = file.read(CHUNK_SIZE)
            counts += np.bincount(np.frombuffer(data, np.uint8), minlength=256)
            text = decoder.decode(data, final=not data)
            non_ascii += len(text) - len(text.encode("ascii", "ignore"))
            invalid += len(_SURROGATE_ESCAPES.findall(text))
    if (non_ascii - invalid) * 5 >= invalid:
        raise not_utf8  # valid UTF-8 sequences rarely occur by chance: this is damaged UTF-8
    if counts[_CONTROL_BYTES].any():
        raise DatasetError(
            f"{not_utf8.location}: not text in any supported encoding, so the file is binary or "
            "damaged: save its text as UTF-8, or remove it from the dataset"
        )
    letters = int(counts[ord("A") : ord("Z") + 1].sum() + counts[ord("a") : ord("z") + 1].sum())
    accented = int(counts[0xC0:].sum())
    # Western languages have few accented letters and almost no 0xff. In Cyrillic, Greek or Chinese
    # encodings most letters are in that range; binary data is often filled with 0xff.
    if (accented >= 8 and accented > letters) or counts[0xFF] * 4 > accented:
        raise DatasetError(
            f"{not_utf8.location}: neither UTF-8 nor Western European text: open the file in an "
            "editor that supports its encoding and save it as UTF-8"
        )
    codec = "cp1252" if counts[0x80:0xA0].any() else "latin-1"
    name = _ENCODING_NAMES[codec]
    note = f"read as {name} because it is not UTF-8; if letters look wrong, save it as UTF-8"
    encoding = Encoding(codec, 0, note)
    if counts[[0x81, 0x8D, 0x8F, 0x90, 0x9D]].any():  # undefined in Windows-1252
        for _ in _decode(path, encoding, ReadReport()):
            pass  # raises an error with the line of the first one
    return encoding
