"""The generation form: options, texts in the notebook, marked copies, and files."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import PRESET, SamplingConfig
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation import memorization
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.similarity import Match
from gpt2_helpers.fields import fields_of, format_value
from gpt2_helpers.forms import generate
from gpt2_helpers.forms.generate import SHORT_TEXTS, GenerateForm, PromptConfig
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.forms.widgets.text_cards import TextCards
from gpt2_helpers.generation import memory
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult, in_order
from gpt2_helpers.session import Session
from sampler_options import SAMPLER_OPTIONS
from toy_runs import train, write_model, write_text
from widget_texts import button, markup, parts, words

DELIMITER = "=" * 20 + "\n"
SMALL: dict[str, Any] = {"length": 8, "nsamples": 3, "batch_size": 2, "seed": 1, "top_k": 40}


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", -1.0)
    monkeypatch.delenv("GPT2_LENGTH", raising=False)
    write_model()
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The displayed widgets."""
    shown: list[Any] = []
    monkeypatch.setattr(generate, "display", shown.append)
    return shown


@pytest.fixture
def sess() -> Session:
    session = Session()
    session.load_pretrained("toy")
    return session


def test_a_prompt_that_leaves_no_room_is_reported_beside_it(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL)
    form.form.set(prefix="abcdefghij " * 4)
    shown = words(form.form.row("prefix").widget)
    assert "includes the prefix: set length to" in shown
    form.form.set(length=1000)
    assert "includes the prefix" not in words(form.form.row("prefix").widget)
    assert "only its last part is used" in words(form.form.row("prefix").widget)
    form.form.set(prefix="ab")
    assert "only its last part" not in words(form.form.row("prefix").widget)


def test_a_length_over_the_context_has_a_note(sess: Session) -> None:
    n_ctx = sess.inference_model.config.n_ctx
    form = GenerateForm(sess, **{**SMALL, "length": n_ctx + 1})
    note = f"Longer than the model's context of {n_ctx} tokens"
    assert note in words(form.form.row("length").widget)
    form.form.set(length=n_ctx)
    assert note not in words(form.form.row("length").widget)


def test_an_existing_file_is_reported_beside_its_name(sess: Session) -> None:
    Path("mine.txt").write_text("x")
    form = GenerateForm(sess, destination_path="mine.txt", **SMALL)
    assert "mine.txt already exists" in words(form.bulk.row("destination_path").widget)


def sess_of_run(dataset: str, text: str) -> Session:
    """Return a session with a run that was trained on a text."""
    write_text(dataset, text)
    train(dataset)
    session = Session()
    session.load_run("run1")
    return session


class Finishing(Session):
    """A session whose texts finish in a given order."""

    def __init__(self, *finished: tuple[int, str], interrupted_after: int | None = None) -> None:
        super().__init__()
        self._finished, self._interrupted_after = finished, interrupted_after
        self.asked: list[Any] = []

    def stream(self, prompts: Any, config: SamplingConfig, **_: Any) -> Iterator[GenerationChunk]:
        self.asked.append((prompts, config))
        for order, (index, content) in enumerate(self._finished):
            if order == self._interrupted_after:
                signal.raise_signal(signal.SIGINT)
            result = GenerationResult(content, "", index, 1, "stop")
            yield GenerationChunk(index, content, result)


def shown_texts(widget: widgets.Widget) -> list[str]:
    found = re.findall(r'<div class="gpt2-text"[^>]*>(.*?)</div>', markup(widget), re.DOTALL)
    return [re.sub("<[^>]*>", "", text) for text in found]


# --- Options


def test_the_form_has_a_field_for_every_sampling_option(sess: Session) -> None:
    form = GenerateForm(sess).form
    for field in fields_of(SamplingConfig):
        assert form.row(field.name).widget


def test_the_form_returns_the_config(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL, temperature=0.5)
    config = form.form.config(SamplingConfig)
    preset = dataclasses.replace(PRESET, temperature=0.5)
    assert config == dataclasses.replace(preset, length=8, nsamples=3, batch_size=2, seed=1)


