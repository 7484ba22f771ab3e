"""Choosing what writes: which models are offered, which is chosen, and what loading it gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tensorflow as tf

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.forms import model_picker
from gpt2_helpers.forms.model_picker import ModelForm
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.google.drive_backup import run_to_drive
from gpt2_helpers.session import Session
from gpt2_helpers.system import device
from gpt2_helpers.system.files import drain
from toy_runs import train, write_model, write_text
from widget_texts import button, words


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", -1.0)
    for name in ("GPT2_RUN_NAME", "GPT2_MODEL_NAME", "GPT2_DRIVE_MOUNT", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What cells displayed."""
    shown: list[Any] = []
    monkeypatch.setattr(model_picker, "display", shown.append)
    return shown


@pytest.fixture
def runs() -> None:
    """Two runs: old of 2 steps and <new> of 3."""
    write_model()
    write_text()
    for name, steps in (("old", 2), ("<new>", 3)):
        train(run_name=name, steps=steps)
    for path in Path("checkpoint/old").glob("model-*.index"):
        os.utime(path, (1.6e9, 1.6e9))


def offered(form: ModelForm) -> list[str]:
    return [shown for shown, _ in form._list.options]


def test_without_runs_the_bundled_model_is_chosen_and_all_sizes_are_offered() -> None:
    form = ModelForm()
    assert form.choice.name == "tiny"
    assert [choice.name for choice in form._choices()] == ["tiny", "124M", "355M", "774M", "1558M"]
    assert "124M, GPT-2 without finetuning (is downloaded first, 0.5 GB)" in offered(form)


@pytest.mark.usefixtures("runs")
def test_the_newest_run_stands_first_and_is_chosen() -> None:
    form = ModelForm()
    new, old, toy, *_ = offered(form)
    assert new.startswith("<new>: step 3, loss ")
    assert old.startswith("old: step 2, loss ")
    assert " Sep 2020 " in old
    assert toy == "toy, in models"
    assert form.choice.name == "<new>"


@pytest.mark.usefixtures("runs")
def test_variables_choose_a_run_or_else_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_MODEL_NAME", "tiny")
    assert ModelForm().choice.name == "tiny"
    monkeypatch.setenv("GPT2_RUN_NAME", "old")
    assert ModelForm().choice.name == "old"
    monkeypatch.setenv("GPT2_RUN_NAME", "gone")
    assert ModelForm().choice.name == "tiny"
    monkeypatch.delenv("GPT2_MODEL_NAME")
    form = ModelForm()
    assert form.choice.name == "<new>"
    assert "There is no gone here: choose from the list." in words(form.widget)


@pytest.mark.usefixtures("runs")
def test_a_form_has_one_session_and_another_form_one_beside_it(page: list[Any]) -> None:
    form = ModelForm()
    new = form.run()
    assert new.run_name == "<new>"
    other = ModelForm()
    other.choose("toy")
    toy = other.run()
    assert [new.run_name, new.is_loaded] == ["<new>", True]
    assert (toy.run_name, toy.model_name) == (None, "toy")
    form.choose("toy")
    assert form.run() is new
    assert [new.run_name, new.model_name] == [None, "toy"]
    mine = Session()
    assert form.run(mine) is mine
    assert mine.model_name == "toy"
    first, second, *_ = (words(widget) for widget in page)
    assert "<new> is loaded, 12,288 weights; it writes in about 0.0 GB of memory; this " in first
    assert "toy is loaded, " in second


@pytest.mark.usefixtures("runs")
def test_what_the_button_has_loaded_is_not_loaded_again(page: list[Any]) -> None:
    form = ModelForm()
    button(form.widget, "Load").click()
    assert "<new> is loaded" in words(form.widget)
    sess = form.run()
    assert page == []
    assert sess.run_name == "<new>"
    assert form.run() is sess
    assert len(page) == 1  # that has loaded it anew, since it may have been trained further
    button(form.widget, "Load").click()
    form.choose("old")
    assert "is loaded" not in words(form.widget)
    assert form.run().run_name == "old"


@pytest.mark.usefixtures("runs")
def test_what_came_since_is_seen_after_another_look() -> None:
    form = ModelForm()
    form.choose("old")
    train(run_name="old", steps=2)
    train(run_name="third")
    button(form.widget, "Look again").click()
    assert offered(form)[0].startswith("third: step 4")
    assert form.choice.name == "old"
    assert "old: step 4" in form.choice.shown


@pytest.mark.usefixtures("runs")
def test_what_is_chosen_is_served_on_a_page(page: list[Any]) -> None:
    form = ModelForm()
    for name in ("<new>", "toy"):
        form.choose(name)
        served = form.serve(batch_size=2)
        about = httpx.get(f"{served.url}api/model", timeout=20).json()
        assert about["name"] == name
    served.stop()
    assert all("Loading" not in words(widget) for widget in page)


@pytest.mark.usefixtures("page")
def test_what_cannot_be_served_ends_the_cell_in_a_sentence() -> None:
    with pytest.raises(NotebookError, match="no option 'prot'"):
        ModelForm().serve(prot=3)


@pytest.mark.usefixtures("runs")
def test_a_run_on_drive_is_copied_here(
    page: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drive").mkdir()
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "drive"))
    drain(run_to_drive("old"))
    form = ModelForm("elsewhere")
    assert offered(form)[0].startswith("old: step 2, ")
    assert offered(form)[0].endswith(", on Google Drive")
    assert form.run().run_folder == Path("elsewhere/old")
    assert "old is loaded" in words(page[0])
    assert "going on with old from Google Drive, step 2" in words(form.widget)


@pytest.mark.usefixtures("runs")
def test_a_broken_run_stops_the_cell_with_a_sentence_and_shows_in_the_form(page: list[Any]) -> None:
    form = ModelForm()
    Path("checkpoint/<new>/hparams.json").write_text("{")
    with pytest.raises(Gpt2Error, match="hparams.json cannot be read") as caught:
        form.run()
    assert hasattr(caught.value, "_render_traceback_")
    assert words(page[0]).strip() == ""
    button(form.widget, "Load").click()
    assert "hparams.json cannot be read" in words(form.widget)


def test_an_unknown_name_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(Gpt2Error, match="no run and no model 'run7': there are tiny, 124M"):
        ModelForm().choose("run7")


@pytest.mark.usefixtures("runs")
def test_a_pretrained_model_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_RUN_NAME", "old")
    assert ModelForm().choice.name == "old"
    form = ModelForm(pretrained=True)
    assert form.choice.name == "tiny"
    assert [choice.name for choice in form._choices()][:2] == ["<new>", "old"]


@pytest.mark.usefixtures("runs")
def test_the_weights_that_are_loaded_count_as_room_for_the_model(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_picker, "GB", 1000)
    monkeypatch.setattr(device, "free_main_memory", lambda: 1_000_000)
    ModelForm().run()
    weights = 2 * 12_288 + 4 * 324 * 16  # programs in 8 bits, and the embeddings
    assert f"this machine has {(1_000_000 + weights) / 1000:,.1f} GB for it" in words(page[0])


@pytest.mark.usefixtures("runs")
def test_what_drive_does_not_hand_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def saved_runs(_place: Path, note: Any) -> list[Any]:
        note("Warning: Drive is asleep")
        return []

    monkeypatch.setattr("gpt2_helpers.google.drive_backup.saved_runs", saved_runs)
    assert "Drive is asleep" in words(ModelForm().widget)
