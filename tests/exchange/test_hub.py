"""Downloads from and uploads to the Hub, with huggingface-hub against a local server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2_helpers.errors import DownloadError, MissingPackageError, OptionError
from gpt2_helpers.exchange import hub
from gpt2_helpers.exchange.hub import HubRepository
from hub_stand_in import HubStandIn, running_hub, use_hub
from hugging_face import write_own_model

pytest.importorskip("huggingface_hub")


@pytest.fixture(scope="module")
def server() -> Iterator[HubStandIn]:
    with running_hub() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(server: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_hub(server, monkeypatch, tmp_path / "cache")
    server.repositories.clear()
    server.private.clear()
    server.paths.clear()


def test_addresses() -> None:
    assert HubRepository.parse("hf://gpt2") == HubRepository("gpt2")
    assert HubRepository.parse("hf://a/b.c-d@x/y") == HubRepository("a/b.c-d", "x/y")
    for wrong in ("hf://", "hf://a/b/c", "hf://../x", "hf://a b", "https://x/y", "hf://a/b@"):
        with pytest.raises(OptionError, match="a repository must be hf://owner/name"):
            HubRepository.parse(wrong)


def test_an_uploaded_model_is_downloaded(server: HubStandIn, tmp_path: Path) -> None:
    write_own_model(tmp_path / "model")
    url = hub.upload(tmp_path / "model", "hf://me/mine")
    assert url == f"{server.address}/me/mine"
    expected = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert server.repositories["me/mine"].items() >= expected.items()
    assert "me/mine" not in server.private

    server.repositories["me/mine"] |= {"pytorch_model.bin": b"pickle", "run.py": b"import os"}
    folder = hub.download("hf://me/mine")
    downloaded = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert downloaded == {n: c for n, c in expected.items() if n != "README.md"}
    assert not any("pytorch_model" in path for path in server.paths)


def test_a_private_repository_needs_a_token(
    server: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_own_model(tmp_path / "model")
    hub.upload(tmp_path / "model", "hf://me/secret", private=True)
    assert "me/secret" in server.private
    assert (hub.download("hf://me/secret") / "config.json").is_file()
    monkeypatch.setenv("HF_TOKEN", "other-token")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DownloadError, match="does not exist, or it is private"):
        hub.download("hf://me/secret")


def test_a_refused_upload_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own_model(tmp_path / "model")
    monkeypatch.setenv("HF_TOKEN", "read-token")
    with pytest.raises(DownloadError, match=r"cannot be uploaded to hf://me/mine: .*HF_TOKEN"):
        hub.upload(tmp_path / "model", "hf://me/mine")


def test_missing_repositories_and_revisions_are_reported(server: HubStandIn) -> None:
    with pytest.raises(
        DownloadError, match="hf://me/nothing cannot be downloaded: the repository does not exist"
    ):
        hub.download("hf://me/nothing")
    server.repositories["me/mine"] = {"config.json": b"{}"}
    with pytest.raises(DownloadError, match="the revision does not exist"):
        hub.download("hf://me/mine@v7")


def test_an_unreachable_hub_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="hf://me/mine cannot be downloaded: "):
        hub.download("hf://me/mine")
    with pytest.raises(DownloadError, match="cannot be uploaded to hf://me/mine: "):
        hub.upload(tmp_path, "hf://me/mine")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match=r"gpt2-helpers\[hub\]"):
        hub.download("hf://me/mine")