def test_a_run_of_a_table_has_the_preset_for_short_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sess = sess_of_run("titles.csv", "title\n" + "What is the best thing?\n" * 40)
    form = GenerateForm(sess)
    assert form.kind.value == SHORT_TEXTS
    assert form.form.config(SamplingConfig).prompt_prefix == "<|startoftext|>"
    assert form.form.row("prefix").control.placeholder == ""
    form.form.set(prefix="Why")
    form.kind.value = generate.LONG_TEXT
    assert not form.form.config(SamplingConfig).prompt_prefix
    assert form.form.config(PromptConfig).prompts() == ["Why"]
    monkeypatch.setenv("GPT2_PREFIX", "How")
    assert GenerateForm(sess).form.config(PromptConfig).prompts() == ["How"]


def test_a_run_of_a_table_writes_rows_without_markers() -> None:
    sess = sess_of_run("titles.csv", "title\n" + "What is the best thing?\n" * 40)
    form = GenerateForm(sess, **SMALL | {"length": 30}, prefix="What")
    button(form.widget, "Generate").click()
    assert len(form.texts) == 3
    assert all(text.startswith("What") and "<|" not in text for text in form.texts)


def test_an_empty_prompt_box_continues_its_visible_example(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL | {"length": 30})
    example = form.form.row("prefix").control.placeholder
    assert example == "Once upon a time"
    button(form.widget, "Generate").click()
    assert all(text.startswith(example) for text in form.texts)


def test_the_form_starts_from_the_preset(sess: Session) -> None:
    config = GenerateForm(sess).form.config(SamplingConfig)
    assert (config.temperature, config.top_k, config.top_p) == (0.7, 40, 0.0)


@pytest.mark.parametrize("options", SAMPLER_OPTIONS, ids=lambda options: "-".join(options))
def test_samplers_can_be_typed_into_the_form(sess: Session, options: dict[str, Any]) -> None:
    if "regex" in options:
        pytest.importorskip("llguidance")
    form = GenerateForm(sess, **SMALL)
    for name, value in options.items():
        row = form.form.row(name)
        row.control.value = value if row.field.choices else format_value(value)
    config = form.form.config(SamplingConfig)
    assert {name: getattr(config, name) for name in options} == options
    button(form.widget, "Generate").click()
    expected = in_order(sess.generate(form.form.row("prefix").control.placeholder, config))
    assert sorted(form.texts) == sorted(result.text for result in expected)


def test_other_models_have_the_preset_for_long_text(sess: Session) -> None:
    assert GenerateForm(sess).kind.value == generate.LONG_TEXT
    assert (
        GenerateForm(sess_of_run("text.txt", "What is it? " * 50)).kind.value == generate.LONG_TEXT
    )
    assert GenerateForm(Session()).kind.value == generate.LONG_TEXT


def test_a_prompt_keeps_its_lines_or_each_line_is_a_prompt() -> None:
    assert PromptConfig("A\nB\n").prompts() == ["A\nB\n"]
    assert PromptConfig("A\n\nB ", prefix_lines=True).prompts() == ["A", "B "]
    assert PromptConfig("", prefix_lines=True).prompts() == [""]
    sess = Finishing((0, "text"))
    form = GenerateForm(sess, **SMALL, prefix="A\nB", prefix_lines=True)
    button(form.widget, "Generate").click()
    assert sess.asked[0][0] == ["A", "B"]


# --- Texts in the notebook


def test_the_button_shows_the_texts_of_the_session(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL, prefix="What is")
    button(form.widget, "Generate").click()
    expected = sorted(
        sess.generate("What is", SamplingConfig(**SMALL)), key=lambda text: text.index
    )
    assert form.texts == [str(text) for text in expected]
    assert "<b>What is</b>" in markup(form.widget)
    assert len(shown_texts(form.widget)) == 3
    shown = words(form.widget)
    assert "3 of 3 texts in " in shown
    assert "Copies are not marked: the training text of this model is unknown." in shown
    assert 'download="gpt2_gentext_' in markup(form.widget)


