"""The functions of google.colab, with a fake of the same signatures, and their errors elsewhere."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.errors import DriveError, Gpt2Error
from gpt2_helpers.google import colab
from paths import FAKES

REQUIRED = inspect.Parameter.empty

# The signatures of google.colab's functions in Colab, August 2026.
GOOGLE_COLAB: dict[str, dict[str, Any]] = {
    "drive.mount": {
        "mountpoint": REQUIRED,
        "force_remount": False,
        "timeout_ms": 120000,
        "readonly": False,
    },
    "drive.flush_and_unmount": {"timeout_ms": 86400000},
    "files.upload": {"target_dir": ""},
    "files.download": {"filename": REQUIRED},
    "userdata.get": {"key": REQUIRED},
    "auth.authenticate_user": {"clear_output": True, "project_id": None},
    "runtime.unassign": {},
}


@pytest.mark.usefixtures("fake_colab")
@pytest.mark.parametrize("call", GOOGLE_COLAB)
def test_the_fake_has_the_real_signatures(call: str) -> None:
    module, name = call.split(".")
    parameters = inspect.signature(
        getattr(importlib.import_module(f"google.colab.{module}"), name)
    ).parameters
    actual = [(parameter, value.default) for parameter, value in parameters.items()]
    assert actual == list(GOOGLE_COLAB[call].items())


def test_the_fake_does_not_hide_other_google_packages() -> None:
    pytest.importorskip("google.protobuf")
    fakes = FAKES
    script = "import google.colab.drive, google.protobuf; print(google.colab.__file__)"
    path = subprocess.check_output(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(fakes)}, text=True
    )
    assert path.strip() == str(fakes / "google" / "colab" / "__init__.py")


def test_colab_is_recognized_by_its_variable_or_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    assert not colab.in_colab()
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    assert colab.in_colab()
    monkeypatch.delitem(sys.modules, "google.colab")
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260801")
    assert colab.in_colab()


ELSEWHERE: dict[str, tuple[Callable[[], object], str]] = {
    "mount": (lambda: colab.mount_drive("/content/drive"), "local files stay where they are"),
    "unmount": (colab.unmount_drive, "nothing is mounted"),
    "download": (lambda: colab.download_file(__file__), f"the file is {__file__}"),
    "sign in": (colab.authenticate_user, "gcloud auth application-default login"),
}


@pytest.mark.parametrize("call", ELSEWHERE)
@pytest.mark.parametrize("tag", ["", "a runtime image without google.colab"])
def test_outside_colab_errors_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, call: str, tag: str
) -> None:
    monkeypatch.setenv("COLAB_RELEASE_TAG", tag)
    function, instead = ELSEWHERE[call]
    kind = DriveError if "mount" in call else Gpt2Error
    with pytest.raises(kind, match="only in Colab, and this is not Colab: ") as caught:
        function()
    assert instead in str(caught.value)


@pytest.mark.usefixtures("fake_colab")
def test_files_are_downloaded_by_the_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("titles.csv").write_bytes(b"title\n")
    monkeypatch.setenv("FAKE_COLAB_DOWNLOADS", str(tmp_path / "saved"))
    colab.download_file("titles.csv")
    assert (tmp_path / "saved" / "titles.csv").read_bytes() == b"title\n"
    with pytest.raises(Gpt2Error, match=r"texts\.txt does not exist: there is nothing"):
        colab.download_file("texts.txt")


@pytest.mark.usefixtures("fake_colab")
def test_signing_in_succeeds_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    colab.authenticate_user("my-project")
    monkeypatch.setenv("FAKE_COLAB_SIGN_IN_REFUSED", "1")
    with pytest.raises(Gpt2Error, match="credential propagation was unsuccessful.* grant the per"):
        colab.authenticate_user()


def mounting(point: Path) -> None:
    colab.mount_drive(point)


@pytest.mark.usefixtures("fake_colab")
def test_mounting_fails_like_the_real_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "full")
    for name, reason in {
        "a space": "must not contain a space",
        "full": "must not already contain files",
        "link": "must not be a symlink",
        "full/file": "must either be a directory or not exist",
    }.items():
        with pytest.raises(DriveError, match=f"mounting Google Drive failed .*{reason}"):
            mounting(tmp_path / name)
    monkeypatch.setenv("FAKE_COLAB_MOUNT_REFUSED", "1")
    with pytest.raises(DriveError, match=r"\(mount failed\): run the cell again and grant the per"):
        mounting(tmp_path / "drive")
