"""Downloading OpenAI's models and copying the bundled one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from faulty_server import FaultyServer
from gpt2_helpers import config
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.checkpoint.pretrained import download_if_missing, is_downloaded
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import DownloadError, OptionError
from model_mirror import CONTENT, DATA, NEW_DATA, contents, fetch, leftovers, mirror


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with mirror() as found:
        yield found


def test_the_seven_files_are_downloaded(server: FaultyServer, tmp_path: Path) -> None:
    assert not is_downloaded("124M", tmp_path)
    assert fetch(tmp_path) == tmp_path / "124M"
    assert contents(tmp_path / "124M") == CONTENT
    assert is_downloaded("124M", tmp_path)


def test_a_second_call_sends_no_requests(server: FaultyServer, tmp_path: Path) -> None:
    fetch(tmp_path)
    server.requests.clear()
    fetch(tmp_path)
    assert server.requests == []


def test_an_old_name_downloads_the_current_size_to_its_own_folder(
    server: FaultyServer, tmp_path: Path
) -> None:
    assert fetch(tmp_path, "117M") == tmp_path / "117M"
    assert contents(tmp_path / "117M") == CONTENT
    assert {request.path for request in server.requests} == set(server.files)


def test_a_name_of_hugging_face_downloads_the_size_to_its_usual_folder(
    server: FaultyServer, tmp_path: Path
) -> None:
    assert fetch(tmp_path, "gpt2") == tmp_path / "124M"
    assert is_downloaded("gpt2", tmp_path)
    assert is_downloaded("124M", tmp_path)
    assert model_folder("openai-community/gpt2", tmp_path) == tmp_path / "124M"
    own = shutil.copytree(tmp_path / "124M", tmp_path / "gpt2")
    assert model_folder("gpt2", tmp_path) == own  # the user's own model of that name


def test_an_unknown_name_is_rejected_before_any_request(
    server: FaultyServer, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="did you mean '124M'"):
        fetch(tmp_path, "124m")
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_only_missing_files_are_downloaded(server: FaultyServer, tmp_path: Path) -> None:
    folder = fetch(tmp_path)
    (folder / "vocab.bpe").unlink()
    server.requests.clear()
    fetch(tmp_path)
    assert [request.path for request in server.gets()] == ["/models/124M/vocab.bpe"]
    assert contents(folder) == CONTENT


@pytest.mark.parametrize("missing", [[], ["vocab.bpe"]])
def test_the_state_of_a_complete_file_is_deleted(
    server: FaultyServer, tmp_path: Path, missing: list[str]
) -> None:
    """It remains after a kill between renaming the file and deleting the state."""
    folder = fetch(tmp_path)
    for name in missing:
        (folder / name).unlink()
    (folder / "checkpoint.part.json").write_text("{}", encoding="utf-8")
    fetch(tmp_path)
    assert leftovers(folder) == []
    assert (folder / "vocab.bpe").is_file()


@pytest.mark.parametrize("mirror", ["ftp://host/models", "file:///models", "models", "http://"])
def test_the_mirror_must_be_a_web_address(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPT2_HELPERS_MIRROR", mirror)
    with pytest.raises(DownloadError, match="GPT2_HELPERS_MIRROR"):
        fetch(tmp_path)


# --- The bundled model


@pytest.fixture
def bundled(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyServer]:
    folder = tmp_path / "package" / "tiny"
    folder.mkdir(parents=True)
    for name, body in CONTENT.items():
        (folder / name).write_bytes(body)
    (folder / "README.md").write_text("how it was made")
    monkeypatch.setattr(config, "BUNDLED_FOLDER", folder)
    yield server
    assert server.requests == []


def test_tiny_is_copied_from_the_package(bundled: FaultyServer, tmp_path: Path) -> None:
    assert fetch(tmp_path / "models", "tiny") == tmp_path / "models" / "tiny"
    assert contents(tmp_path / "models" / "tiny") == CONTENT
    assert is_downloaded("tiny", tmp_path / "models")


def test_an_existing_copy_of_tiny_is_kept(bundled: FaultyServer, tmp_path: Path) -> None:
    folder = fetch(tmp_path / "models", "tiny")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    fetch(tmp_path / "models", "tiny")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_an_outdated_copy_of_tiny_is_replaced(bundled: FaultyServer, tmp_path: Path) -> None:
    folder = fetch(tmp_path / "models", "tiny")
    (folder / DATA).write_bytes(NEW_DATA)
    fetch(tmp_path / "models", "tiny")
    assert contents(folder) == CONTENT


def test_a_package_without_its_model_is_reported(bundled: FaultyServer, tmp_path: Path) -> None:
    (config.BUNDLED_FOLDER / DATA).unlink()
    with pytest.raises(DownloadError, match="reinstall gpt2-helpers"):
        fetch(tmp_path / "models", "tiny")
    assert not (tmp_path / "models").exists()


# --- Downloading a run's base model


def test_a_missing_base_model_is_downloaded_first(server: FaultyServer, tmp_path: Path) -> None:
    notes: list[str] = []
    run = RunConfig(model_name="124M", model_dir=str(tmp_path))
    download_if_missing(run, notes.append)
    assert notes == [f"124M is not in {tmp_path} yet and is downloaded first"]
    assert is_downloaded("124M", tmp_path)
    download_if_missing(run, notes.append)
    assert len(notes) == 1


def test_another_model_is_not_downloaded(server: FaultyServer, tmp_path: Path) -> None:
    download_if_missing(RunConfig(model_name="mine", model_dir=str(tmp_path)), pytest.fail)
    assert server.requests == []
