"""The button that downloads a run as one file."""

from __future__ import annotations

import tarfile
from pathlib import Path

import ipywidgets as widgets
import pytest

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.forms.run_download import run_download
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.google import colab
from gpt2_helpers.google.run_archive import unpack
from gpt2_helpers.system.files import drain
from toy_runs import save_run
from widget_texts import button, parts, words

ARCHIVE = Path("checkpoint_run1.tar")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 0.0)


def download(box: widgets.VBox) -> None:
    button(box, "Download run1 (one file)").click()


def test_the_file_has_the_run_and_can_be_unpacked() -> None:
    save_run(step=4)
    box = run_download("checkpoint/run1")
    download(box)
    assert "checkpoint_run1.tar, " in words(box)
    with tarfile.open(ARCHIVE) as archive:
        assert "checkpoint/run1/model-4.index" in archive.getnames()
    drain(unpack(ARCHIVE, RunFolder("elsewhere", "run1")))
    assert RunFolder("elsewhere", "run1").read().step == 4


def test_the_optimizer_state_is_included_on_request() -> None:
    save_run(step=4)
    for path in Path("checkpoint/run1").glob("model-4.*"):
        path.with_name(path.name.replace("model", "optimizer")).write_bytes(path.read_bytes())
    box = run_download("checkpoint/run1")
    download(box)
    small = ARCHIVE.stat().st_size
    (choice,) = [part for part in parts(box) if isinstance(part, widgets.Checkbox)]
    choice.value = True
    download(box)
    assert ARCHIVE.stat().st_size > 1.5 * small
    assert not Path("checkpoint_run1.before.tar").exists(), "the earlier download is replaced"


def test_in_colab_the_browser_saves_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Path] = []
    monkeypatch.setattr(colab, "in_colab", lambda: True)
    monkeypatch.setattr(colab, "download_file", sent.append)
    save_run(step=4)
    download(run_download("checkpoint/run1"))
    assert sent == [ARCHIVE]


def test_a_missing_run_is_an_error_beside_the_button() -> None:
    box = run_download("checkpoint/run1")
    download(box)
    assert "no run 'run1'" in words(box)
    assert not ARCHIVE.exists()
