"""The live view of a training run: updates in place, notes, samples, plot and final states."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
import tensorflow as tf

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.evaluation import loss_plot
from gpt2_helpers.forms import training_view
from gpt2_helpers.forms.training_view import TrainingView, show
from gpt2_helpers.training.run import FinetuneRun, RunProgress
from toy_runs import open_run, saved_steps, write_model, write_text
from widget_texts import markup, parts, words

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()
    tf.config.run_functions_eagerly(True)  # compiling takes longer than a few steps
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The displayed widgets."""
    shown: list[Any] = []
    monkeypatch.setattr(training_view, "display", shown.append)
    return shown


def while_training(
    monkeypatch: pytest.MonkeyPatch, do: Callable[[TrainingView, RunProgress], None]
) -> None:
    """Call `do` after each step that is shown."""
    step = TrainingView.step

    def step_and_do(view: TrainingView, progress: RunProgress) -> None:
        step(view, progress)
        do(view, progress)

    monkeypatch.setattr(TrainingView, "step", step_and_do)


def image(widget: Any) -> Any:
    (found,) = [part for part in parts(widget) if isinstance(part, widgets.Image)]
    return found


def test_the_widget_shows_losses_plot_and_result(page: list[Any]) -> None:
    run = open_run(steps=5, validation_split=0.2, eval_every=3)
    notes = list(run.notes)
    show(run)
    (view,) = page
    shown = words(view)
    for note in notes:
        assert note in shown
    losses = [loss for _, loss in run.record.losses]
    assert len(losses) == 5
    assert f"Loss {losses[-1]:.2f}, average" in shown
    assert f"validation loss {run.record.validation_losses[-1][1]:.2f} at step 5;" in shown
    assert "5 of 5 steps in " in shown
    assert "Saved: checkpoint/run1, step 5." in shown
    assert bytes(image(view).value).startswith(PNG)
    assert image(view).layout.display is None


