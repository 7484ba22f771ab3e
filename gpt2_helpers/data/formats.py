"""The kind of a dataset's file: by its name, and by its content.

A new format gets a member of `Format`, its suffixes, and a reader in `records.read_records` if it
consists of records.
"""

from __future__ import annotations

import codecs
import enum
import json
from pathlib import Path

import regex

from gpt2_helpers.data.compression import compression_of, data_name, open_data
from gpt2_helpers.errors import DatasetError

HEAD_SIZE = 1 << 16  # bytes read to recognize a format
INDEX_SUFFIX = ".tokens"  # of a file that lists token files, see `token_shards`
TEXT_INDEX_SUFFIX = ".index.json"  # of the files that beam-generate and beam-score write


class Format(enum.Enum):
    """How a file is read."""

    TEXT = "text"
    TABLE = "a table"
    TOKENS = "token ids"
    JSON = "JSON"
    PARQUET = "Parquet"


_RECORDS = (Format.TABLE, Format.JSON, Format.PARQUET)
_SUFFIXES = {
    ".csv": Format.TABLE,
    ".tsv": Format.TABLE,
    ".npz": Format.TOKENS,
    ".npy": Format.TOKENS,
    INDEX_SUFFIX: Format.TOKENS,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".parquet": Format.PARQUET,
}
# What operating systems and programs leave in folders. Hidden files are skipped anyway.
_SYSTEM_FILES = {"desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "icon\r"}
_SYSTEM_FOLDERS = {
    "__macosx",
    "__pycache__",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "@eadir",
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
    (b"\x7fELF", "an executable"),
    (b"ID3\x03\0", "an audio file"),
    (b"ID3\x04\0", "an audio file"),
    (b"OggS\0", "an audio file"),
    (b"fLaC\0", "an audio file"),
)
_PARQUET_START = b"PAR1\x15"
_RIFF_KINDS = {b"WEBP": "a WebP image", b"WAVE": "an audio file", b"AVI ": "a video"}
_STRING = r'"(?:[^"\\]|\\.)*+"'
# The start of an object, of a list of objects, or of a list of strings.
_JSON_START = regex.compile(rf"(?:\[\s*+)?\{{\s*+{_STRING}\s*+:|\[\s*+{_STRING}\s*+,")


def format_of(path: Path) -> Format:
    """The format that a file's name implies; the file need not exist.

    >>> format_of(Path("titles.CSV")), format_of(Path("titles.jsonl.gz"))
    (<Format.TABLE: 'a table'>, <Format.JSON: 'JSON'>)
    """
    return _SUFFIXES.get(data_name(path).suffix.lower(), Format.TEXT)


def detect_format(file: Path) -> Format:
    """The format of a file, by its name, and for names without a format by its content.

    Raises:
        DatasetError: The file cannot be read, or is compressed although its format is not text.
    """
    found = format_of(file)
    if found is Format.TEXT:
        head = read_head(file)
        if head.startswith(_PARQUET_START):
            found = Format.PARQUET
        elif is_json(head):
            found = Format.JSON
    if found in (Format.PARQUET, Format.TOKENS) and (kind := compression_of(file)):
        raise DatasetError(
            f"{file} is {found.value} compressed with {kind}, which is read only for text formats: "
            "decompress it first"
        )
    return found


def is_table(path: Path) -> bool:
    """Whether a file is read as a table, judging by its name."""
    return format_of(path) is Format.TABLE


def has_records(file: Path) -> bool:
    """Whether a file consists of records, each a text of its own. Raises as `detect_format`."""
    return detect_format(file) in _RECORDS


def is_token_file(path: Path) -> bool:
    """Whether a file contains token ids rather than text, judging by its name."""
    return format_of(path) is Format.TOKENS


def is_system_file(path: Path) -> bool:
    """Whether a system or a program has left a file in a folder, such as `desktop.ini`.

    >>> is_system_file(Path("texts/Thumbs.db"))
    True
    """
    name = path.name.lower()
    # Office puts `~$NAME` next to a document that is open.
    return name in _SYSTEM_FILES or name.startswith("~$")


def is_system_folder(name: str) -> bool:
    """Whether a folder belongs to a system or a program, such as `__MACOSX`."""
    return name.lower() in _SYSTEM_FOLDERS


def read_head(file: Path) -> bytes:
    """The first bytes of a file, decompressed. Raises DatasetError if it cannot be read."""
    with open_data(file) as opened:
        head = opened.read(HEAD_SIZE)
        while len(head) < HEAD_SIZE and (more := opened.read(HEAD_SIZE - len(head))):
            head += more
    return head


def binary_kind(head: bytes) -> str | None:
    """What a file that is not text is, by its first bytes; None if it may be text.

    >>> binary_kind(b"%PDF-1.7")
    'a PDF document'
    """
    if head.startswith(b"RIFF"):
        return _RIFF_KINDS.get(head[8:12])
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((kind for start, kind in _SIGNATURES if head.startswith(start)), None)


def is_json(head: bytes) -> bool:
    """Whether a file starts like JSON or JSON Lines: a list or an object, and not with prose."""
    encoding = "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    text = head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        return False
    first, *others = [line for line in text.split("\n") if line.strip()][:3]
    if _parses(first) and all(_parses(line) for line in others[:1]):
        return True
    return _parses(text) or bool(_JSON_START.match(text))


def _parses(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except RecursionError:  # nested too deeply for prose
        return True
    except ValueError:
        return False
