"""Token ids in several files with an index."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.remote_files import LocalCopies
from gpt2_helpers.data.token_shards import (
    TokenIndex,
    parse_index,
    read_token_dataset,
    shard_paths,
)
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.system.files import drain
from sharded_tokens import write_shards
from toy import toy_tokenizer


def write(folder: Path) -> Path:
    """Three shards, with ids before the second one and after the last one."""
    return write_shards(folder, [[1, 2, 3], [4, 5], [6]], before_second=(7, 8), after=(9,))


def test_the_ids_of_all_shards_are_read_in_order(tmp_path: Path) -> None:
    index = write(tmp_path)
    ids = np.concatenate([*read_token_dataset(index, 300)])
    assert ids.tolist() == [1, 2, 3, 7, 8, 4, 5, 6, 9]
    assert parse_index(index.read_bytes(), "index").count == len(ids)


def test_a_dataset_can_be_an_index_or_a_folder_with_one(tmp_path: Path) -> None:
    index = write(tmp_path)
    for path in (index, tmp_path, f"{tmp_path}/*"):
        assert load_dataset(path, toy_tokenizer()).tokens.tolist() == [1, 2, 3, 7, 8, 4, 5, 6, 9]
    assert find_files(tmp_path) == [index]


def test_an_index_at_a_url_is_read_with_its_shards(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the package fsspec")
    write(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/", "/sharded/", recursive=True)
    try:
        dataset = load_dataset("memory://sharded/texts.tokens", toy_tokenizer())
        assert len(dataset.tokens) == 9
        with LocalCopies() as copies:
            copy = Path(str(drain(copies.resolve("memory://sharded/texts.tokens"))))
            assert all(path.is_file() for path in shard_paths(copy))
    finally:
        memory.rm("/sharded", recursive=True)


def test_a_changed_shard_is_reported(tmp_path: Path) -> None:
    index = write(tmp_path)
    np.save(tmp_path / "texts-1.npy", np.array([4, 6], "<u2"))
    with pytest.raises(DatasetError, match=r"checksum mismatch in .*texts-1\.npy"):
        list(read_token_dataset(index, 300))


def test_a_missing_shard_is_reported(tmp_path: Path) -> None:
    index = write(tmp_path)
    (tmp_path / "texts-2.npy").unlink()
    with pytest.raises(DatasetError, match=r"texts-2\.npy, a part of the dataset, cannot be read"):
        list(read_token_dataset(index, 300))


def test_ids_of_another_vocabulary_are_reported(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="another model's tokenizer"):
        list(read_token_dataset(write(tmp_path), 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is not an index"),
        ({"version": 2}, "is not an index"),
        ({"shards": 3}, "is not an index"),
        ({"after": [-1]}, "negative"),
        ({"after": [10**30]}, "too large"),
        ({"n_vocab": 10**12}, "a vocabulary of 1,000,000,000,000 tokens"),
        ({"shards": [{"file": "../a", "count": 1, "bytes": 1, "crc32c": 1, "before": []}]}, "next"),
        ({"shards": [{"file": "..", "count": 1, "bytes": 1, "crc32c": 1, "before": []}]}, "next"),
        (
            {"shards": [{"file": "\ud800", "count": 1, "bytes": 1, "crc32c": 1, "before": []}]},
            "next",
        ),
        ({"shards": [{"file": 5, "count": 1, "bytes": 1, "crc32c": 1, "before": []}]}, "next to"),
    ],
)
def test_a_damaged_index_is_rejected(change: dict[str, object], message: str) -> None:
    values = json.loads(TokenIndex(9, ()).to_json()) | change
    with pytest.raises(DatasetError, match=message):
        parse_index(json.dumps(values).encode(), "a.tokens")
    with pytest.raises(DatasetError, match="not an index"):
        parse_index(b"{", "a.tokens")


def test_a_shard_that_is_a_pipe_is_not_opened(tmp_path: Path) -> None:
    index = write(tmp_path)
    (tmp_path / "texts-1.npy").unlink()
    os.mkfifo(tmp_path / "texts-1.npy")
    with pytest.raises(DatasetError, match=r"texts-1\.npy, a part .* not a regular file"):
        list(read_token_dataset(index, 300))


def test_notes_of_an_index_are_escaped() -> None:
    content = TokenIndex(9, (), notes=("\x1b[2J\n",)).to_json()
    assert parse_index(content.encode(), "a.tokens").notes == (r"\x1b[2J\n",)