def test_the_widget_is_updated_in_place(page: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = set()
    while_training(
        monkeypatch, lambda view, _: sizes.add((len(page), len(list(parts(view.widget)))))
    )
    show(open_run(steps=4, sample_every=1, sample_length=4))
    assert len(sizes) == 1


def test_the_latest_samples_are_shown_with_their_folder(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = FinetuneRun._sample

    def marked(run: FinetuneRun, step: int) -> tuple[str, ...]:
        return tuple(f"<{step}> {text}" for text in sample(run, step))

    monkeypatch.setattr(FinetuneRun, "_sample", marked)
    show(open_run(steps=3, sample_every=1, sample_num=2, sample_length=4, run_name="<mine>"))
    shown = markup(page[0])
    assert "2 samples at step 3 (all samples are in samples/&lt;mine&gt;)" in shown
    assert shown.count("&lt;3&gt; ") == 2
    assert "&lt;2&gt; " not in shown


def test_saves_are_shown(page: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    while_training(monkeypatch, lambda view, _: seen.append(words(view.widget)))
    show(open_run(steps=4, save_every=2))
    assert ["Saved at step" in shown for shown in seen] == [False, True, True, True]
    assert "Saved at step 2." in seen[2]
    assert "Saved at step 4." in seen[3]


def test_a_new_note_is_shown_immediately(page: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(steps=4)
    seen = []

    def note(view: TrainingView, progress: RunProgress) -> None:
        seen.append("Drive is <full>" in words(view.widget))
        if progress.step == 2:
            run.notes.append("Warning: Drive is <full>")

    while_training(monkeypatch, note)
    show(run)
    assert seen == [False, False, True, True]
    assert "gpt2-warning" in markup(page[0])


def test_only_the_latest_new_notes_are_shown(page: list[Any]) -> None:
    run = open_run()
    first = list(run.notes)
    progress = list(run)[-1]
    view = TrainingView(run)
    run.notes += [f"step {step} is copied" for step in range(1, 100)]
    view.step(progress)
    shown = words(view.widget)
    assert all(note in shown for note in first)
    assert shown.count(" is copied") == training_view.MAX_NEW_NOTES
    assert "step 99 is copied" in shown


def test_out_of_memory_is_one_sentence(page: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run()

    def full(_rate: float) -> float:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor [8, 1024]")

    monkeypatch.setattr(run.trainer, "_train_step", full)
    with pytest.raises(Gpt2Error, match=r"^out of memory after step 0 .* lower batch_size .now 2."):
        show(run)
    assert "out of memory after step 0 (nothing was saved)" in words(page[0])


def test_endless_training_has_no_bar_and_saves_on_interrupt(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_view: TrainingView, progress: RunProgress) -> None:
        if progress.step == 3:
            signal.raise_signal(signal.SIGINT)

    while_training(monkeypatch, interrupt)
    show(open_run(steps=0))
    shown = words(page[0])
    assert "3 steps in " in shown
    assert " left" not in shown
    assert "Interrupted and saved: checkpoint/run1, step 3. Train again to continue." in shown
    assert saved_steps() == {3}
    show(open_run(steps=2))  # the same cell again
    assert "Saved: checkpoint/run1, step 5." in words(page[1])
    assert "2 of 2 steps" in words(page[1])


def test_an_error_is_shown_and_raised(page: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(learning_rate=10.0, steps=4)
    monkeypatch.setattr(
        run.trainer, "_train_step", lambda rate: 1.0 if run.trainer.step < 2 else float("nan")
    )
    with pytest.raises(Gpt2Error, match="loss is nan at step 3"):
        show(run)
    assert "loss is nan at step 3 (nothing was saved): lower learning_rate" in words(page[0])
    assert "2 of 4 steps in" in words(page[0])


def test_the_run_is_saved_if_the_view_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_view, "display", lambda _widget: None)
    handler = signal.getsignal(signal.SIGINT)

    def fail(_view: TrainingView, progress: RunProgress) -> None:
        if progress.step == 2:
            raise BrokenPipeError

    while_training(monkeypatch, fail)
    with pytest.raises(BrokenPipeError) as caught:
        show(open_run())
    assert saved_steps() == {2}
    assert signal.getsignal(signal.SIGINT) is handler
    del caught


def test_a_failing_plot_does_not_stop_the_training(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(loss_plot, "draw_losses", broken)
    show(open_run())
    shown = words(page[0])
    assert "The loss cannot be plotted: RuntimeError: no fonts" in shown
    assert "Saved: checkpoint/run1, step 4." in shown


def test_without_matplotlib_there_is_no_plot(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    show(open_run())
    assert 'pip install "gpt2-helpers[notebooks]"' in words(page[0])
    assert image(page[0]).layout.display == "none"


def test_plotting_takes_a_small_share_of_the_time(
    page: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run()
    progress = list(run)[-1]
    now = 0.0
    drawn = []
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def slow(*_: Any) -> Any:
        nonlocal now
        now += 0.3
        drawn.append(now)

    monkeypatch.setattr(loss_plot, "draw_losses", slow)
    monkeypatch.setattr(loss_plot, "to_png", lambda _figure: PNG)
    view = TrainingView(run)
    for step in range(1, 1001):
        now += 0.1
        view.step(dataclasses.replace(progress, step=step))
    assert 5 < len(drawn) <= 1 + 100 * training_view.MAX_DRAWING_SHARE / 0.3 * 1.1
    before = len(drawn)
    view.finish()
    assert len(drawn) == before + 1  # the final plot has every step


def test_the_view_does_not_grow_with_the_number_of_steps(page: list[Any]) -> None:
    run = open_run()
    progress = dataclasses.replace(list(run)[-1], samples=("a sample",), saved=True)
    view = TrainingView(run)
    view._can_plot = False
    sizes = []
    for step in range(1000, 4000):
        view.step(dataclasses.replace(progress, step=step))
        sizes.append(sum(len(part.value) for part in parts(view.widget) if hasattr(part, "value")
                         and isinstance(part.value, str)))  # fmt: skip
    assert max(sizes[1:]) - min(sizes[1:]) < 100
