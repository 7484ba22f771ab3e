"""Text encodings: detects how a file is encoded.

A file is UTF-8, or in the encoding of its byte order mark, or UTF-16 if it clearly is UTF-16
without a mark. Otherwise a single-byte encoding is guessed, and the guess is reported. Anything
else raises an error with the line number.
"""

from __future__ import annotations

import codecs
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import regex

from gpt2_helpers.data.compression import open_data
from gpt2_helpers.data.formats import binary_kind, read_head
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.types import AnyIds

CHUNK_SIZE = 1 << 20  # bytes read at a time
BOM = "\ufeff"

_BOMS = (  # UTF-32 LE before UTF-16 LE, whose BOM is a prefix of it
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
    "cp1250": "Windows-1250",
    "iso8859-2": "Latin-2",
}
# Control characters that plain text does not use: a file with one is not single-byte text.
_CONTROL_BYTES = [byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1a\x1b"] + [127]
_SURROGATE_ESCAPES = regex.compile("[\udc80-\udcff]")
# Central European encodings, tried if the text makes no sense in a Western one.
_CENTRAL_EUROPEAN = ("cp1250", "iso8859-2")
# A character that does not belong inside a word, or that does not exist in the encoding.
_MISFIT = regex.compile(
    r"(?<=\p{L})(?:[^\x00-\x7f\p{L}\p{M}\p{P}\xad\ufffd]|[¿¡])(?=\p{L})|(?<=\p{L})\ufffd"
)
_ADVICE = (
    "if it is an older encoding, set encoding, such as encoding='cp1251' for Russian or "
    "encoding='shift_jis' for Japanese; or save the file as UTF-8"
)


class UndecodableError(DatasetError):
    """Bytes that are invalid in an encoding; `location` names the file and line."""

    def __init__(self, location: str, problem: str) -> None:
        super().__init__(f"{location}: {problem}")
        self.location = location


@dataclass(frozen=True)
class Encoding:
    """How to read a file.

    Attributes:
        codec: Python's name of the codec.
        bom_length: Length of the byte order mark in bytes.
        note: What to report, if anything.
        is_given: Whether the user named the encoding.
    """

    codec: str
    bom_length: int = 0
    note: str | None = None
    is_given: bool = False

    @property
    def name(self) -> str:
        """The usual name."""
        return _NAMES.get(self.codec, self.codec)


def find_encoding(path: Path, given: str | None = None) -> Encoding:
    """Determine the encoding of a file.

    Args:
        path: The file. Without a byte order mark all of it is read, since a single late byte can
            decide.
        given: The encoding that the user named. A byte order mark takes precedence.

    Returns:
        The encoding.

    Raises:
        DatasetError: The file cannot be read or is not text.
    """
    head = read_head(path)
    for bom, codec in _BOMS:
        if head.startswith(bom):
            encoding = Encoding(codec, len(bom))
            is_other = given is not None and not _same_family(given, codec)
            note = f"read as {encoding.name}"
            if is_other:
                note += f", as its byte order mark says, not as {given}"
            return Encoding(codec, len(bom), note if is_other or codec != "utf-8" else None)
    if kind := binary_kind(head):
        raise DatasetError(
            f"{path} is {kind}, not plain text: save its text as a .txt file in UTF-8, or remove "
            "it from the dataset"
        )
    if given is not None:
        return Encoding(codecs.lookup(given).name, is_given=True)
    if utf16 := _detect_utf16_without_bom(head):
        name = _NAMES[utf16]
        note = f"read as {name}, a guess, since it has no byte order mark"
        return Encoding(utf16, 0, note)
    try:
        for _ in decode(path, Encoding("utf-8")):
            pass
    except UndecodableError as error:
        return _guess_single_byte(path, error)
    return Encoding("utf-8")


def _same_family(given: str, codec: str) -> bool:
    """Whether two codecs differ at most in byte order and mark, such as utf-16 and utf-16-le."""
    return codecs.lookup(given).name.replace("_", "-").startswith(codec[:6].rstrip("-"))


def decode(path: Path, encoding: Encoding) -> Iterator[tuple[int, str]]:
    r"""Decode a file in chunks, with all line ends converted to `\n`.

    Yields:
        Bytes read so far and the next chunk of text, which may be empty.

    Raises:
        UndecodableError: Bytes are invalid in the encoding; names the line.
        DatasetError: The file cannot be read, or contains NUL bytes.
    """
    decoder = codecs.getincrementaldecoder(encoding.codec)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    line = 1
    with open_data(path) as file:
        file.read(encoding.bom_length)
        data = b"start"
        while data:
            data = file.read(CHUNK_SIZE)
            try:
                characters = decoder.decode(data, final=not data)
            except UnicodeError as error:
                raise _undecodable(path, line, encoding, error, newlines) from None
            text = newlines.decode(characters, final=not data)
            if "\0" in text:
                line += text.count("\n", 0, text.index("\0"))
                raise DatasetError(
                    f"{path}, line {line}: contains a NUL byte, so the file is binary or damaged: "
                    "save its text as UTF-8, or remove it from the dataset"
                )
            line += text.count("\n")
            yield file.position, text


def _undecodable(
    path: Path,
    line: int,
    encoding: Encoding,
    error: UnicodeError,
    newlines: io.IncrementalNewlineDecoder,
) -> UndecodableError:
    """The error for invalid bytes in the chunk that starts in `line`."""
    if not isinstance(error, UnicodeDecodeError):  # some codecs name no position
        return UndecodableError(f"{path}, from line {line}", f"not valid {encoding.name}: {error}")
    valid = error.object[: error.start].decode(encoding.codec, errors="replace")
    line += newlines.decode(valid, final=True).count("\n")
    bad = " ".join(f"0x{byte:02x}" for byte in error.object[error.start : error.end])
    advice = "unlike the rest of the file: correct that line, or save the file as UTF-8"
    if encoding.is_given:
        advice = "which encoding names: use the encoding of the file, or leave it out to detect it"
    return UndecodableError(f"{path}, line {line}", f"{bad} is not valid {encoding.name}, {advice}")


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


def _guess_single_byte(path: Path, not_utf8: UndecodableError) -> Encoding:
    """A single-byte encoding for a file that is not UTF-8; raises `not_utf8` if it is damaged."""
    counts = np.zeros(256, np.int64)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    non_ascii = invalid = 0
    sample = b""  # the first chunk with a byte that is not ASCII
    with open_data(path) as file:
        data = b"start"
        while data:
            data = file.read(CHUNK_SIZE)
            counts += np.bincount(np.frombuffer(data, np.uint8), minlength=256)
            text = decoder.decode(data, final=not data)
            non_ascii += len(text) - len(text.encode("ascii", "ignore"))
            invalid += len(_SURROGATE_ESCAPES.findall(text))
            sample = sample if sample or data.isascii() else data
    if (non_ascii - invalid) * 5 >= invalid:
        raise not_utf8  # valid UTF-8 sequences rarely occur by chance: this is damaged UTF-8
    if counts[_CONTROL_BYTES].any():
        raise DatasetError(
            f"{not_utf8.location}: not text in any encoding that is detected, so the file is "
            f"binary or damaged: {_ADVICE}, or remove it from the dataset"
        )
    letters = int(counts[ord("A") : ord("Z") + 1].sum() + counts[ord("a") : ord("z") + 1].sum())
    accented = int(counts[0xC0:].sum())
    # European languages have few accented letters and almost no 0xff. In Cyrillic, Greek or Chinese
    # encodings most letters are in that range; binary data is often filled with 0xff.
    if (accented >= 8 and accented > letters) or counts[0xFF] * 4 > accented:
        raise DatasetError(
            f"{not_utf8.location}: neither UTF-8 nor text in a Western or Central European "
            f"encoding: {_ADVICE}"
        )
    encoding = _with_note(_most_plausible(counts, sample), sample)
    for _ in decode(path, encoding) if _undefined(encoding.codec, counts) else ():
        pass  # raises an error with the line of the first byte that the encoding lacks
    return encoding


def _most_plausible(counts: AnyIds, sample: bytes) -> str:
    """A Western encoding, unless a Central European one fits the words of the sample better."""
    western = "cp1252" if counts[0x80:0xA0].any() else "latin-1"
    misfits = _misfits(western, sample)
    is_rare = misfits * 10 < sum(byte >= 0x80 for byte in sample)  # such as the ² of m²s in French
    if is_rare and not _undefined(western, counts):
        return western
    other = min(_CENTRAL_EUROPEAN, key=lambda codec: _misfits(codec, sample))
    fits = not _undefined(other, counts) and _misfits(other, sample) * 2 < misfits
    return other if fits else western


def _misfits(codec: str, sample: bytes) -> int:
    """How many characters do not fit into the words around them if a sample is decoded."""
    return len(_MISFIT.findall(sample.decode(codec, errors="replace")))


def _undefined(codec: str, counts: AnyIds) -> bool:
    """Whether a file has bytes that a single-byte encoding lacks."""
    lacking = bytes(range(256)).decode(codec, errors="replace")
    return any(counts[byte] for byte in range(256) if lacking[byte] == "\ufffd")


def _with_note(codec: str, sample: bytes) -> Encoding:
    """The guessed encoding, with a note that shows words by which the user can check the guess."""
    words = sample.decode(codec, errors="replace").split()
    others = itertools.islice((word for word in words if not word.isascii()), 3)
    shown = " ".join(map(_around_non_ascii, others))
    note = (
        f"read as {_NAMES[codec]}, a guess, since it is not UTF-8: check {shown!r}; if the letters "
        "are wrong, set encoding, such as encoding='cp1250' for Polish or Czech"
    )
    return Encoding(codec, 0, note)


def _around_non_ascii(word: str) -> str:
    """At most 30 characters of a word, with the first one that is not ASCII."""
    first = next(index for index, character in enumerate(word) if not character.isascii())
    return word[max(0, first - 15) :][:30]
