"""The output of the notebooks, run with one layer of `tiny` and fakes of Google's services.

test_browser.py runs them with the whole model. nbval (`pytest --nbval-lax --nbval-current-env
notebooks`) only checks that all cells run.
"""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bigquery_stand_in import HACKER_NEWS, REDDIT, running, sample_tables
from notebook_runner import Machine, Page, sources
from paths import FAKES, ROOT
from shallow import write_shallow

PNG = b"\x89PNG\r\n"


def new_machine(root: Path, variables: dict[str, str], path: Sequence[Path] = ()) -> Machine:
    """A machine whose form values name the model in its folder `models`."""
    machine = Machine(root, {"GPT2_MODEL_NAME": "shallow", **variables}, path)
    write_shallow(machine.folder / "models" / "shallow")
    return machine


def complete(name: str, page: Page) -> Page:
    """Check that all cells ran without an error, and return the page."""
    assert {cell: shown.error for cell, shown in page.items() if shown.error} == {}
    assert list(page) == list(sources(ROOT / "notebooks" / f"{name}.ipynb"))
    return page


def record_of(machine: Machine) -> dict[str, Any]:
    path = machine.folder / "checkpoint" / "test" / "run.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


# ------------------------------------------------------------------------------ without Drive


@dataclass
class Pages:
    """Runs in one kernel, which starts TensorFlow only once: `finetune` twice, then `generate`."""

    machine: Machine
    invalid: Page  # with GPT2_STEPS=abc
    files_after_invalid: list[str]
    pages: list[Page]
    files: set[str]
    written: Page


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    machine = new_machine(tmp_path_factory.mktemp("twice"), {})
    with machine.kernel(GPT2_STEPS="abc") as kernel:
        invalid = kernel.run("finetune")
        files = [path.name for path in machine.folder.iterdir()]
        kernel.run_cell("import os; os.environ['GPT2_STEPS'] = '10'")
        pages = [kernel.run("finetune") for _ in range(2)]
        written = {path.name for path in machine.folder.iterdir()}
        return Pages(machine, invalid, files, pages, written, kernel.run("generate"))


@pytest.mark.parametrize("time", [0, 1], ids=["first", "again"])
def test_finetune_shows_losses_samples_and_texts(time: int, twice: Pages) -> None:
    page = complete("finetune", twice.pages[time])
    shown, done = page["finetune"], 10 * (time + 1)
    assert "10 of 10 steps in " in shown.text
    assert re.search(r"Loss \d\.\d\d, average \d\.\d\d", shown.text)
    assert f"Saved: checkpoint/test, step {done}." in shown.text
    assert re.search(rf"Sample at step {done} \(.*samples/test\)\s+\S", shown.text)
    for cell in ("finetune", "plot"):
        assert [picture[: len(PNG)] for picture in page[cell].pictures] == [PNG], cell
    assert re.search(r"2 of 2 texts.*\b1 +Copy .*\b2 +Copy ", page["generate"].text, re.DOTALL)
    assert str(twice.machine.folder / "checkpoint" / "test") in page["copy-to-drive"].text


def test_running_finetune_again_resumes_the_run(twice: Pages) -> None:
    first, again = twice.pages
    assert "No runs found" in first["resume-form"].text
    assert re.search(r"Resume: test: step 10, loss \d\.\d\d, ", again["resume-form"].text)
    assert "resuming the local test, step 10" in again["finetune-form"].text
    assert "The run test exists" not in first["finetune-form"].text
    assert "The run test exists: 10 steps" in again["finetune-form"].text
    assert [step for step, _ in record_of(twice.machine)["losses"]] == list(range(1, 21))


def test_finetune_shows_the_hardware_and_the_training_text(twice: Pages) -> None:
    page = twice.pages[0]
    shown = page["drive-form"].text
    assert re.match("Ready, with(out a GPU| the GPU .+)", shown)
    assert re.search("GPU: none .*Change runtime type|GPU: .* GB", shown)
    story = (ROOT / "data" / "stories.txt").read_text(encoding="utf-8")
    assert story[:200] in page["finetune-form"].text


def test_finetune_writes_only_ignored_files_beside_itself(twice: Pages) -> None:
    folder = twice.machine.folder
    assert {path.name for path in folder.parent.iterdir()} == {"notebooks", "ipython"}
    assert twice.files == {"checkpoint", "models", "samples"}
    ignored = set((ROOT / ".gitignore").read_text(encoding="utf-8").split())
    assert {f"notebooks/{name}/" for name in twice.files} <= ignored
    assert {"notebooks/*.txt", "notebooks/*.csv"} <= ignored


def test_an_invalid_value_is_shown_and_stops_the_notebook(twice: Pages) -> None:
    page, error = twice.invalid, "Training steps must be a whole number, got 'abc'"
    assert error in page["finetune-form"].text
    assert list(page)[-1] == "finetune", "later cells must not run"
    assert re.fullmatch(rf"✗ {re.escape(error)}[^\n]*", page["finetune"].error)
    assert twice.files_after_invalid == ["models"]


