"""Datasets at URLs: copied completely or not used at all."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pyarrow.parquet
import pytest

from faulty_server import Fault, FaultyServer, running
from gpt2_helpers.data import remote_files
from gpt2_helpers.data.dataset import iter_load, load_dataset
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.remote_files import LocalCopies, has_url, is_url
from gpt2_helpers.errors import DatasetError, DownloadError, Gpt2Error, MissingPackageError
from gpt2_helpers.system.files import drain
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
LINES = "".join(f'{{"text": "the best thing {number}"}}\n' for number in range(20_000)).encode()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which must be empty after each test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(remote_files, "_RETRY_PAUSES", (0.0, 0.0))
    return folder


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with running() as state:
        state.files["/data/posts.jsonl"] = LINES
        yield state


@pytest.fixture
def memory() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    for path in files.find(""):
        files.rm(path)


def documents(path: Any) -> int:
    return load_dataset(path, TOKENIZER).documents


def error(path: Any, kind: type[Gpt2Error] = DownloadError) -> str:
    with pytest.raises(kind) as caught:
        documents(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- HTTP


@pytest.mark.parametrize("honours_range", [True, False])
def test_a_file_over_http(server: FaultyServer, temporary: Path, honours_range: bool) -> None:
    server.honours_range = honours_range
    url = f"{server.address}/data/posts.jsonl"
    dataset = load_dataset(url, TOKENIZER)
    assert dataset.documents == 20_000
    assert dataset.sources == (url,)
    assert dataset.notes == (f"{url}: read as JSON Lines, 'text' of each record",)
    assert [*temporary.iterdir()] == []


@pytest.mark.parametrize("honours_range", [True, False])
def test_a_connection_that_is_cut_off_once_is_resumed(
    server: FaultyServer, honours_range: bool
) -> None:
    server.honours_range = honours_range
    server.faults["/data/posts.jsonl"] = [Fault(drop_after=100_000)]
    assert documents(f"{server.address}/data/posts.jsonl") == 20_000
    assert len(server.gets()) == 2


def test_nothing_is_used_if_the_connection_is_cut_off_again_and_again(
    server: FaultyServer, temporary: Path, tmp_path: Path
) -> None:
    server.always["/data/posts.jsonl"] = Fault(drop_after=0)
    server.faults["/data/posts.jsonl"] = [Fault(drop_after=100_000)]
    url = f"{server.address}/data/posts.jsonl"
    with pytest.raises(DownloadError, match="is incomplete after 3 attempts.*give its path$"):
        load_dataset(url, TOKENIZER, cache=tmp_path / "ids.npy")
    assert not (tmp_path / "ids.npy").exists()
    assert [*temporary.iterdir()] == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=404), "does not exist (HTTP 404"),
        (Fault(status=403), "was refused (HTTP 403"),
        (Fault(status=500), "the server answered 500"),
        (Fault(body=b"<!DOCTYPE html><p>Sign in"), "sent a web page (HTML)"),
        (Fault(headers={"Content-Type": "text/html"}), "sent a web page (HTML)"),
    ],
)
def test_error_pages(server: FaultyServer, temporary: Path, fault: Fault, message: str) -> None:
    server.always["/data/posts.jsonl"] = fault
    assert message in error(f"{server.address}/data/posts.jsonl")
    assert [*temporary.iterdir()] == []


def test_errors_inside_a_file_name_its_url(server: FaultyServer) -> None:
    server.files["/a.jsonl"] = b'{"text": "one"}\noops\n'
    url = f"{server.address}/a.jsonl"
    assert f"{url}, line 2: not valid JSON" in error(url, DatasetError)
    server.files["/a.csv"] = b"title,body\na,b\n"
    assert f"{server.address}/a.csv has 2 columns" in error(f"{server.address}/a.csv", DatasetError)


def test_names_in_a_query_or_with_escapes(server: FaultyServer) -> None:
    server.files["/my%20posts.csv.gz?key=1"] = gzip.compress(b"title\none\ntwo\n")
    assert documents(f"{server.address}/my%20posts.csv.gz?key=1") == 2


def test_urls_and_paths_together(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the best thing")
    url = f"{server.address}/data/posts.jsonl"
    assert documents([tmp_path / "a.txt", url]) == 20_001
    assert documents([url, url]) == 20_000
    assert len(server.gets()) == 2


def test_validation_data_at_a_url_is_left_out_of_the_dataset(
    server: FaultyServer, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("the best thing")
    url = f"{server.address}/data/posts.jsonl"
    paths = [str(tmp_path / "a.txt"), url]
    dataset = load_dataset(paths, TOKENIZER, validation=url)
    assert dataset.documents == 1
    assert any("validation data, so not used" in note for note in dataset.notes)
    server.requests.clear()
    assert load_dataset(paths[0], TOKENIZER, validation=url).documents == 1
    assert server.requests == []


def test_progress_is_in_bytes(server: FaultyServer) -> None:
    progress = [*iter_load(f"{server.address}/data/posts.jsonl", TOKENIZER)]
    assert progress[0].total == progress[-1].total == len(LINES)
    assert max(step.done for step in progress) == len(LINES)


# -- fsspec


def test_files_of_fsspec(memory: Any, temporary: Path) -> None:
    memory.pipe("/b/posts.jsonl", LINES)
    table = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one", "two"]}), table)
    memory.pipe("/b/more.parquet", table.getvalue())
    memory.pipe("/b/deep/a.txt", b"the best thing")
    assert documents("memory://b/posts.jsonl") == 20_000
    assert documents("memory://b/more.parquet") == 2
    assert documents("memory://b") == 20_003
    assert documents("memory://b/*.parquet") == 2
    assert documents("memory://b/**/*.txt") == 1
    dataset = load_dataset("memory://b/deep/a.txt", TOKENIZER)
    assert dataset.sources == ("memory:///b/deep/a.txt",)
    assert [*temporary.iterdir()] == []


@pytest.mark.parametrize("name", ["gone.txt", "*.csv", "gone/"])
def test_nothing_there(memory: Any, name: str) -> None:
    memory.pipe("/b/a.txt", b"text")
    assert "does not exist or matches no files" in error(f"memory://b/{name}", DatasetError)


class CutOff(io.BytesIO):
    """A file whose connection breaks off."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise ConnectionResetError("Connection reset by peer")
        return super().read(1000)


