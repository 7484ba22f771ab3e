"""Run names that the finetuning form proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.config import RunConfig
from gpt2_helpers.forms.run_names import existing_run_note, new_name_note, propose_name
from toy_runs import save_run, write_text


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("Moby Dick.txt", "moby-dick"),
        ("texts", "texts"),
        ("texts/*.txt", "texts"),
        ("https://example.com/a/War%20and%20Peace.txt?x=1", "war-and-peace"),
        ("Война и мир.txt", "война-и-мир"),
        ("---.txt", "run"),
        ("a" * 100 + ".txt", "a" * 40),
    ],
)
def test_a_name_is_made_from_the_file_name(dataset: str, name: str) -> None:
    save_run(dataset="old.txt")
    Path("texts").mkdir()
    assert propose_name(RunConfig(), dataset) == name


def test_no_name_is_proposed_without_a_run_on_another_text() -> None:
    assert propose_name(RunConfig(), "new.txt") is None  # no run
    save_run(dataset="new.txt")
    save_run("old")  # its dataset is unknown, as for a run of gpt-2-simple
    assert propose_name(RunConfig(), "new.txt") is None
    assert propose_name(RunConfig(), "https://example.com/new.txt") is None
    assert propose_name(RunConfig(run_name="old"), "new.txt") is None


def test_a_run_of_the_same_text_is_proposed_and_one_of_another_text_is_not() -> None:
    save_run(dataset="old.txt")
    save_run("new", dataset="elsewhere/new.txt")
    write_text("new.txt")
    Path("elsewhere").mkdir()
    write_text("elsewhere/new.txt")
    assert propose_name(RunConfig(), "new.txt") == "new-2"
    assert propose_name(RunConfig(), "elsewhere/new.txt") == "new"


def test_notes_name_both_texts() -> None:
    save_run(dataset="texts/old.txt")
    note = new_name_note(RunConfig(), "new", "new.txt")
    assert note == "run1 was trained on old.txt and stays as it is; new is the run for new.txt."
    note = existing_run_note(RunConfig(model_name="toy"), "new.txt")
    assert note == (
        "The run run1 exists: 4 steps, from toy, on old.txt. Training resumes it on another text, "
        "new.txt; choose another name to start a new run."
    )
    assert existing_run_note(RunConfig(run_name="new"), "new.txt") == ""
