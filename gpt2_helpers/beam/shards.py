"""The files of a job's result: numbered shards, and an index that is written when all are there.

The names of shards contain a fingerprint of everything that their content depends on. A job that
is started again keeps the shards that it finds, and writes those that are missing; another job
never mixes its shards with them, and an index stays valid until a new one replaces it. Each
finished shard has a record next to it, `NAME.json`, which is deleted once the index has its
content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import google_crc32c

from gpt2_helpers.beam.storage import (
    delete,
    file_size,
    join,
    read_file,
    split_name,
    write_bytes,
    write_file,
)
from gpt2_helpers.data.formats import INDEX_SUFFIX, TEXT_INDEX_SUFFIX
from gpt2_helpers.data.token_shards import is_file_name
from gpt2_helpers.errors import OptionError

_CHUNK = 1 << 20  # bytes
_RECORD_SUFFIX = ".json"
_INDEX_SUFFIXES = (INDEX_SUFFIX, TEXT_INDEX_SUFFIX)
_SHARD = re.compile(r"-[0-9a-f]{8}-[0-9]{5,}-of-[0-9]{5,}\.[a-z]+")
_Value = TypeVar("_Value")

Record = dict[str, Any]  # of a shard, as JSON


def fingerprint(values: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that identify what the shards of a job depend on.

    >>> fingerprint({"seed": 1}), fingerprint({"seed": 2})
    ('a4bbadc1', 'b105c577')
    """
    content = json.dumps(values, sort_keys=True, default=str).encode(errors="surrogatepass")
    return hashlib.sha256(content).hexdigest()[:8]


def stem_of(index: str) -> str:
    """The name of an index without its suffix, with which the names of other files begin.

    >>> stem_of("out/titles.v2.index.json"), stem_of("gs://bucket/stories.tokens")
    ('titles.v2', 'stories')
    """
    name = split_name(index)[1]
    return next((name.removesuffix(s) for s in _INDEX_SUFFIXES if name.endswith(s)), name)


@dataclass(frozen=True)
class ShardSet:
    """The shards of a job.

    Attributes:
        index: Path or URL of the index, which is next to the shards.
        suffix: Of the shards, such as .jsonl.
        fingerprint: See `fingerprint`.
        total: Number of shards.
    """

    index: str
    suffix: str
    fingerprint: str
    total: int

    def __post_init__(self) -> None:
        if not is_file_name(self.name(0)):
            raise OptionError(
                f"{self.name(0)!r} would not be a valid name for a file: use a shorter name "
                "without colons, backslashes and control characters"
            )

    def name(self, number: int) -> str:
        """The name of a shard.

        >>> ShardSet("out/texts.index.json", ".jsonl", "a4bbadc1", 20).name(3)
        'texts-a4bbadc1-00003-of-00020.jsonl'
        """
        place = f"{number:05d}-of-{self.total:05d}"
        return f"{stem_of(self.index)}-{self.fingerprint}-{place}{self.suffix}"

    def is_shard(self, name: str) -> bool:
        """Whether a file name is that of a shard of a job with this index.

        >>> ShardSet("texts.tokens", ".npy", "", 2).is_shard("texts-a4bbadc1-00003-of-00020.npy")
        True
        """
        stem = stem_of(self.index)
        return name.startswith(stem) and bool(_SHARD.fullmatch(name, len(stem)))

    def path(self, number: int) -> str:
        """The path or URL of a shard."""
        return join(split_name(self.index)[0], self.name(number))

    def finished(self, number: int) -> Record | None:
        """The record of a shard that an earlier attempt has finished, or None."""
        content = read_file(self.path(number) + _RECORD_SUFFIX)
        if content is None:
            return None
        try:
            record: Record = json.loads(content)
            if record["number"] != number:
                return None
            is_whole = "file" not in record or file_size(self.path(number)) == record["bytes"]
        except (ValueError, TypeError, KeyError, RecursionError):  # damaged
            return None
        return record if is_whole else None

    def write(
        self, number: int, write: Callable[[BinaryIO], _Value], record: Callable[[_Value], Record]
    ) -> Record:
        """Write a shard, then its record.

        Args:
            number: Number of the shard.
            write: Writes the content to the open file.
            record: Makes the record from what `write` returns. The name, the size and the CRC-32C
                are added.

        Returns:
            The record.
        """

        def write_and_sum(file: BinaryIO) -> tuple[_Value, int, int]:
            value = write(file)
            file.flush()
            return value, *_checksum(file)

        value, size, crc = write_file(self.path(number), write_and_sum)
        return self.add_record(
            number, {**record(value), "file": self.name(number), "bytes": size, "crc32c": crc}
        )

    def add_record(self, number: int, record: Record) -> Record:
        """Write the record of a shard whose content is complete."""
        record = {"number": number, **record}
        write_bytes(self.path(number) + _RECORD_SUFFIX, json.dumps(record).encode())
        return record

    def has_files(self, sizes: Mapping[str, int]) -> bool:
        """Whether the files that an index lists are there, by their names and sizes in bytes."""
        folder = split_name(self.index)[0]
        return all(file_size(join(folder, name)) == size for name, size in sizes.items())

    def write_index(self, content: str, names: Callable[[bytes], list[str]]) -> None:
        """Write the index, then delete the records, and the shards that only an earlier index of
        the same name lists.

        Args:
            content: The index.
            names: Returns the names of the shards that an index lists.

        Raises:
            DatasetError: There is another file in place of an earlier index.
        """
        folder = split_name(self.index)[0]
        before = read_file(self.index)
        earlier = names(before) if before is not None else []
        current = content.encode(errors="surrogatepass")
        write_bytes(self.index, current)
        self.delete_records()
        for name in set(earlier) - set(names(current)):
            if self.is_shard(name):  # an index from somebody else must not delete other files
                delete(join(folder, name))

    def delete_records(self) -> None:
        """Delete the records of all shards, which an index has made superfluous."""
        for number in range(self.total):
            delete(self.path(number) + _RECORD_SUFFIX)


def _checksum(file: BinaryIO) -> tuple[int, int]:
    """Size and CRC-32C of an open file."""
    file.seek(0)
    crc = size = 0
    while data := file.read(_CHUNK):
        crc = google_crc32c.extend(crc, data)
        size += len(data)
    return size, crc
