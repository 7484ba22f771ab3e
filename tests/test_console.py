"""Console output: lines on stdout, progress bars on stderr."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from gpt2_helpers import console
from gpt2_helpers.console import (
    print_line,
    progress_line,
    show_finetuning,
    with_progress,
)
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.system.progress import Bar
from gpt2_helpers.training.callbacks import Backup
from gpt2_helpers.training.run import RunProgress
from toy_runs import open_run, saved_steps, write_model, write_text

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()
    tf.config.run_functions_eagerly(True)  # compiling takes longer than a few steps
    yield
    tf.config.run_functions_eagerly(False)


def test_progress_line_has_the_format_of_gpt_2_simple() -> None:
    progress = RunProgress(
        step=20,
        steps_left=5,
        loss=2.345,
        average_loss=2.5,
        validation_loss=None,
        learning_rate=1e-4,
        tokens_per_second=100.0,
        seconds=7.123,
        seconds_left=2.0,
    )
    assert progress_line(progress) == "[20 | 7.12] loss=2.35 avg=2.50"


def test_finetuning_prints_notes_losses_and_the_result(capsys: Captured) -> None:
    run = open_run(steps=5, validation_split=0.2, eval_every=3)
    notes = list(run.notes)
    show_finetuning(run, print_every=2)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[: len(notes)] == notes
    progress = lines[len(notes) : -1]
    number = r"\d+\.\d\d"
    validation = rf" validation={number}"
    # Every second step, and those with a validation loss, including the last.
    for line, step, more in zip(progress, (2, 3, 4, 5), ("", validation) * 2, strict=True):
        assert re.fullmatch(rf"\[{step} \| {number}\] loss={number} avg={number}{more}", line)
    assert lines[-1] == "saved: checkpoint/run1, step 5"


def test_a_run_of_less_than_an_epoch_is_advised_to_train_longer(capsys: Captured) -> None:
    write_text("long.txt", "What is the best thing that you ever have been to? " * 200)
    show_finetuning(open_run("long.txt", steps=1))
    shown = capsys.readouterr()
    assert "Training has gone through only" in shown.err
    assert "train for more steps" in shown.err
    assert shown.out.endswith("saved: checkpoint/run1, step 1\n")


def test_bar_shows_steps_loss_and_speed(capsys: Captured) -> None:
    show_finetuning(open_run(steps=3), print_every=100)
    shown = capsys.readouterr()
    assert re.search(r"finetuning: 100%.* 3/3 \[.*, loss \d+\.\d\d, [\d,]+ tokens/s\]", shown.err)
    assert "finetuning" not in shown.out
    assert "[1 |" not in shown.out


def test_notes_added_during_training_are_printed_at_once(capsys: Captured) -> None:
    run = open_run(steps=4, save_every=2)
    run.callbacks.append(Backup(lambda folder: run.notes.append(f"saved {folder.read().step}")))
    show_finetuning(run)
    lines = [line.partition(" |")[0] for line in capsys.readouterr().out.splitlines()]
    shown = lines[lines.index("[1") :]
    # Once more at the end, where a failed backup would be retried.
    assert shown[:-1] == ["[1", "[2", "saved 2", "[3", "[4", "saved 4", "saved 4"]


def test_samples_are_printed_with_their_numbers(capsys: Captured) -> None:
    run = open_run(steps=1, sample_every=1, sample_num=2, sample_length=4)
    show_finetuning(run)
    written = Path("samples/run1/samples-1").read_text(encoding="utf-8")
    assert written in capsys.readouterr().out
    assert written.count("======== SAMPLE") == 2


def test_interrupted_training(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(line: str) -> None:
        print(line)
        if line.startswith("[3 |"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(console, "print_line", interrupted)
    show_finetuning(open_run(steps=0))  # until interrupted
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == "interrupted and saved: checkpoint/run1, step 3"
    assert re.search(r"finetuning: 3step ", shown.err)


def test_run_is_saved_if_printing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = signal.getsignal(signal.SIGINT)

    def closed(line: str) -> None:
        if line.startswith("[2 |"):
            raise BrokenPipeError

    monkeypatch.setattr(console, "print_line", closed)
    with pytest.raises(BrokenPipeError) as caught:
        show_finetuning(open_run())
    assert saved_steps() == {2}
    # At once, not when the traceback that refers to the iterator is garbage-collected.
    assert signal.getsignal(signal.SIGINT) is handler
    del caught


def test_lines_are_printed_unchanged_on_stdout(capsys: Captured) -> None:
    print_line("one line")
    print_line("a piece", end="")
    assert capsys.readouterr().out == "one line\na piece"


def test_bar_counts_results_and_yields_them(capsys: Captured) -> None:
    results = [GenerationResult(text, "", 0, 3, "stop") for text in ("one", "two")]
    assert list(with_progress(results, 2)) == results
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"generating: 100%.* 2/2 \[", shown.err)


def test_bar_leaves_no_monitor_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bar, "monitor", None)  # another tqdm bar may have started one
    list(with_progress([GenerationResult("one", "", 0, 3, "stop")], 1))
    assert Bar.monitor is None
