"""Opens the files of a dataset, and decompresses gzip and Zstandard as they are read.

Compression is recognized by a file's first bytes. Decompression is streamed: memory use depends
neither on the size of the file nor on how well it was compressed.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from gpt2_helpers.errors import DatasetError, brief, import_optional

_MAGIC = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SUFFIXES = (".gz", ".zst", ".zstd")
# One kilobyte of zstd can contain 32 MB, the most that is decompressed at a time.
_ZSTD_INPUT = 1 << 10
_ZSTD_WINDOW = 1 << 27  # the default limit of the zstd command too


class DataStream:
    """The content of a file, decompressed.

    Args:
        raw: The file.
        read: Returns the next bytes of the content, at most as many as requested.
    """

    def __init__(self, raw: BinaryIO, read: Callable[[int], bytes]) -> None:
        self._raw, self.read = raw, read

    @property
    def position(self) -> int:
        """Bytes of the file, not of the content, that were read so far."""
        return self._raw.tell()


def data_name(path: Path) -> Path:
    """A path without the suffix of its compression.

    >>> data_name(Path("titles.csv.gz")).name, data_name(Path("titles.csv")).name
    ('titles.csv', 'titles.csv')
    """
    return path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path


def compression_of(path: Path) -> str | None:
    """How a file is compressed: "gzip", "zstd" or None. Raises DatasetError if it is unreadable."""
    try:
        with path.open("rb") as file:
            return _recognize(file.read(4))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None


@contextmanager
def open_data(path: Path) -> Iterator[DataStream]:
    """Open a file for reading, decompressed.

    Raises:
        DatasetError: The file cannot be read, or its compressed data is damaged or truncated.
        MissingPackageError: The file is compressed with zstd and the package zstandard is missing.
    """
    kind = None
    try:
        with path.open("rb") as raw:
            kind = _recognize(raw.read(4))
            raw.seek(0)
            if kind == "gzip":
                with gzip.GzipFile(fileobj=raw) as file:
                    yield DataStream(raw, file.read)
            elif kind == "zstd":
                yield DataStream(raw, _ZstdReader(raw).read)
            else:
                yield DataStream(raw, raw.read)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path} is damaged or truncated {kind} data ({brief(error)}): download or compress it "
            "again"
        ) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None


def _recognize(head: bytes) -> str | None:
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


class _ZstdReader:
    """Reads the frames of a zstd file. Raises EOFError if the last one is not complete.

    The package's own stream reader takes a truncated file for a complete one.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._zstandard = import_optional("zstandard", "reading zstd files", "data")
        self._raw = raw
        self._frame: Any = None
        self._input = self._output = b""

    def read(self, size: int) -> bytes:
        """The next bytes of the content, at most `size`; empty at the end."""
        while not self._output:
            self._input = self._input or self._raw.read(_ZSTD_INPUT)
            if not self._input:
                if self._frame is not None:
                    raise EOFError("the last frame is incomplete")
                return b""
            self._decompress()
        found, self._output = self._output[:size], self._output[size:]
        return found

    def _decompress(self) -> None:
        if self._frame is None:
            limited = self._zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
            self._frame = limited.decompressobj()
        try:
            self._output = self._frame.decompress(self._input)
        except self._zstandard.ZstdError as error:
            if "too much memory" in str(error):
                raise EOFError(
                    "its window is larger than 128 MB; decompress it with zstd -d --long=31 and "
                    "use the result"
                ) from None
            raise EOFError(brief(error)) from None
        self._input = b""
        if self._frame.eof:
            self._input = self._frame.unused_data
            self._frame = None
