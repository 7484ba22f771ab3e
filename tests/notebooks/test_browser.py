"""Every notebook in a real browser: Shift+Enter, forms, clicks and downloads.

All notebooks share one server. Each is opened once, in its own folder, and run from top to bottom;
the tests of its forms start from that state. Their model is one layer of `tiny`, unless
GPT2_MODEL_NAME in the environment names another one. With PICTURES=FOLDER in the environment, the
screenshots for the README are saved there (`make pictures`).
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigquery_stand_in import running
from jupyterlab_session import Lab, Notebook, browser
from open_page import KEEP_LABELS, generate, set_slider
from paths import ROOT
from shallow import write_shallow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
# Form values that make the notebooks fast.
VALUES = {
    "GPT2_MODEL_NAME": "shallow",
    "GPT2_RUN_NAME": "test",
    "GPT2_STEPS": "20",
    "GPT2_ACCUMULATE_GRADIENTS": "1",
    "GPT2_SAMPLE_EVERY": "20",
    "GPT2_LENGTH": "40",
    "GPT2_BULK_NSAMPLES": "10",
    "GPT2_PROJECT": "my-project-1",
}
MODEL = os.environ.get("GPT2_MODEL_NAME", VALUES["GPT2_MODEL_NAME"])
# The first and the last cell in the screenshot of each notebook.
PICTURES = {
    "finetune": ("finetune-form", "finetune"),
    "generate": ("compare", "compare"),
    "reddit_titles": ("generate-file", "originality"),
    "bigquery_export": ("bigquery-form", "export"),
}
MAX_PICTURE_BYTES = 300_000
TIMEOUT = 300_000  # milliseconds; a busy machine must not fail a test that is only slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def lab(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running() as bigquery:
        environment = {**VALUES, **os.environ, "BIGQUERY_EMULATOR_HOST": bigquery.address}
        environment.pop("COLAB_RELEASE_TAG", None)
        server = Lab(tmp_path_factory.mktemp("lab"), chromium, environment)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Notebook]:
    """A notebook that has been run from top to bottom."""
    page = lab.open(request.param)
    try:
        write_shallow(page.folder / "models" / "shallow")
        if "PICTURES" in os.environ and page.path.stem == "generate":
            # Show the texts of a finetuned model, beside those of the model that it started from.
            trained = lab.files / "finetune" / "notebooks" / "checkpoint"
            shutil.copytree(trained, page.folder / "checkpoint")
        page.run_all()
        yield page
    finally:
        page.close()
        lab.close_kernels()


def only(name: str) -> pytest.MarkDecorator:
    """Restrict a test to one notebook."""
    path = ROOT / "notebooks" / f"{name}.ipynb"
    return pytest.mark.parametrize("notebook", [path], indirect=True, ids=[name])


def wait_for_text(place: Locator, text: str) -> None:
    """Wait until a text is visible in a part of the page."""
    place.get_by_text(text).first.wait_for(timeout=TIMEOUT)


def test_every_cell_runs_with_shift_enter(notebook: Notebook) -> None:
    wrong = [f"cell {name}:\n{error}" for name, error in notebook.errors.items()]
    assert not wrong, "\n".join(wrong)


def test_a_screenshot_shows_the_result(notebook: Notebook, tmp_path: Path) -> None:
    name = notebook.path.stem
    path = Path(os.environ.get("PICTURES") or tmp_path).absolute() / f"{name}.png"
    notebook.picture(path, *PICTURES[name])
    assert path.stat().st_size <= MAX_PICTURE_BYTES


# ------------------------------------------------------------------------------ finetune


@only("finetune")
def test_training_shows_a_curve_and_a_sample(notebook: Notebook) -> None:
    shown = notebook.cell("finetune")
    shown.locator("img").first.wait_for(timeout=TIMEOUT)
    assert "sample" in notebook.text_of("finetune").lower()


@only("finetune")
def test_an_invalid_value_is_reported_beside_its_field(notebook: Notebook) -> None:
    steps = notebook.field("finetune-form", "Training steps")
    line = notebook.cell("finetune-form").locator(
        ".gpt2-line", has=notebook.page.get_by_label("Training steps", exact=True)
    )
    message = line.get_by_role("alert")
    notebook.type(steps, "ten")
    wait_for_text(message, "Training steps must be a whole number, got 'ten'")
    notebook.type(steps, "33")
    message.wait_for(state="hidden", timeout=TIMEOUT)
    assert steps.input_value() == "33"


@only("finetune")
def test_a_value_between_two_slider_steps_is_kept(notebook: Notebook) -> None:
    steps = notebook.field("finetune-form", "Training steps")
    notebook.type(steps, "33")
    wait_for_text(notebook.cell("finetune-form"), "33 steps of")
    notebook.page.wait_for_timeout(300)  # for a late change by the slider
    assert steps.input_value() == "33"


@only("finetune")
def test_advanced_options_open_and_close(notebook: Notebook) -> None:
    dropout = notebook.field("finetune-form", "Dropout")
    assert not dropout.is_visible()
    for state in ("visible", "hidden"):
        notebook.cell("finetune-form").get_by_text("Advanced options").last.click()
        dropout.wait_for(state=state, timeout=TIMEOUT)


@only("finetune")
def test_an_uploaded_text_is_selected(notebook: Notebook, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("Once upon a time in a browser.\n" * 30, encoding="utf-8")
    form = notebook.cell("finetune-form")
    with notebook.page.expect_file_chooser() as chooser:
        form.get_by_role("button", name="Upload a file").click()
    chooser.value.set_files(mine)
    wait_for_text(form, "Saved as mine.txt.")
    wait_for_text(form, "Once upon a time in a browser.")
    assert (notebook.folder / "mine.txt").read_bytes() == mine.read_bytes()


@only("finetune")
def test_the_trained_run_is_downloaded_as_one_file(notebook: Notebook) -> None:
    shown = notebook.cell("finetune")
    shown.get_by_role("button", name="Download test (one file)").click()
    link = shown.get_by_role("link", name="Download checkpoint_test.tar")
    link.wait_for(timeout=TIMEOUT)
    with notebook.page.expect_download(timeout=TIMEOUT) as download:
        link.click(timeout=TIMEOUT)
    with tarfile.open(download.value.path()) as archive:
        assert "checkpoint/test/run.json" in archive.getnames()


# ------------------------------------------------------------------------------ generate


@only("generate")
def test_texts_continue_the_prompt_and_can_be_copied_and_downloaded(notebook: Notebook) -> None:
    form = notebook.cell("generate-form")
    notebook.type(notebook.field("generate-form", "Prompt"), "The lamp & I <b>")
    notebook.type(notebook.field("generate-form", "Number of texts"), "2")
    form.get_by_role("button", name="Generate").click()
    with notebook.page.expect_download(timeout=TIMEOUT) as download:
        form.get_by_role("link", name="Download").click(timeout=TIMEOUT)
    texts = form.locator(".gpt2-item .gpt2-text").all_text_contents()
    assert len(texts) == 2
    assert all(text.startswith("The lamp & I <b>") for text in texts)
    saved = Path(download.value.path()).read_text(encoding="utf-8")
    assert all(text in saved for text in texts)

    form.get_by_role("button", name="Show probabilities").click()
    wait_for_text(form, "Probability of each token:")
    assert form.locator(".gpt2-item .gpt2-text").all_text_contents() == texts
    titles = form.locator(".gpt2-item .gpt2-text span").evaluate_all(
        "all => all.map(({title}) => title)"
    )
    assert titles
    assert all(title.endswith("%") for title in titles)

    notebook.page.evaluate(KEEP_LABELS)
    form.get_by_role("button", name="Copy").last.click()
    wait_for_text(form, "Copied")
    assert notebook.page.evaluate("navigator.clipboard.readText()") == texts[-1]


@only("generate")
def test_an_interrupt_stops_a_button_repeatedly(notebook: Notebook, lab: Lab) -> None:
    form = notebook.cell("generate-form")
    notebook.type(notebook.field("generate-form", "Number of texts"), "500")
    notebook.type(notebook.field("generate-form", "Max length (tokens)"), "1000")
    for _ in range(3):
        notebook.page.wait_for_timeout(1000)  # an immediate click would count as queued
        form.get_by_role("button", name="Generate").click()
        # The progress of the time before is replaced by a new one.
        form.get_by_text("Interrupted.").wait_for(state="detached", timeout=TIMEOUT)
        wait_for_text(form, " of 500 texts")
        notebook.page.wait_for_timeout(500)  # now it generates
        (kernel,) = lab.request("kernels")
        lab.request(f"kernels/{kernel['id']}/interrupt", "POST")
        wait_for_text(form, "Interrupted. The finished texts were kept.")


@only("generate")
def test_many_texts_are_written_to_a_file(notebook: Notebook) -> None:
    form = notebook.cell("generate-form")
    notebook.type(notebook.field("generate-form", "Max length (tokens)"), "20")
    notebook.type(notebook.field("generate-form", "Texts in the file"), "3")
    form.get_by_role("button", name="Write to a file").click()
    wait_for_text(form, ": 3 texts")
    written = [path.read_text(encoding="utf-8") for path in notebook.folder.glob("gpt2_gen*.txt")]
    assert any(text.count("=" * 20) == 3 for text in written)


@only("generate")
def test_a_link_opens_the_web_app(notebook: Notebook) -> None:
    with notebook.page.expect_popup(timeout=TIMEOUT) as opened:
        notebook.cell("serve").get_by_role("link").click(timeout=TIMEOUT)
    page = opened.value
    page.locator("h1", has_text=f"Write with {MODEL}").wait_for(timeout=TIMEOUT)
    set_slider(page, "max_new_tokens", 5)
    page.uncheck("#option-finish_sentence")
    generate(page, "It was a dark night, and")
    page.close()


# ------------------------------------------------------------------------------ short texts


@only("reddit_titles")
def test_titles_end_before_the_marker_and_are_counted(notebook: Notebook) -> None:
    titles = notebook.cell("generate").locator(".gpt2-item .gpt2-text").all_text_contents()
    assert len(titles) > 1
    assert not [title for title in titles if "<|endoftext|>" in title]
    assert "near cop" in notebook.text_of("originality")


# ------------------------------------------------------------------------------ BigQuery


@only("bigquery_export")
def test_another_source_shows_other_fields(notebook: Notebook) -> None:
    form, subreddit = (
        notebook.cell("bigquery-form"),
        notebook.field("bigquery-form", "Subreddit"),
    )
    assert not subreddit.is_visible()
    notebook.field("bigquery-form", "Source").select_option("Reddit")
    subreddit.wait_for(timeout=TIMEOUT)
    wait_for_text(form, "Public access to these tables has been denied")
    notebook.field("bigquery-form", "Source").select_option("Hacker News")
    subreddit.wait_for(state="hidden", timeout=TIMEOUT)


@only("bigquery_export")
def test_the_cost_is_compared_with_the_limit(notebook: Notebook) -> None:
    form = notebook.cell("bigquery-form")
    notebook.type(notebook.field("bigquery-form", "Limit (GB)"), "7")
    form.get_by_role("button", name="Check the cost").click()
    wait_for_text(form, "This is within your limit of 7 GB.")
    assert "The query reads" in notebook.text_of("bigquery-form")


@only("bigquery_export")
def test_the_export_is_shown_and_can_be_downloaded(notebook: Notebook) -> None:
    shown = notebook.cell("export")
    with notebook.page.expect_download(timeout=TIMEOUT) as download:
        shown.get_by_role("link", name="Download").click(timeout=TIMEOUT)
    heading, first, *_ = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert heading == "title"
    assert first.strip('"').replace('""', '"') in shown.locator("table").inner_text()
