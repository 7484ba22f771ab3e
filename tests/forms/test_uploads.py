"""Uploads and downloads: safe names, and no file is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faulty_server import Fault, running
from gpt2_helpers.errors import DownloadError
from gpt2_helpers.forms.uploads import (
    download_into,
    is_web_address,
    save_upload,
    uploaded_files,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_upload_does_not_replace_another_file(folder: Path) -> None:
    (folder / "a.b.txt").write_bytes(b"mine")
    contents = (b"yours", b"theirs", b"yours", b"mine")
    names = [save_upload("a.b.txt", content, folder).name for content in contents]
    assert names == ["a.b-2.txt", "a.b-3.txt", "a.b-2.txt", "a.b.txt"]
    assert (folder / "a.b.txt").read_bytes() == b"mine"
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "name", ["../a.txt", "/etc/passwd", "..", "C:\\x\\a.txt", "~/.ssh", "a\0b"]
)
def test_an_upload_stays_in_its_folder(name: str, folder: Path) -> None:
    saved = save_upload(name, b"text", folder)
    assert saved.parent == folder
    assert saved.read_bytes() == b"text"
    assert not saved.name.startswith((".", "~"))


def test_long_names_are_truncated(folder: Path) -> None:
    assert save_upload("x" * 400 + ".txt", b"text", folder).suffix == ".txt"


def test_upload_values_of_ipywidgets_7_and_8() -> None:
    content: Any = memoryview(b"text")
    seven = {"a.txt": {"metadata": {"name": "a.txt", "size": 4}, "content": b"text"}}
    eight = ({"name": "a.txt", "type": "text/plain", "size": 4, "content": content},)
    assert uploaded_files(seven) == uploaded_files(eight) == [("a.txt", b"text")]
    assert uploaded_files({}) == uploaded_files(()) == []


def test_a_web_page_is_an_error(folder: Path) -> None:
    with running() as server:
        server.files["/a.txt"] = b"text"
        server.always["/a.txt"] = Fault(body=b"<!DOCTYPE html><p>Sign in")
        with pytest.raises(DownloadError, match="web page.*Raw"):
            download_into(f"{server.address}/a.txt", folder)
    assert not (folder / "a.txt").exists()


def test_a_missing_url_is_an_error(folder: Path) -> None:
    with running() as server, pytest.raises(DownloadError, match="404.*upload it here"):
        download_into(f"{server.address}/a.txt", folder)
    assert list(folder.iterdir()) == []


def test_a_download_does_not_replace_another_file(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"mine")
    with running() as server:
        server.files["/a.txt"] = b"theirs"
        assert download_into(f"{server.address}/a.txt", folder).name == "a-2.txt"
        assert download_into(f"{server.address}/a.txt", folder).name == "a-2.txt"
    assert (folder / "a.txt").read_bytes() == b"mine"


def test_only_http_addresses_are_web_addresses() -> None:
    assert is_web_address("HTTPS://example.org/a.txt")
    assert not is_web_address("a.txt")
    assert not is_web_address("ftp://example.org/a.txt")