def test_a_button_shows_the_probabilities_of_the_texts(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL, prefix="What is")
    button(form.widget, "Generate").click()
    plain = shown_texts(form.widget)
    button(form.widget, "Show probabilities").click()
    assert shown_texts(form.widget) == plain
    assert len(re.findall('<span class="gpt2-level-\\d" title=".*?%">', markup(form.widget))) > 6
    assert "Probability of each token:" in words(form.widget)
    button(form.widget, "Hide probabilities").click()
    assert shown_texts(form.widget) == plain
    assert "gpt2-level-" not in markup(form.widget)
    write_model("other", seed=5)
    sess.load_pretrained("other")
    button(form.widget, "Show probabilities").click()
    assert "another model has been loaded since" in words(form.widget)
    assert shown_texts(form.widget) == plain


def test_another_click_replaces_the_texts(sess: Session) -> None:
    module: Any = widgets.widgets.widget
    everything = module._instances if hasattr(module, "_instances") else widgets.Widget.widgets
    form = GenerateForm(sess, **SMALL)
    sizes = []
    for _ in range(3):
        button(form.widget, "Generate").click()
        sizes.append(len(everything))
        assert len(shown_texts(form.widget)) == 3
    assert sizes[1] == sizes[2]


def test_texts_appear_as_they_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    form = GenerateForm(Finishing((2, "c"), (0, "a"), (1, "b")), **SMALL)
    seen = []
    add = TextCards.add

    def watched(cards: TextCards, result: GenerationResult) -> None:
        add(cards, result)
        seen.append(shown_texts(form.widget))

    monkeypatch.setattr(TextCards, "add", watched)
    button(form.widget, "Generate").click()
    assert seen == [["c"], ["a", "c"], ["a", "b", "c"]]


def test_each_cell_shows_its_own_texts(sess: Session, page: list[Any]) -> None:
    form = GenerateForm(sess, **SMALL)
    form.run()
    form.run()
    first, second = page
    assert shown_texts(first) == shown_texts(second)  # the form has a seed
    assert len(form.texts) == 3
    assert shown_texts(form.widget) == []


def test_an_interrupt_keeps_finished_texts(page: list[Any]) -> None:
    handler = signal.getsignal(signal.SIGINT)
    form = GenerateForm(Finishing((1, "b"), (0, "a"), (2, "c"), interrupted_after=1), **SMALL)
    button(form.widget, "Generate").click()
    assert shown_texts(form.widget) == ["a", "b"]
    assert "Interrupted. The finished texts were kept." in words(form.widget)
    assert signal.getsignal(signal.SIGINT) is handler
    form.run()  # returns, so later cells run
    assert shown_texts(page[0]) == ["a", "b"]


def test_an_error_is_shown_in_the_form_and_stops_the_cell(sess: Session, page: list[Any]) -> None:
    form = GenerateForm(sess, **SMALL, prefix="What is the best thing of all?")
    button(form.widget, "Generate").click()
    assert "the prefix has " in words(form.widget)
    with pytest.raises(NotebookError, match="the prefix has ") as caught:
        form.run()
    assert hasattr(caught.value, "_render_traceback_")
    form.form.set(length="long")
    button(form.widget, "Generate").click()
    assert words(form.widget).count("must be a whole number") == 2  # at the field, at the button


def test_a_batch_that_does_not_fit_into_memory_is_a_warning(
    sess: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: (100 * 2**20, "this GPU"))
    form = GenerateForm(sess, **SMALL)
    assert "This batch needs" not in words(form.widget)
    form.form.set(batch_size=50_000)
    assert "This batch needs about 0." in words(form.widget)
    assert "this GPU has 100 MB: reduce the batch size" in words(form.widget)
    form.form.set(batch_size=2)
    assert "This batch needs" not in words(form.widget)


