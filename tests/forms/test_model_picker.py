"""The model form: the list, the default, and loading and serving a model."""

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
from gpt2_helpers.google.drive_backup import copy_run_to_drive
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
    """The displayed widgets."""
    shown: list[Any] = []
    monkeypatch.setattr(model_picker, "display", shown.append)
    return shown


@pytest.fixture
def runs() -> None:
    """Two runs: old with 2 steps, and <new> with 3."""
    write_model()
    write_text()
    for name, steps in (("old", 2), ("<new>", 3)):
        train(run_name=name, steps=steps)
    for path in Path("checkpoint/old").glob("model-*.index"):
        os.utime(path, (1.6e9, 1.6e9))


def labels(form: ModelForm) -> list[str]:
    return [shown for shown, _ in form._list.options]


def test_without_runs_the_bundled_model_is_selected() -> None:
    form = ModelForm()
    assert form.choice.name == "tiny"
    assert [choice.name for choice in form._choices()] == ["tiny", "124M", "355M", "774M", "1558M"]
    assert "124M: pretrained GPT-2 (0.5 GB download)" in labels(form)


@pytest.mark.usefixtures("runs")
def test_the_newest_run_is_first_and_selected() -> None:
    form = ModelForm()
    new, old, toy, *_ = labels(form)
    assert new.startswith("<new>: step 3, loss ")
    assert old.startswith("old: step 2, loss ")
    assert " Sep 2020 " in old
    assert toy == "toy: model in models"
    assert form.choice.name == "<new>"


@pytest.mark.usefixtures("runs")
def test_the_second_model_is_what_the_run_was_finetuned_from() -> None:
    run, pretrained = Session(), Session()
    run.load_run("old")
    assert ModelForm(compare_with=run).choice.name == "toy"
    pretrained.load_pretrained("toy")
    assert ModelForm(compare_with=pretrained).choice.name == "<new>"
    assert ModelForm(compare_with=Session()).choice.name == "<new>"


def test_the_second_model_differs_from_a_pretrained_one_and_is_here() -> None:
    write_model()
    session = Session()
    session.load_pretrained("toy")
    assert ModelForm(compare_with=session).choice.name == "tiny"
    session._loaded.model_name = "tiny"
    assert ModelForm(compare_with=session).choice.name == "toy"


@pytest.mark.usefixtures("runs")
def test_variables_select_a_run_or_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_MODEL_NAME", "tiny")
    assert ModelForm().choice.name == "tiny"
    monkeypatch.setenv("GPT2_RUN_NAME", "old")
    assert ModelForm().choice.name == "old"
    monkeypatch.setenv("GPT2_RUN_NAME", "gone")
    assert ModelForm().choice.name == "tiny"
    monkeypatch.delenv("GPT2_MODEL_NAME")
    form = ModelForm()
    assert form.choice.name == "<new>"
    assert "Not found: gone. Choose from the list." in words(form.widget)


@pytest.mark.usefixtures("runs")
def test_each_form_has_its_own_session(page: list[Any]) -> None:
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
    assert (
        "<new> is loaded, 12,288 parameters; generation needs about 1 MB of memory; this " in first
    )
    assert "toy is loaded, " in second


@pytest.mark.usefixtures("runs")
def test_a_model_loaded_by_the_button_is_not_loaded_again(page: list[Any]) -> None:
    form = ModelForm()
    button(form.widget, "Load").click()
    assert "<new> is loaded" in words(form.widget)
    sess = form.run()
    assert page == []
    assert sess.run_name == "<new>"
    assert form.run() is sess
    assert len(page) == 1  # loaded again, since the run may have been trained further
    button(form.widget, "Load").click()
    form.choose("old")
    assert "is loaded" not in words(form.widget)
    assert form.run().run_name == "old"


@pytest.mark.usefixtures("runs")
def test_refresh_lists_new_runs_and_steps() -> None:
    form = ModelForm()
    form.choose("old")
    train(run_name="old", steps=2)
    train(run_name="third")
    button(form.widget, "Refresh").click()
    assert labels(form)[0].startswith("third: step 4")
    assert form.choice.name == "old"
    assert "old: step 4" in form.choice.label


@pytest.mark.usefixtures("runs")
def test_the_chosen_model_is_served(page: list[Any]) -> None:
    form = ModelForm()
    for name in ("<new>", "toy"):
        form.choose(name)
        served = form.serve(batch_size=2)
        about = httpx.get(f"{served.url}api/model", timeout=120).json()
        assert about["name"] == name
    served.stop()
    assert all("Loading" not in words(widget) for widget in page)


@pytest.mark.usefixtures("page")
def test_an_invalid_server_option_is_an_error() -> None:
    with pytest.raises(NotebookError, match="no option 'prot'"):
        ModelForm().serve(prot=3)


@pytest.mark.usefixtures("runs")
def test_a_run_on_drive_is_copied(
    page: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drive").mkdir()
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "drive"))
    drain(copy_run_to_drive("old"))
    form = ModelForm("elsewhere")
    assert labels(form)[0].startswith("old: step 2, ")
    assert labels(form)[0].endswith(", on Google Drive")
    assert form.run().run_folder == Path("elsewhere/old")
    assert "old is loaded" in words(page[0])
    assert "resuming old from Google Drive, step 2" in words(form.widget)


@pytest.mark.usefixtures("runs")
def test_a_broken_run_is_reported_in_the_cell_and_in_the_form(page: list[Any]) -> None:
    form = ModelForm()
    Path("checkpoint/<new>/hparams.json").write_text("{")
    with pytest.raises(Gpt2Error, match="hparams.json cannot be read") as caught:
        form.run()
    assert hasattr(caught.value, "_render_traceback_")
    assert words(page[0]).strip() == ""
    button(form.widget, "Load").click()
    assert "hparams.json cannot be read" in words(form.widget)


def test_an_unknown_name_is_an_error_with_the_known_names() -> None:
    with pytest.raises(Gpt2Error, match="no run or model named 'run7': choose one of tiny, 124M"):
        ModelForm().choose("run7")


@pytest.mark.usefixtures("runs")
def test_a_pretrained_model_can_be_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_RUN_NAME", "old")
    assert ModelForm().choice.name == "old"
    form = ModelForm(pretrained=True)
    assert form.choice.name == "tiny"
    assert [choice.name for choice in form._choices()][:2] == ["<new>", "old"]


@pytest.mark.usefixtures("runs")
def test_the_memory_of_the_loaded_model_counts_as_available(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_picker, "memory_size", lambda count: f"{count} bytes")
    monkeypatch.setattr(device, "free_main_memory", lambda: 1_000_000)
    ModelForm().run()
    weights = 2 * 12_288 + 4 * 324 * 16  # programs in 8 bits, and the embeddings
    assert f"this machine has {1_000_000 + weights} bytes available" in words(page[0])


@pytest.mark.usefixtures("runs")
def test_warnings_about_drive_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def saved_runs(_place: Path, on_message: Any) -> list[Any]:
        on_message("Warning: Drive is asleep")
        return []

    monkeypatch.setattr("gpt2_helpers.google.drive_backup.saved_runs", saved_runs)
    assert "Drive is asleep" in words(ModelForm().widget)
