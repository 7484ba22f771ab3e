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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
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

_CHUNK = 1 << 20  # bytes
_RECORD_SUFFIX = ".json"
_Value = TypeVar("_Value")

Record = dict[str, Any]  # of a shard, as JSON


def fingerprint(values: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that identify what the shards of a job depend on.

    >>> fingerprint({"seed": 1}), fingerprint({"seed": 2})
    ('a4bbadc1', 'b105c577')
    """
    content = json.dumps(values, sort_keys=True, default=str).encode(errors="surrogatepass")
    return hashlib.sha256(content).hexdigest()[:8]


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

    def name(self, number: int) -> str:
        """The name of a shard.

        >>> ShardSet("out/texts.index.json", ".jsonl", "a4bbadc1", 20).name(3)
        'texts-a4bbadc1-00003-of-00020.jsonl'
        """
        stem = PurePosixPath(split_name(self.index)[1]).name.partition(".")[0]
        return f"{stem}-{self.fingerprint}-{number:05d}-of-{self.total:05d}{self.suffix}"

    def path(self, number: int) -> str:
        """The path or URL of a shard."""
        return join(split_name(self.index)[0], self.name(number))

    def finished(self, number: int) -> Record | None:
        """The record of a shard that an earlier attempt has finished, or None."""
        content = read_file(self.path(number) + _RECORD_SUFFIX)
        if content is None:
            return None
        record: Record = json.loads(content)
        if record.get("file") and file_size(self.path(number)) != record["bytes"]:
            return None
        return record

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