def test_an_empty_session_is_an_error() -> None:
    form = GenerateForm(Session(), **SMALL)
    button(form.widget, "Generate").click()
    assert "no model is loaded" in words(form.widget)


# --- Copies


class FirstLetterIndex:
    notes = ("Only half of it is compared.",)

    def compare(self, text: str, /) -> Match:
        return Match({"a": "copy", "b": "near copy"}.get(text, "novel"), "near", 0.9)


def in_a_run(sess: Session) -> Session:
    if not sess.is_loaded:
        sess.load_pretrained("toy")
    sess._loaded.run_folder, sess._loaded.run_name = Path("checkpoint/run1"), "run1"
    return sess


@pytest.mark.parametrize("label", ["Generate", "Write to a file"])
def test_duplicates_and_copies_are_left_out(sess: Session, label: str) -> None:
    options: dict[str, Any] = {**SMALL, "bulk_nsamples": 3, "length": 40, "include_prefix": False}
    form = GenerateForm(sess, unique=True, max_tries=2, **{**options, "temperature": 0.0})
    button(form.widget, label).click()
    message = "got 1 of 3 texts: for the others, none of 2 tries gave a new text"
    assert message in words(form.widget)
    assert len(form.texts) == 1
    form = GenerateForm(sess, max_tries=1, **options)
    button(form.widget, label).click()
    texts = form.texts
    write_text("made.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts[:2]))
    form.form.set(novel_against="made.jsonl")
    button(form.widget, label).click()
    assert form.texts == texts[2:]
    assert "got 1 of 3 texts" in words(form.widget)
    write_text("made.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
    form.form.set(novel_against="made.jsonl")
    button(form.widget, label).click()
    assert form.texts == []
    assert "got 0 of 3 texts" in words(form.widget)


def test_copies_of_the_training_text_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def load_training_text(folder: RunFolder) -> FirstLetterIndex:
        opened.append(folder.path)
        return FirstLetterIndex()

    monkeypatch.setattr(memorization, "load_training_text", load_training_text)
    sess = in_a_run(Finishing((0, "a"), (1, "b"), (2, "c")))
    form = GenerateForm(sess, **SMALL)
    for label in ("Generate", "Write to a file", "Generate"):
        button(form.widget, label).click()
    expected = "Of 3 texts, 1 is a copy of the training text, 1 is a near copy and 1 is novel."
    assert words(form.widget).count(expected) == 2
    assert words(form.widget).count("Only half of it is compared.") == 2
    assert OverlapReport.from_matches(form.matches).copies == 1
    assert opened == [Path("checkpoint/run1")]  # read only once


def test_a_restarted_run_is_compared_with_its_new_text() -> None:
    first, second = "What is the best thing of all", "How would your people end it now"
    sess = sess_of_run("old.csv", f"title\n{first}\n" * 30)
    finishing = Finishing((0, first), (1, second))
    finishing._base = sess._base
    form = GenerateForm(finishing, **SMALL)
    button(form.widget, "Generate").click()
    assert [match.kind for _, match in form.matches] == ["copy", "novel"]
    write_text("new.csv", f"title\n{second}\n" * 30)
    train("new.csv", restore_from="fresh")
    button(form.widget, "Generate").click()
    assert [match.kind for _, match in form.matches] == ["novel", "copy"]


def test_a_note_says_why_copies_are_not_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(_folder: RunFolder) -> FirstLetterIndex:
        raise DatasetError("text.txt is not there any more")

    monkeypatch.setattr(memorization, "load_training_text", gone)
    form = GenerateForm(in_a_run(Finishing((0, "a"))), **SMALL)
    button(form.widget, "Generate").click()
    shown = words(form.widget)
    assert "Copies are not marked: text.txt is not there any more" in shown
    assert "1 text." in shown


def test_a_copy_of_a_title_is_found() -> None:
    title = "What is the best thing that you ever have been to"
    sess = sess_of_run("titles.csv", "title\n" + f"{title}?\nHow would your people end it\n" * 9)
    finishing = Finishing((0, title), (1, "Nobody has ever written this"))
    finishing._base = sess._base
    form = GenerateForm(finishing, **SMALL)
    button(form.widget, "Generate").click()
    assert "Of 2 texts, 1 is a copy" in words(form.widget)
    assert "copy of the training text" in words(form.widget)


# --- Texts in a file


def test_a_file_has_the_texts_in_order_and_a_unique_name(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL, prefix="What")
    form.bulk.set(bulk_nsamples=7)
    button(form.widget, "Write to a file").click()
    button(form.widget, "Write to a file").click()
    first, second = sorted(Path().glob("gpt2_gentext_*.txt"))
    assert re.fullmatch(r"gpt2_gentext_\d{8}_\d{6}\.txt", first.name)
    config = SamplingConfig(**SMALL | {"nsamples": 7})
    texts = sorted(sess.generate("What", config), key=lambda text: text.index)
    assert first.read_bytes() == second.read_bytes()
    written = "".join(f"{text}\n{DELIMITER}" for text in texts)
    assert first.read_bytes().decode("utf-8") == written
    shown = words(form.widget)
    assert "7 of 7 texts in " in shown
    assert f"{second}: 7 texts." in shown
    assert f'download="{second}"' in markup(form.widget)
    assert f'download="{first}"' not in markup(form.widget)


def test_to_file_takes_a_number_and_a_path(sess: Session, page: list[Any]) -> None:
    form = GenerateForm(sess, **SMALL)
    path = form.to_file(2, "out/titles.txt")
    assert path == Path("out/titles.txt")
    assert path.read_text("utf-8").count(DELIMITER) == 2
    assert "2 of 2 texts in " in words(page[0])
    assert form.to_file(1, "one.txt") == Path("one.txt")
    assert DELIMITER not in Path("one.txt").read_text("utf-8")


def test_to_file_uses_the_number_and_path_of_the_form(sess: Session, page: list[Any]) -> None:
    form = GenerateForm(sess, **SMALL, bulk_nsamples=4, destination_path="four.txt")
    assert form.bulk.value("bulk_nsamples") == 4
    assert form.to_file() == Path("four.txt")
    assert len(form.texts) == 4


def test_an_existing_file_is_not_replaced(page: list[Any]) -> None:
    old = Path("old.txt")
    old.write_text("precious")
    with pytest.raises(NotebookError, match="old.txt already exists"):
        GenerateForm(Finishing((0, "a"), (1, "b")), **SMALL).to_file(2, old)
    assert old.read_text() == "precious"


def test_an_interrupted_file_has_the_finished_texts(page: list[Any]) -> None:
    sess = Finishing((0, "a"), (2, "c"), (1, "b"), interrupted_after=1)
    path = GenerateForm(sess, **SMALL).to_file()
    assert path is not None
    assert path.read_text("utf-8") == f"a\n{DELIMITER}c\n{DELIMITER}"
    shown = words(page[0])
    assert "Interrupted. The finished texts were kept." in shown
    assert "2 texts." in shown


def test_an_invalid_option_creates_no_file(sess: Session, page: list[Any]) -> None:
    form = GenerateForm(sess, **SMALL, prefix="What is the best thing of all?")
    button(form.widget, "Write to a file").click()
    assert "the prefix has " in words(form.widget)
    for nsamples in (2, 0):
        with pytest.raises(NotebookError, match=r"the prefix has |nsamples must be at least 1"):
            form.to_file(nsamples)
    assert list(Path().glob("*.txt")) == []


def test_only_the_latest_results_stay(sess: Session) -> None:
    form = GenerateForm(sess, **SMALL)
    for _ in range(2):
        button(form.widget, "Generate").click()
        button(form.widget, "Write to a file").click()
    bars = [part for part in parts(form.widget) if isinstance(part, widgets.FloatProgress)]
    assert len(bars) == 2
