"""Token ids in several files, and the index file that lists them in order.

The index is JSON in a file that ends with `.tokens`. Each shard is an .npy file next to it, listed
with its number of ids, its size and its CRC-32C. A shard holds the ids of a part of the text. The
ids where two parts meet are in the index, since the end of one and the start of the next may form
one word. The ids of all shards in order, with those between them, are the ids of the whole text.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import google_crc32c
import numpy as np

from gpt2_helpers.data.formats import INDEX_SUFFIX
from gpt2_helpers.data.token_files import check_ids, read_npy, read_tokens
from gpt2_helpers.data.tokenize import token_dtype
from gpt2_helpers.errors import DatasetError, brief, printable
from gpt2_helpers.system.paths import MAX_NAME_BYTES
from gpt2_helpers.types import AnyIds

_FORMAT, _VERSION = "gpt2-helpers tokens", 1
_MAX_INDEX_BYTES = 1 << 28
_MAX_VOCABULARY = 1 << 31  # ids are stored in 32 bits
_ADVICE = "encode the text again"


@dataclass(frozen=True)
class TokenShard:
    """A file of ids.

    Attributes:
        file: Its name, next to the index.
        count: Number of ids.
        bytes: Size of the file.
        crc32c: CRC-32C of the file.
        before: The ids between the shard before it and this one.
    """

    file: str
    count: int
    bytes: int
    crc32c: int
    before: tuple[int, ...] = ()


@dataclass(frozen=True)
class TokenIndex:
    """The shards of a dataset.

    Attributes:
        n_vocab: Size of the vocabulary of the ids.
        shards: The files, in order.
        after: The ids after the last shard.
        notes: What was detected while the text was read, as sentences.
        options: How the text was read.
    """

    n_vocab: int
    shards: tuple[TokenShard, ...]
    after: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of ids of the dataset.

        >>> TokenIndex(9, (TokenShard("a.npy", 5, 138, 0, before=(1, 2)),), after=(3,)).count
        8
        """
        return sum(len(shard.before) + shard.count for shard in self.shards) + len(self.after)

    def to_json(self) -> str:
        """The content of the index file."""
        values = {"format": _FORMAT, "version": _VERSION, "count": self.count, **asdict(self)}
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def is_index(path: Path) -> bool:
    """Whether a file is an index of shards, judging by its name."""
    return path.suffix.lower() == INDEX_SUFFIX


def parse_index(content: bytes, name: str) -> TokenIndex:
    """Parse an index file, which is not trusted.

    Args:
        content: The file's content.
        name: What the file is called in error messages.

    Raises:
        DatasetError: It is damaged, or names files outside its folder.

    >>> parse_index(TokenIndex(9, ()).to_json().encode(), "a.tokens").n_vocab
    9
    """
    try:
        values = json.loads(content)
        if values["format"] != _FORMAT or values["version"] != _VERSION:
            raise ValueError(f"{brief(values['format'])}, version {brief(values['version'])}")
        shards = tuple(
            TokenShard(**{**shard, "before": tuple(shard["before"])}) for shard in values["shards"]
        )
        index = TokenIndex(
            *(values["n_vocab"], shards, tuple(values["after"])),
            tuple(printable(str(note)) for note in values["notes"]),
            dict(values["options"]),
        )
        numbers = [index.n_vocab, *index.after]
        for shard in shards:
            numbers += [shard.count, shard.bytes, shard.crc32c, *shard.before]
        if not all(type(number) is int and 0 <= number < 1 << 63 for number in numbers):
            raise ValueError("a number is negative, too large, or not an integer")
        if index.n_vocab > _MAX_VOCABULARY:
            raise ValueError(f"a vocabulary of {index.n_vocab:,} tokens")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetError(
            f"{name} is not an index of token files ({brief(error)}): {_ADVICE}"
        ) from None
    for shard in shards:
        if not is_file_name(shard.file):
            raise DatasetError(
                f"{name} names the file {brief(shard.file)!r}, which is not next to it: {_ADVICE}"
            )
    return index


def is_file_name(name: object) -> bool:
    """Whether an index may name this file: without a folder, and valid on all systems.

    >>> is_file_name("texts-00000-of-00002.npy"), is_file_name("../a.npy"), is_file_name("..")
    (True, False, False)
    """
    if not isinstance(name, str) or not name.isprintable() or name in ("", ".", ".."):
        return False
    return not {"/", "\\", ":"} & {*name} and len(name.encode()) <= MAX_NAME_BYTES


def read_index(path: Path) -> TokenIndex:
    """Read an index file; raises DatasetError as `parse_index`, or if it cannot be read."""
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            raise DatasetError(f"{path} is too large for an index of token files: {_ADVICE}")
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_index(content, str(path))


def read_token_dataset(path: Path, n_vocab: int) -> Iterator[AnyIds]:
    """Read the ids of a token file, or of all shards of an index, in order.

    Args:
        path: An .npz, .npy or .tokens file.
        n_vocab: Size of the vocabulary; every id must be smaller.

    Yields:
        The ids in chunks.

    Raises:
        DatasetError: A file is missing or damaged, or an id is negative or too large.

    Example:
        count = sum(map(len, read_token_dataset(Path("stories.tokens"), 50257)))
    """
    return (
        check_ids(_read_shards(path), path, n_vocab)
        if is_index(path)
        else read_tokens(path, n_vocab)
    )


def shard_paths(path: Path) -> list[Path]:
    """The shards of an index."""
    return [path.with_name(shard.file) for shard in read_index(path).shards]


def _read_shards(path: Path) -> Iterator[AnyIds]:
    index = read_index(path)
    dtype = token_dtype(index.n_vocab)
    for shard in index.shards:
        yield from _ids_between(shard.before, dtype)
        yield from _read_shard(path.with_name(shard.file), shard)
    yield from _ids_between(index.after, dtype)


def _ids_between(ids: Sequence[int], dtype: np.dtype[Any]) -> Iterator[AnyIds]:
    if ids:
        if max(ids) > np.iinfo(dtype).max:
            raise DatasetError(
                f"the index contains the id {max(ids)}, which is too large: {_ADVICE}"
            )
        yield np.array(ids, dtype)


class _Checksummed:
    """A file with the CRC-32C and the number of the bytes read so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.crc, self.size = 0, 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.crc = google_crc32c.extend(self.crc, data)
        self.size += len(data)
        return data


def _read_shard(path: Path, shard: TokenShard) -> Iterator[AnyIds]:
    count = 0
    try:
        if path.exists() and not path.is_file():  # reading a pipe may never end
            raise OSError(errno.EINVAL, "not a regular file")
        with path.open("rb") as opened:
            file = _Checksummed(opened)
            for ids in read_npy(path, path.name, file):
                count += len(ids)
                yield ids
            while file.read(1 << 20):
                pass
    except OSError as error:
        raise DatasetError(
            f"{path}, a part of the dataset, cannot be read: {error.strerror or error}"
        ) from None
    if (count, file.size, file.crc) != (shard.count, shard.bytes, shard.crc32c):
        raise DatasetError(f"checksum mismatch in {path}: copy the file again, or {_ADVICE}")
