"""Callbacks of a run: TensorBoard, backups and samples."""

from __future__ import annotations

import dataclasses
import signal
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.callbacks import Backup, SampleWriter
from gpt2_helpers.training.run import RunProgress
from toy import toy_tokenizer
from toy_runs import (
    RUN1,
    SHAPE,
    assert_same,
    open_run,
    saved_steps,
    saved_weights,
    train,
    write_model,
)

pytestmark = pytest.mark.usefixtures("workplace", "eager")


def losses(steps: list[RunProgress]) -> list[tuple[int, float]]:
    return [(step.step, step.loss) for step in steps]


def test_event_file_has_the_losses() -> None:
    _, steps = train(validation_split=0.2, eval_every=2)
    (path,) = RUN1.glob("events*")
    tf.config.run_functions_eagerly(False)  # tf.data warns in eager mode
    # Reading verifies the checksum of each record.
    events = [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    assert events[0].file_version == "brain.Event:2"
    numbers = {
        event.step: {value.tag: value.simple_value for value in event.summary.value}
        for event in events[1:]
    }
    for step in steps:
        expected = {
            "loss": step.loss,
            "average_loss": step.average_loss,
            "learning_rate": step.learning_rate,
        }
        if step.validation_loss is not None:
            expected["validation_loss"] = step.validation_loss
        assert numbers.pop(step.step) == pytest.approx(expected)
    assert not numbers


@pytest.mark.parametrize("end", ["normally", "interrupted", "left"])
def test_backup_sees_a_complete_run_after_each_save(end: str) -> None:
    run = open_run(steps=5 if end == "normally" else -1, save_every=2)
    copies: list[tuple[int, set[int]]] = []

    def copy(folder: RunFolder) -> None:
        (events,) = folder.path.glob("events*")
        tf.config.run_functions_eagerly(False)  # tf.data warns in eager mode
        read = tf.data.TFRecordDataset(str(events)).as_numpy_iterator()
        tf.config.run_functions_eagerly(True)
        copies.append((folder.read().step, {Event.FromString(line).step for line in read}))

    run.callbacks.append(Backup(copy))
    for step in run:
        if step.step == 5 and end == "interrupted":
            signal.raise_signal(signal.SIGINT)
        elif step.step == 5 and end == "left":
            break
    assert copies == [(2, {0, 1, 2}), (4, {0, 1, 2, 3, 4}), (5, {0, 1, 2, 3, 4, 5})]


@pytest.mark.parametrize(("save_every", "expected"), [(0, [7]), (3, [3, 6, 7])])
def test_checkpoint_that_is_only_the_best_is_not_backed_up(
    save_every: int, expected: list[int]
) -> None:
    run = open_run(
        steps=7,
        validation_split=0.2,
        eval_every=1,
        early_stopping_patience=7,
        save_every=save_every,
    )
    copied: list[int] = []
    run.callbacks.append(Backup(lambda folder: copied.append(folder.read().step)))
    saved = [step.step for step in run if step.saved]
    assert {1, 2, 4, 5} <= set(saved)  # each was the best so far
    assert copied == expected


def test_restored_best_checkpoint_is_backed_up(
    worsening: dict[str, Any],
) -> None:
    run = open_run(**{**worsening, "save_every": 0})
    copied: list[int] = []
    run.callbacks.append(Backup(lambda folder: copied.append(folder.read().step)))
    assert [step.step for step in run if step.saved] == [2]
    assert copied == [2]


def test_samples_are_written_in_the_format_of_gpt_2_simple() -> None:
    _, steps = train(sample_every=2, sample_num=2, sample_length=6, sample_dir="out")
    assert sorted(path.name for path in Path("out/run1").iterdir()) == ["samples-2", "samples-4"]
    assert [len(step.samples) for step in steps] == [0, 2, 0, 2]
    for step in steps[1::2]:
        first, second = step.samples
        shown = f"======== SAMPLE 1 ========\n{first}\n\n======== SAMPLE 2 ========\n{second}\n"
        assert Path(f"out/run1/samples-{step.step}").read_text(encoding="utf-8") == shown
        assert first != second


def test_sampling_does_not_change_training() -> None:
    _, plain = train(run_name="plain")
    _, sampled = train(run_name="sampled", sample_every=1, sample_length=3)
    assert losses(plain) == losses(sampled)
    assert_same(saved_weights("plain"), saved_weights("sampled"))
    again = train(run_name="again", sample_every=1, sample_length=3)[1]
    assert [step.samples for step in again] == [step.samples for step in sampled]


@pytest.mark.usefixtures("compiled")
def test_decoders_of_a_large_model_are_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gpt2_helpers.training.callbacks.is_large", lambda config: True)
    run = open_run(steps=2, sample_every=1, sample_length=3)
    run.model.decoding_precision = "bfloat16"  # TensorFlow's graphs, as on a GPU
    created: list[weakref.ref[Any]] = []
    get = run.decoders.get

    def get_and_record(*given: Any) -> Any:
        decoder = get(*given)
        created.append(weakref.ref(decoder.weights))
        return decoder

    monkeypatch.setattr(run.decoders, "get", get_and_record)
    for _ in run:
        assert created
        assert created[-1]() is None
    assert len(created) == 2


@pytest.mark.parametrize(
    ("data", "starts"),
    [
        ("One line.\nTwo lines.\n\nThree lines.\n" * 30, {"One", "Two", "Three"}),
        ("<|startoftext|>A row<|endoftext|>\n<|startoftext|>Another<|endoftext|>\n" * 30,
         {"<|startoftext|>"}),
        ("A file.<|endoftext|>Next file.<|endoftext|>" * 30, {"A", "Next"}),
        ("x" * 100, {"x"}),
    ],
    ids=["paragraphs", "table", "files", "one paragraph"],
)  # fmt: skip
def test_a_sample_starts_as_a_random_paragraph_does(data: str, starts: set[str]) -> None:
    tokenizer = toy_tokenizer()
    tokens = np.array(tokenizer.encode(data))
    run = open_run()
    writer = SampleWriter(run.decoders, tokenizer, tokens, RunConfig(sample_length=1), seed=1)
    found = {writer._random_start(seed) for seed in range(60)}
    # After a place in the last paragraph there is none: the sample starts with the token there.
    tokens_of_last = {tokenizer.decode([token]) for token in tokens[-40:]}
    assert starts <= found <= starts | tokens_of_last | {""}


def test_sample_prompt_can_be_any_token() -> None:
    # Its text encodes to two tokens, since a letter and a digit are never in one word.
    vocabulary = toy_tokenizer().vocabulary
    index = len(vocabulary)
    tokenizer = Tokenizer({**vocabulary, "a1": index}, [])
    folder = write_model("odd", shape=dataclasses.replace(SHAPE, n_vocab=index + 1))
    tokenizer.save(folder)
    np.savez("odd.npz", np.full(100, index))
    _, steps = train("odd.npz", steps=1, model_name="odd", sample_every=1, sample_length=1)
    assert steps[0].samples[0].startswith("a1")


def test_training_is_saved_if_samples_cannot_be_written() -> None:
    Path("samples").touch()
    with pytest.raises(OptionError, match="samples/run1: .* use another sample_dir"):
        list(open_run(sample_every=2, sample_length=2))
    assert saved_steps() == {2}
