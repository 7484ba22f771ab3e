"""The runtime of a static site: where its files are found, and that they are the pinned ones."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from gpt2_helpers.errors import DownloadError, OptionError
from gpt2_helpers.web import browser_runtime
from gpt2_helpers.web.browser_runtime import CDN, PACKAGE, VERSION, RuntimeFile, add_runtime

CONTENT = {"ort.mjs": b"export {};", "ort.wasm": b"\0asm"}


@pytest.fixture(autouse=True)
def small_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two small files in place of the pinned ones; and a current folder without node_modules."""
    module, binary = (
        RuntimeFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    )
    builds = {"wasm": {"module": module, "binary": binary}}
    monkeypatch.setattr(browser_runtime, "BUILDS", builds)
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path)


def write_package(folder: Path) -> Path:
    (folder / "dist").mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / "dist" / name).write_bytes(content)
    return folder


def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


def check_copies(tmp_path: Path) -> None:
    folder = tmp_path / "site" / "runtime"
    assert (folder / "ort.js").read_bytes() == CONTENT["ort.mjs"]
    assert (folder / "ort.wasm").read_bytes() == CONTENT["ort.wasm"]


def test_a_named_folder_is_copied(tmp_path: Path) -> None:
    package = write_package(tmp_path / "package")
    described = add_runtime(tmp_path / "site", str(package))
    check_copies(tmp_path)
    assert described["folder"] == "runtime/"
    assert described["builds"]["wasm"]["module"] == {
        "name": "ort.js",
        "size": 10,
        "sha256": hashlib.sha256(CONTENT["ort.mjs"]).hexdigest(),
    }
    add_runtime(tmp_path / "site", str(package / "dist"))  # again, from the folder of the files


def test_a_cdn_replaces_the_files_of_an_earlier_export(tmp_path: Path) -> None:
    add_runtime(tmp_path / "site", str(write_package(tmp_path / "package")))
    (tmp_path / "site" / "runtime" / "own.txt").touch()
    assert add_runtime(tmp_path / "site", "cdn")["folder"] == CDN
    assert [path.name for path in (tmp_path / "site" / "runtime").iterdir()] == ["own.txt"]


def test_node_modules_are_found_in_a_folder_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path / "node_modules" / PACKAGE)
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    add_runtime(tmp_path / "site")
    check_copies(tmp_path)


def test_a_cdn_keeps_the_files(tmp_path: Path) -> None:
    described = add_runtime(tmp_path / "site", "cdn")
    assert described["folder"] == CDN
    assert f"@{VERSION}/" in CDN
    assert described["builds"]["wasm"]["module"]["name"] == "ort.mjs"
    assert not list((tmp_path / "site").iterdir())


def test_npm_fetches_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write_package(tmp_path / "package")
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as archive:
        archive.add(package, "package")
    fake_npm(
        tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/packed.tar.gz a.tgz'
    )
    messages: list[str] = []
    add_runtime(tmp_path / "site", None, messages.append)
    check_copies(tmp_path)
    assert f"pack {PACKAGE}@{VERSION}" in (tmp_path / "asked").read_text()
    assert len(messages) == 1


def test_errors_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"nowhere has no ort\.mjs: set runtime to the folder of"):
        add_runtime(tmp_path / "site", str(tmp_path / "nowhere"))
    package = write_package(tmp_path / "package")
    (package / "dist" / "ort.wasm").write_bytes(b"other")
    with pytest.raises(OptionError, match=f"is not that of {PACKAGE} {VERSION}: `npm install"):
        add_runtime(tmp_path / "site", str(package))
    fake_npm(tmp_path, monkeypatch, "echo no network >&2; exit 1")
    with pytest.raises(DownloadError, match=r"\(no network\): install Node\.js, or set runtime to"):
        add_runtime(tmp_path / "site")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DownloadError, match="npm, which is not installed"):
        add_runtime(tmp_path / "site")
