"""Memorization: the step at which it begins, and stopping there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.errors import OptionError, OutOfMemoryError
from gpt2_helpers.training.callbacks import SampleWriter
from gpt2_helpers.training.memorization import N_SAMPLES, SAMPLE_TOKENS, MemorizationMonitor
from gpt2_helpers.training.trainer import Progress
from toy import toy_tokenizer
from toy_runs import open_run, train, write_text

TRAINING = "What is the best thing that you ever have been to?"
OTHER = "How would your people end it? What ever is that to you and the best people in it? "


@pytest.fixture
def overfitting(workplace: None) -> dict[str, Any]:
    """Options with which a toy model learns a short text by heart."""
    write_text("short.txt", f"{TRAINING} " * 20)
    write_text("other.txt", OTHER * 5)
    return {
        "dataset": "short.txt",
        "validation_data": "other.txt",
        "optimizer": "adam",
        "learning_rate": 0.003,
        "eval_every": 10,
        "steps": 150,
    }


def lines(notes: list[str]) -> list[str]:
    return [note for note in notes if note.startswith("memorization begins")]


def test_the_step_at_which_memorization_begins(overfitting: dict[str, Any]) -> None:
    run, steps = train(**overfitting)
    (line,) = lines(run.notes)
    step = run.record.memorized_from
    assert 10 < step <= 150
    assert line.startswith(f"memorization begins at step {step}: since step ")
    assert steps[-1].step == 150, "it only says so"
    assert run.folder.read().record.memorized_from == step
    card = (run.folder.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"Memorization of the training text began at step {step}." in card


@pytest.mark.parametrize("patience", [0, 2])
def test_training_stops_when_memorization_has_begun(
    overfitting: dict[str, Any], patience: int
) -> None:
    run, steps = train(
        **overfitting,
        early_stopping_monitor="memorization",
        early_stopping_patience=patience,
        save_every=0,
    )
    assert len(lines(run.notes)) == 1
    begin = int(lines(run.notes)[0].split(":")[0].split()[-1])
    assert steps[-1].step == begin + 10 * max(0, patience - 1)
    assert [step.step for step in steps if step.stops_early] == [steps[-1].step]
    best = max(step.step for step in steps if step.is_best)
    assert run.notes[-1] == f"stopped early: restored the best checkpoint, step {best}"
    assert run.folder.read().step == best


def test_a_rising_loss_without_copies_is_not_memorization(worsening: dict[str, Any]) -> None:
    options = {**worsening, "early_stopping_monitor": "memorization", "steps": 8}
    run, steps = train(**options)
    assert steps[-1].validation_loss is not None
    assert steps[1].validation_loss is not None
    assert steps[-1].validation_loss > steps[1].validation_loss
    assert lines(run.notes) == []
    assert steps[-1].step == 8
    assert not any(step.stops_early for step in steps)


@pytest.mark.usefixtures("workplace")
def test_stopping_needs_validation_data() -> None:
    with pytest.raises(OptionError, match="early_stopping_monitor=memorization needs a validation"):
        open_run(early_stopping_monitor="memorization")


class Samples(SampleWriter):
    """Returns texts that were given, or raises an error."""

    def __init__(self, text: str, error: Exception | None = None) -> None:
        self.text, self.error = text, error

    def continuations(
        self, step: int, count: int, n_tokens: int, prompt: str | None = None
    ) -> tuple[str, ...]:
        if self.error is not None:
            raise self.error
        assert (count, n_tokens) == (N_SAMPLES, SAMPLE_TOKENS)
        return (self.text,) * count


def monitor(
    samples: Samples, validation: str = OTHER, has_documents: bool = False
) -> tuple[MemorizationMonitor, RunRecord]:
    losses = [(step, 5.0 - 0.1 * step) for step in range(1, 31)]
    record = RunRecord(losses=losses, validation_losses=[(10, 3.0), (20, 2.0), (30, 2.5)])
    tokenizer = toy_tokenizer()
    training, held_out = (
        np.array(tokenizer.encode(text, special=True)) for text in (f"{TRAINING} " * 9, validation)
    )
    return (
        MemorizationMonitor(record, samples, tokenizer, training, held_out, has_documents),
        record,
    )


def progress(step: int, is_best: bool = False) -> Progress:
    return Progress(step, None, 2.0, 2.0, 2.5, 0.1, 1.0, 1.0, None, is_best=is_best)


def test_samples_like_the_validation_text_are_not_copies() -> None:
    found, record = monitor(Samples(OTHER))
    assert found.update(progress(30)) is None
    assert (record.memorized_from, found.n_evaluations) == (0, 0)
    found, record = monitor(Samples(TRAINING), validation=TRAINING * 9)
    assert found.update(progress(30)) is None, "the validation text has as many copied words"


@pytest.mark.parametrize("marker", ["", "\n<|completion|>\nHow would your people end it?"])
def test_documents_are_compared_with_documents(marker: str) -> None:
    rows = "".join(f"<|startoftext|>{OTHER}{marker}<|endoftext|>" for _ in range(40))
    found, record = monitor(Samples(f"<|startoftext|>{TRAINING}"), rows, has_documents=True)
    line = found.update(progress(30))
    assert line is not None
    assert line.endswith("copied from the training text, 0% of those of the validation text")
    assert (record.memorized_from, found.n_evaluations) == (30, 1)
    assert found.update(progress(40)) is None, "it is said once"
    record.forget_after(20)
    assert record.memorized_from == 0


def test_a_better_validation_loss_takes_it_back() -> None:
    found, record = monitor(Samples(TRAINING))
    assert found.update(progress(30)) is not None
    record.validation_losses.append((40, 1.5))
    assert found.update(progress(40, is_best=True)) is None
    assert (record.memorized_from, found.n_evaluations) == (0, 0)


def test_too_little_memory_does_not_end_training() -> None:
    found, record = monitor(Samples("", OutOfMemoryError("no memory")))
    line = found.update(progress(30))
    assert line is not None
    assert "too little memory" in line
    assert record.memorized_from == 0
