"""Files of jobs at paths and URLs."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from gpt2_helpers.beam.storage import (
    delete,
    file_size,
    find_inputs,
    local_folder,
    open_read,
    read_file,
    write_bytes,
    write_file,
)
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, OptionError


@pytest.fixture(params=["local", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A path, or a URL in memory, of a file that does not exist."""
    if request.param == "local":
        return str(tmp_path / "new" / "a.txt")
    pytest.importorskip("fsspec", reason="needs the package fsspec")
    return f"memory://{tmp_path.name}/new/a.txt"


def test_a_file_is_written_read_and_deleted(path: str) -> None:
    assert read_file(path) is None
    assert file_size(path) is None
    write_bytes(path, b"abcdef")
    assert (read_file(path), file_size(path)) == (b"abcdef", 6)
    with open_read(path) as file:
        file.seek(2)
        assert file.read(2) == b"cd"
    delete(path)
    delete(path)
    assert read_file(path) is None


def test_a_file_that_fails_keeps_its_content(path: str) -> None:
    write_bytes(path, b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyError("later")

    with pytest.raises(KeyError):
        write_file(path, fail)
    assert read_file(path) == b"old"


def test_inputs_have_sizes_and_versions(path: str) -> None:
    write_bytes(path, b"abc")
    folder = path.rpartition("/")[0]
    for dataset in (path, folder, f"{folder}/*.txt", [path, path]):
        ((found, size, _),) = find_inputs(dataset, ReadReport(), DatasetConfig())
        assert found.endswith("/new/a.txt")
        assert size == 3


def test_a_remote_folder_is_copied(path: str) -> None:
    write_bytes(path, b"abc")
    root = path.rpartition("/new/")[0]
    with local_folder(root, "new") as folder:
        assert (folder / "new" / "a.txt").read_bytes() == b"abc"


def test_a_missing_remote_folder_is_reported() -> None:
    pytest.importorskip("fsspec", reason="needs the package fsspec")
    with pytest.raises(DatasetError, match="contains no files"), local_folder("memory://no", "run"):
        pass


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot be written"):
        write_bytes(str(tmp_path / "file" / "a"), b"")


def test_web_servers_are_rejected_as_input() -> None:
    with pytest.raises(DatasetError, match="web servers list no sizes"):
        find_inputs("https://127.0.0.1/a.txt", ReadReport(), DatasetConfig())


def test_a_link_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("title\nWhy\n", encoding="utf-8")
    (tmp_path / "titles.csv").symlink_to(tmp_path / "blob")  # as Hugging Face's cache has them
    ((found, _, _),) = find_inputs(str(tmp_path / "titles.csv"), ReadReport(), DatasetConfig())
    assert found == str(tmp_path / "titles.csv")


def test_an_unreadable_path_is_reported(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatasetError, match=r"folder cannot be read \(Is a directory\): check"):
        read_file(str(tmp_path / "folder"))
    with pytest.raises(OptionError, match="folder cannot be deleted"):
        delete(str(tmp_path / "folder"))
    missing = str(tmp_path / "missing")
    with pytest.raises(DatasetError, match="missing does not exist"), open_read(missing):
        pass


def test_errors_of_a_protocol_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = pytest.importorskip("fsspec.implementations.memory", reason="needs fsspec")

    class NoCredentialsError(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise NoCredentialsError("Unable to locate credentials")

    for name in ("open", "info", "exists", "find"):
        monkeypatch.setattr(memory.MemoryFileSystem, name, fail)
    url = "memory://bucket/a.txt"
    for action in (read_file, file_size):
        with pytest.raises(DatasetError, match=f"{url} cannot be read .Unable to locate credent"):
            action(url)
    with pytest.raises(OptionError, match="cannot be deleted .Unable to locate"):
        delete(url)
    with pytest.raises(DatasetError, match="Unable to loc"), local_folder("memory://bucket", "a"):
        pass


def test_an_error_of_what_writes_is_not_hidden(path: str) -> None:
    with pytest.raises(ZeroDivisionError):
        write_file(path, lambda _: 1 / 0)