def test_generate_runs_without_drive(twice: Pages) -> None:
    page = complete("generate", twice.written)
    assert re.search("Model: test: step 20, ", page["model-form"].text)
    assert "test is loaded" in page["generate-form"].text
    assert "shallow is loaded" in page["compare"].text


# ------------------------------------------------------------------------------ with Drive


@dataclass
class Days:
    """Three machines in Colab, one after the other, with the same Drive."""

    drive: Path
    trained: Page  # on an uploaded text
    resumed: Page  # on a new machine
    again: Machine  # where it was resumed
    written: Page  # by `generate` on a third machine
    last: Machine


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    root = tmp_path_factory.mktemp("days")

    def machine(name: str) -> Machine:
        variables = {
            "COLAB_RELEASE_TAG": "release-colab_test",
            "GPT2_DRIVE_MOUNT": str(root / name / "content" / "drive"),
            "FAKE_COLAB_DRIVE": str(root / "google"),
            "FAKE_COLAB_SLOW": "1",  # uploads that are not awaited are lost
            "GPT2_USE_DRIVE": "True",
            "GPT2_SAVE_EVERY": "5",
        }
        return new_machine(root / name, variables, [FAKES])

    first = machine("first")
    story = (ROOT / "data" / "stories.txt").read_text(encoding="utf-8")
    (first.folder / "mine.txt").write_text(story[-20_000:], encoding="utf-8")
    trained = first.run("finetune", GPT2_DATASET="mine.txt")
    shutil.rmtree(first.folder.parent)
    shutil.rmtree(root / "google" / "waiting for upload", ignore_errors=True)
    again, last = machine("again"), machine("last")
    resumed = again.run("finetune")
    written = last.run("generate")
    return Days(root / "google" / "MyDrive", trained, resumed, again, written, last)


def test_checkpoints_and_text_are_backed_up_to_drive(days: Days) -> None:
    page = complete("finetune", days.trained)
    assert "Google Drive is mounted" in page["resume-form"].text
    assert "Back up to Google Drive: True" in page["finetune-form"].text
    for step in (5, 10):
        copied = f"copied step {step} to Google Drive: checkpoint_test.tar"
        assert copied in page["finetune"].text
    assert "Saved in Google Drive: checkpoint_test.tar" in page["copy-to-drive"].text
    kept = {path.name for path in days.drive.iterdir()}
    assert {"checkpoint_test.tar", "mine.txt"} <= kept


def test_another_machine_resumes_the_run_from_drive(days: Days) -> None:
    page = complete("finetune", days.resumed)
    assert re.search("Resume: test: step 10, .*on Google Drive", page["resume-form"].text)
    assert "resuming test from Google Drive, step 10" in page["finetune-form"].text
    assert "The run test exists: 10 steps" in page["finetune-form"].text
    assert "Training text: mine.txt" in page["finetune-form"].text
    assert "Saved: checkpoint/test, step 20." in page["finetune"].text
    record = record_of(days.again)
    assert record["dataset"] == "mine.txt"
    assert [step for step, _ in record["losses"]] == list(range(1, 21))


def test_generate_loads_the_run_from_drive(days: Days) -> None:
    page = complete("generate", days.written)
    assert re.search("Model: test: step 20, .*on Google Drive", page["model-form"].text)
    assert "test is loaded" in page["generate-form"].text
    assert (days.last.folder / "checkpoint" / "test" / "model-20.index").is_file()
    assert "shallow is loaded" in page["compare"].text


def test_generate_writes_a_hundred_texts_to_a_file(days: Days) -> None:
    (path,) = days.last.folder.glob("gpt2_gentext_*.txt")
    assert path.read_text(encoding="utf-8").count("=" * 20 + "\n") == 100
    shown = days.written["generate-file"].text
    assert f"{path.name}: 100 texts" in shown
    assert f"Download {path.name}" in shown


def test_both_models_continue_the_same_prompt(days: Days) -> None:
    texts = re.findall(r"The secret of life is\s+(.+)", days.written["compare"].text)
    assert len(texts) == 4
    assert set(texts[:2]).isdisjoint(texts[2:])


def test_in_colab_the_web_app_is_below_its_cell(days: Days) -> None:
    shown = days.written["serve"].text
    assert re.search(r"test at http://127\.0\.0\.1:(\d+)/\s+a frame .* onto port \1, /", shown)


# ------------------------------------------------------------------------------ BigQuery, titles


@dataclass
class Titles:
    machine: Machine
    export: Page
    titles: Page  # short texts, trained on the export


@pytest.fixture(scope="module")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Titles:
    values = {"GPT2_STEPS": "40", "GPT2_SAMPLE_EVERY": "0", "GPT2_LENGTH": "60"}
    values["GPT2_ACCUMULATE_GRADIENTS"] = "2"  # with less, too many titles have no end marker
    with running() as bigquery:
        values["BIGQUERY_EMULATOR_HOST"] = bigquery.address
        machine = new_machine(tmp_path_factory.mktemp("titles"), values)
        export = machine.run("bigquery_export")
        name = path_of_export(machine).name
        return Titles(machine, export, machine.run("reddit_titles", GPT2_DATASET=name))