@pytest.mark.parametrize(
    ("opened", "message"),
    [
        (CutOff(LINES), "Connection reset by peer"),
        (io.BytesIO(LINES[:1000]), f"is incomplete: 1,000 of {len(LINES):,} bytes were read"),
        (io.BytesIO(b""), "is incomplete: 0 of"),
    ],
    ids=["cut off", "short", "empty"],
)
def test_a_file_is_never_used_half(
    memory: Any,
    temporary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opened: io.BytesIO,
    message: str,
) -> None:
    memory.pipe("/posts.jsonl", LINES)
    monkeypatch.setattr(type(memory), "_open", lambda *_, **__: opened)
    with pytest.raises(DownloadError) as caught:
        load_dataset("memory://posts.jsonl", TOKENIZER, cache=tmp_path / "ids.npy")
    assert message in str(caught.value)
    assert not (tmp_path / "ids.npy").exists()
    assert [*temporary.iterdir()] == []


def test_protocols_that_are_unknown_or_need_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "use a path, or a URL of https://" in error("nonsense://a.txt", DatasetError)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    message = error("s3://bucket/a.txt", MissingPackageError)
    assert message.startswith("reading s3:// needs another package")
    assert "s3fs" in message
    monkeypatch.setitem(sys.modules, "fsspec", None)
    message = error("gs://bucket/a.txt", MissingPackageError)
    assert '"gpt2-helpers[data]"' in message


# -- Paths and URLs


def test_urls_are_recognized() -> None:
    assert all(map(is_url, ["HTTPS://x/a", "s3://b", "gs://b/*.txt"]))
    assert not any(map(is_url, ["a.txt", "C:\\a", "c://a", Path("a"), None]))
    assert has_url(["a.txt", "s3://b"])
    assert not has_url(["a.txt"])
    assert not has_url(None)


def test_paths_are_not_copied(tmp_path: Path) -> None:
    with LocalCopies() as copies:
        assert drain(copies.resolve(tmp_path)) == tmp_path
        assert drain(copies.resolve([tmp_path, "a.txt"])) == [tmp_path, "a.txt"]
    with pytest.raises(DatasetError, match="is a URL, which is not supported here"):
        find_files("https://example.org/a.txt")
