"""The button that makes a site of the loaded model."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from gpt2_helpers.forms.site_export import export_site
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.google import colab
from gpt2_helpers.session import Session
from toy_runs import save_run
from widget_texts import button, words

pytest.importorskip("onnx", reason="needs pip install onnx")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 0.0)


def test_the_zip_has_the_site_of_a_run() -> None:
    save_run(step=4)
    session = Session()
    session.load_run("run1")
    box = export_site(session, runtime="cdn")
    button(box, "Make a web site of run1").click()
    shown = words(box)
    assert "site-run1.zip, " in shown
    assert "with GitHub Desktop or git" in shown  # some files are too large for the browser
    assert "choose the branch and its top folder" in shown
    with zipfile.ZipFile("site-run1.zip") as packed:
        names = set(packed.namelist())
        site = json.loads(packed.read("site.json"))
    assert {"index.html", "sw.js", "model/model.onnx", ".nojekyll"} <= names
    assert site["info"]["name"] == "run1"
    assert names == {
        path.relative_to("site-run1").as_posix()
        for path in Path("site-run1").rglob("*")
        if path.is_file()
    }


def test_the_checkpoint_that_was_loaded_is_exported() -> None:
    for step in (4, 8):
        save_run(step=step)
    session = Session()
    session.load_run("run1", checkpoint="model-4")
    box = export_site(session, runtime="cdn")
    button(box, "Make a web site of run1").click()
    site = json.loads(Path("site-run1/site.json").read_text(encoding="utf-8"))
    assert (site["model"]["step"], site["info"]["steps"]) == (4, 4)


def test_in_colab_the_browser_saves_the_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Path] = []
    monkeypatch.setattr(colab, "in_colab", lambda: True)
    monkeypatch.setattr(colab, "download_file", sent.append)
    session = Session()
    session.load_pretrained("tiny")
    box = export_site(session, runtime="cdn")
    button(box, "Make a web site of tiny").click()
    assert sent == [Path("site-tiny.zip")]


def test_what_is_missing_is_shown(tmp_path: Path) -> None:
    session = Session()
    session.load_pretrained("tiny")
    box = export_site(session, runtime=str(tmp_path / "nothing"))
    button(box, "Make a web site of tiny").click()
    assert "set runtime to the folder of onnxruntime-web" in words(box)
    assert not Path("site-tiny.zip").exists()


def test_a_session_without_a_model_is_an_error() -> None:
    with pytest.raises(NotebookError, match="the session has no model"):
        export_site(Session())