def path_of_export(machine: Machine) -> Path:
    (path,) = machine.folder.glob("*.csv")
    return path


def exported(machine: Machine) -> list[str]:
    """Return the rows of the CSV."""
    with path_of_export(machine).open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["title"]
    return [row[0] for row in rows]


def cleaned(title: str) -> str:
    return " ".join(html.unescape(title.replace("\ufffd", "")).split())


def test_the_export_has_the_titles_of_hacker_news_highest_rated_first(titles: Titles) -> None:
    page = complete("bigquery_export", titles.export)
    stories = [
        (score, cleaned(title))
        for title, score, kind, _ in sample_tables()[HACKER_NEWS].rows
        if kind == "story" and title
    ]
    rows, best = exported(titles.machine), {title: score for score, title in stories}
    assert sorted(rows) == sorted(best)
    scores = [-1 if best[title] is None else best[title] for title in rows]
    assert scores == sorted(scores, reverse=True)
    assert re.search("The query reads .* GB: free", page["check-cost"].text)
    assert f"{len(rows)} texts kept of " in page["export"].text
    assert all(title in page["export"].text for title in rows[:10])
    path = path_of_export(titles.machine)
    assert re.fullmatch(r"hacker_news_\d{4}-\d\d-\d\d\.csv", path.name)
    assert str(path) in page["copy-to-drive"].text


def test_the_reddit_source_exports_the_titles_of_the_article(tmp_path: Path) -> None:
    choice = {
        "GPT2_SOURCE": "reddit",
        "GPT2_SUBREDDIT": "AskReddit",
        "GPT2_FIRST_MONTH": "2019-01",
        "GPT2_LAST_MONTH": "2019-03",
    }
    with running() as bigquery:
        machine = Machine(tmp_path, {**choice, "BIGQUERY_EMULATOR_HOST": bigquery.address})
        page = complete("bigquery_export", machine.run("bigquery_export"))
    tables = sample_tables()
    wanted = {
        cleaned(title)
        for month in ("2019_01", "2019_02", "2019_03")
        for title, subreddit, *_ in tables[REDDIT + month].rows
        if subreddit.lower() == "askreddit" and title and len(title) >= 8
    }
    assert sorted(exported(machine)) == sorted(wanted)
    assert "Public access to these tables has been denied" in page["bigquery-form"].text


def test_a_denied_table_stops_the_notebook(tmp_path: Path) -> None:
    months = {"GPT2_FIRST_MONTH": "2019-01", "GPT2_LAST_MONTH": "2019-03"}
    with running() as bigquery:
        bigquery.denied = {REDDIT.split(".")[0]}
        host = {"BIGQUERY_EMULATOR_HOST": bigquery.address, "GPT2_SOURCE": "reddit"}
        machine = Machine(tmp_path, {**months, **host})
        page = machine.run("bigquery_export")
    assert list(page)[-1] == "check-cost", "later cells must not run"
    assert re.fullmatch(r"✗ [^\n]*not been public since[^\n]*", page["check-cost"].error)
    assert not list(machine.folder.iterdir())


def test_the_exported_titles_are_the_training_text(titles: Titles) -> None:
    page = complete("reddit_titles", titles.titles)
    name = path_of_export(titles.machine).name
    assert f"Training text: {name}" in page["finetune-form"].text
    assert record_of(titles.machine)["dataset"] == name
    assert re.search(r"validation loss \d\.\d\d at step 40", page["finetune"].text)
    assert [picture[: len(PNG)] for picture in page["finetune"].pictures] == [PNG]


def test_generated_titles_are_written_without_markers(titles: Titles) -> None:
    (path,) = titles.machine.folder.glob("gpt2_gentext_*.txt")
    *texts, rest = path.read_text(encoding="utf-8").split("=" * 20 + "\n")
    assert (len(texts), rest) == (200, "")
    # After few steps the model sometimes misses the end and starts another title.
    assert not [t for t in texts if "<|endoftext|>" in t or t.startswith("<|startoftext|>")]
    assert sum(text.count("\n") == 1 for text in texts) > 190
    assert path.name in titles.titles["copy-to-drive"].text


def test_copies_are_counted_and_advice_is_shown(titles: Titles) -> None:
    counts = (
        r"Of 200 texts, (\d+) (?:is a copy|are copies) of .*, "
        r"(\d+) (?:is a|are) near cop\w+ and (\d+) (?:is|are) novel"
    )
    found = re.search(counts, titles.titles["originality"].text)
    assert found
    (path,) = titles.machine.folder.glob("gpt2_gentext_*.txt")
    known = {title.lower() for title in exported(titles.machine)}
    texts = path.read_text(encoding="utf-8").split("=" * 20 + "\n")[:-1]
    copies = sum(text.strip().lower() in known for text in texts)
    assert int(found[1]) >= copies
    assert sum(map(int, found.groups())) == 200
    advice = titles.titles["originality"].text
    assert re.search(r"show no problem|\bsteps?\b|\bcop(y|ies)\b|loss", advice)
