"""Shards of a job's result, and their index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

import pytest

from gpt2_helpers.beam.shards import Record, ShardSet
from gpt2_helpers.errors import DatasetError, OptionError


def shard_set(folder: str, name: str = "0011aabb") -> ShardSet:
    return ShardSet(f"{folder}/texts.index.json", ".jsonl", name, 2)


def write(shards: ShardSet, number: int, content: bytes) -> Record:
    def to_file(file: BinaryIO) -> int:
        return file.write(content)

    return shards.write(number, to_file, lambda size: {"texts": size})


def names(content: bytes) -> list[str]:
    try:
        return [str(name) for name in json.loads(content)]
    except ValueError:
        raise DatasetError("not an index") from None


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, or a URL in memory."""
    if request.param == "local":
        return str(tmp_path / "new")
    pytest.importorskip("fsspec", reason="needs the package fsspec")
    return f"memory://{tmp_path.name}"


def test_a_finished_shard_is_recognized(folder: str) -> None:
    shards = shard_set(folder)
    assert shards.finished(0) is None
    record = write(shards, 0, b"a\n")
    assert record["file"] == "texts-0011aabb-00000-of-00002.jsonl"
    assert (record["number"], record["bytes"], record["texts"]) == (0, 2, 2)
    assert shards.finished(0) == record
    assert shards.finished(1) is None
    assert shard_set(folder, "22222222").finished(0) is None


def test_a_shard_that_was_cut_is_written_again(tmp_path: Path) -> None:
    shards = shard_set(str(tmp_path))
    write(shards, 0, b"abc\n")
    Path(shards.path(0)).write_bytes(b"ab")
    assert shards.finished(0) is None


def test_an_index_replaces_records_and_the_shards_of_an_earlier_one(tmp_path: Path) -> None:
    for name in ("0011aabb", "22222222"):
        shards = shard_set(str(tmp_path), name)
        files = [write(shards, number, b"a\n")["file"] for number in range(2)]
        if name == "22222222":
            assert len(list(tmp_path.glob("*.jsonl"))) == 4  # the earlier index is still valid
        shards.write_index(json.dumps(files), names)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*files, "texts.index.json"]


def test_another_file_is_not_replaced_by_an_index(tmp_path: Path) -> None:
    (tmp_path / "texts.index.json").write_text("my notes", encoding="utf-8")
    with pytest.raises(DatasetError, match="not an index"):
        shard_set(str(tmp_path)).write_index("[]", names)
    assert (tmp_path / "texts.index.json").read_text(encoding="utf-8") == "my notes"


def test_the_files_of_two_indexes_have_different_names(tmp_path: Path) -> None:
    first, second = (
        ShardSet(str(tmp_path / name), ".npy", "0011aabb", 2)
        for name in ("stories.v1.tokens", "stories.v2.tokens")
    )
    for shards in (first, second):
        files = [write(shards, number, b"a\n")["file"] for number in range(2)]
        shards.write_index(json.dumps(files), names)
    replaced = ShardSet(second.index, ".npy", "22222222", 0)
    replaced.write_index("[]", names)  # deletes the files of the second index
    assert Path(first.path(0)).is_file()
    assert not Path(second.path(0)).exists()


def test_missing_and_cut_files_of_an_index_are_noticed(folder: str) -> None:
    shards = shard_set(folder)
    sizes = {shards.name(0): 2, shards.name(1): 4}
    write(shards, 0, b"a\n")
    assert not shards.has_files(sizes)
    write(shards, 1, b"abc\n")
    assert shards.has_files(sizes)
    assert not shards.has_files({**sizes, shards.name(0): 3})


@pytest.mark.parametrize("name", ["at 12:30", "a" * 300, "a\\b"])
def test_a_name_that_an_index_may_not_list_is_rejected_first(name: str) -> None:
    with pytest.raises(OptionError, match="would not be a valid name"):
        ShardSet(f"out/{name}.index.json", ".jsonl", "0011aabb", 2)


def test_an_index_from_somebody_else_deletes_only_shards(tmp_path: Path) -> None:
    others = ["thesis.txt", "texts-final.jsonl", "other-0011aabb-00000-of-00002.jsonl"]
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / "texts.index.json").write_text(json.dumps(others), encoding="utf-8")
    shard_set(str(tmp_path)).write_index("[]", names)
    assert all((tmp_path / name).is_file() for name in others)


@pytest.mark.parametrize("content", ["", "[]", "5", "{}", '{"number": 1}', "[" * 99_999])
def test_a_shard_with_a_damaged_record_is_written_again(tmp_path: Path, content: str) -> None:
    shards = shard_set(str(tmp_path))
    write(shards, 0, b"abc\n")
    Path(shards.path(0) + ".json").write_text(content, encoding="utf-8")
    assert shards.finished(0) is None
