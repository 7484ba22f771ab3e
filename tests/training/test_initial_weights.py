"""Finetuning LoRA adapters: what is saved, resuming, and switching to and from full training."""

from __future__ import annotations

import dataclasses
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import adapter_shapes, n_adapter_parameters
from gpt2_helpers.training.run import FinetuneRun, RunProgress
from toy import toy_weights
from toy_runs import (
    SHAPE,
    assert_same,
    open_run,
    round_to_fp16,
    saved_steps,
    saved_weights,
    train,
    weights_of,
    write_model,
)
from toy_runs import write_text as write_dataset

FOLDER = Path("checkpoint/run1")
BASE = "models/toy/model.ckpt"
RANK = 2
ADAM: dict[str, Any] = {"lora_rank": RANK, "optimizer": "adam", "learning_rate": 0.02}
ENDINGS = ("data-00000-of-00001", "index", "meta")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    write_model(fp16_exact=True)
    write_dataset()
    # Compiling takes longer than a few steps of a toy model; a GPU is not deterministic.
    tf.config.run_functions_eagerly(True)
    with tf.device("CPU:0"):
        yield
    tf.config.run_functions_eagerly(False)


def effective_weights(model: GPT2) -> dict[str, np.ndarray]:
    return {name: model.effective_weight(name).numpy() for name in model.variables}


def adapters(model: GPT2) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in model.adapters.items()}


def adapters_kept() -> set[int]:
    return {int(path.stem.split("-")[1]) for path in FOLDER.glob("adapters-*.index")}


def losses(steps: list[RunProgress]) -> list[float]:
    return [step.loss for step in steps]


def assert_near(first: dict[str, np.ndarray], second: dict[str, np.ndarray], off: float) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_allclose(second[name], array, rtol=0, atol=off, err_msg=name)


# --- What is saved


def test_run_has_merged_weights_and_adapters() -> None:
    run, _ = train(**ADAM)
    names = {path.name for path in FOLDER.iterdir()}
    kinds = ("model", "optimizer", "adapters")
    assert names >= {f"{kind}-4.{ending}" for kind in kinds for ending in ENDINGS}
    assert_same(saved_weights(), effective_weights(run.model))
    base = weights_of(load_model("models/toy"))
    trained = {
        name for name, array in saved_weights().items() if not np.array_equal(array, base[name])
    }
    assert trained == {name for name in base if "/h" in name and name.endswith("/w")}
    snapshot = RunFolder("checkpoint", "run1").read()
    saved_adapters = snapshot.adapters()
    assert saved_adapters is not None
    assert saved_adapters.shapes == adapter_shapes(SHAPE, RANK)
    assert_same(dict(saved_adapters), adapters(run.model))
    record = RunFolder("checkpoint", "run1").read().record
    assert (record.lora_rank, record.base_checkpoint) == (RANK, BASE)
    assert record.parameters["lora_rank"] == RANK


def test_notes_state_the_number_of_trained_parameters() -> None:
    count, weights = n_adapter_parameters(SHAPE, RANK), SHAPE.n_parameters
    expected = f"training toy, LoRA rank 2, {count:,} trained of {weights:,} parameters"
    assert f"{expected}, float32" in open_run(**ADAM).notes


def test_adapters_are_pruned_with_their_checkpoints() -> None:
    for step in open_run(**ADAM, steps=6, save_every=1, max_checkpoints=2):
        if step.saved:
            assert adapters_kept() == saved_steps() == {step.step, step.step - 1} - {0}
    train(**ADAM, steps=1, overwrite=True)
    assert adapters_kept() == saved_steps() == {7}


def test_adapters_are_merged_into_the_fp32_base() -> None:
    run = open_run(**{**ADAM, "precision": "bfloat16"}, save_every=1, max_checkpoints=0)
    base = weights_of(load_model("models/toy"))
    rounded = {n: tf.cast(tf.cast(a, "bfloat16"), tf.float32).numpy() for n, a in base.items()}
    exact: dict[str, np.ndarray] = {}
    for step in run:
        if step.step == 1:
            exact = {name: run.model.effective_weight(name, base[name]).numpy() for name in base}
            shutil.rmtree("models")  # only the rounded weights in memory are left
    assert_same(saved_weights(step=1), exact)
    assert_same(saved_weights(step=4), effective_weights(run.model))
    name = "model/wte"  # without an adapter
    np.testing.assert_array_equal(saved_weights(step=1)[name], base[name])
    np.testing.assert_array_equal(saved_weights(step=4)[name], rounded[name])


def test_adapters_are_merged_into_the_weights_of_the_resumed_run() -> None:
    train(steps=2)
    base = saved_weights()
    for step in (run := open_run(**{**ADAM, "precision": "bfloat16"}, steps=3, save_every=1)):
        exact = {name: run.model.effective_weight(name, base[name]).numpy() for name in base}
        assert_same(saved_weights(step=step.step), exact)


def test_base_checkpoint_that_is_overwritten_is_merged_into_once() -> None:
    train(steps=2)
    options = {**ADAM, "precision": "bfloat16", "restore_from": str(FOLDER)}
    base = saved_weights()
    run = open_run(**options, save_every=1)
    for step in run:
        if step.step == 2:
            expected = {name: run.model.effective_weight(name, base[name]).numpy() for name in base}
            assert_same(saved_weights(step=2), expected)
            assert run.folder.read().record.base_checkpoint == ""
    assert_same(saved_weights(step=4), effective_weights(run.model))


def test_full_training_deletes_earlier_adapters_of_the_same_step() -> None:
    train(**ADAM, steps=2)
    train(steps=2, restore_from="fresh")
    assert saved_steps() == {2}
    assert adapters_kept() == set()


def test_nan_adapters_are_never_saved() -> None:
    run = open_run(**ADAM, save_every=3)
    variable = next(iter(run.model.adapters.values()))
    training = iter(run)
    for _ in range(4):
        next(training)
    variable.assign(variable * np.nan)
    with pytest.raises(Gpt2Error, match=r"weights are NaN .* at step 4 \(last checkpoint: step 3"):
        next(training)
    assert adapters_kept() == saved_steps() == {3}


# --- Resuming

ALL_OPTIONS: dict[str, Any] = {
    **ADAM,
    "steps": 4,
    "batch_size": 1,
    "accumulate_gradients": 2,
    "dropout": 0.1,
    "lr_schedule": "cosine",
    "warmup_steps": 2,
    "validation_split": 0.2,
    "eval_every": 2,
}


def train_two_steps_and_interrupt() -> list[RunProgress]:
    first = []
    for step in open_run(**ALL_OPTIONS):
        first.append(step)
        if step.step == 2:
            signal.raise_signal(signal.SIGINT)
    return first


def test_interrupted_run_resumes_exactly() -> None:
    whole, steps = train(**ALL_OPTIONS, run_name="whole")
    train_two_steps_and_interrupt()
    resumed, rest = train(**{**ALL_OPTIONS, "steps": 2, "seed": None})
    assert losses(rest) == losses(steps[2:])
    for one, other in zip(steps[2:], rest, strict=True):
        assert (one.validation_loss, one.learning_rate) == (
            other.validation_loss,
            other.learning_rate,
        )
    assert_same(adapters(whole.model), adapters(resumed.model))
    assert_same(saved_weights("whole"), saved_weights())
    assert not any("restarts" in note or "missing" in note for note in resumed.notes)
    assert resumed.folder.read().record.base_checkpoint == BASE


def test_run_without_its_base_model_resumes_from_its_own_weights() -> None:
    whole, steps = train(**ALL_OPTIONS, run_name="whole")
    assert losses(train_two_steps_and_interrupt()) == losses(steps[:2])
    shutil.rmtree("models")
    resumed, rest = train(**{**ALL_OPTIONS, "steps": 2, "seed": None})
    assert any(f"({BASE}) is missing or has changed" in n for n in resumed.notes)
    assert losses(rest) == pytest.approx(losses(steps[2:]), abs=1e-4)
    assert_near(adapters(whole.model), adapters(resumed.model), 1e-3)
    assert resumed.record.base_checkpoint == ""
    assert not any("restarts" in note for note in resumed.notes)


@pytest.mark.parametrize("change", ["other weights", "trained further", "other shape"])
def test_changed_base_model_is_not_used(change: str) -> None:
    train(**ADAM, steps=1)
    if change == "other weights":
        write_model(seed=5)
    elif change == "other shape":
        write_model(shape=dataclasses.replace(SHAPE, n_layer=1))
    else:
        model = load_model("models/toy")
        matrix = model.variables["model/h0/attn/c_attn/w"]
        matrix.assign(matrix + 0.001)
        save_model(model, "models/toy")
    run = open_run(**ADAM)
    assert any(f"({BASE}) is missing or has changed" in n for n in run.notes)
    assert_near(effective_weights(run.model), saved_weights(), 1e-6)


def test_base_model_is_recognized_despite_rounded_weights() -> None:
    write_model()
    options = {**ADAM, "precision": "bfloat16", "steps": 1}
    for _ in range(2):
        run, _ = train(**options)
        assert run.record.base_checkpoint == BASE
    shutil.move("models", "elsewhere")
    train(**options)
    shutil.move("elsewhere", "models")
    record = run.folder.read().record
    record.base_checkpoint = BASE
    record.save(run.folder.path)
    assert open_run(**options).record.base_checkpoint == BASE


def test_full_training_starts_from_the_merged_weights() -> None:
    train(**ADAM)
    before = saved_weights()
    run = open_run(steps=1, optimizer="adam", lora_rank=0)
    assert_same(weights_of(run.model), before)
    assert not run.model.adapters
    expected = (
        "run1 was trained with adapters, which are merged into its weights: lora_rank=0 trains all "
        "of them; starting with a fresh optimizer"
    )
    assert expected in run.notes
    assert [step.step for step in run] == [5]
    assert adapters_kept() == set()
    assert (run.folder.read().record.lora_rank, run.folder.read().record.base_checkpoint) == (0, "")
    changed = saved_weights()
    assert not any(np.array_equal(changed[name], array) for name, array in before.items())


@pytest.mark.parametrize("before", [{}, {"lora_rank": 3}])
def test_adapters_of_another_rank_start_on_the_merged_weights(before: dict[str, Any]) -> None:
    train(**before, optimizer="adam", steps=3)
    weights = saved_weights()
    run = open_run(**ADAM, steps=2)
    assert_same(effective_weights(run.model), round_to_fp16(weights))
    assert run.record.base_checkpoint == str(FOLDER / "model-3")
    reason = (
        "training new ones of rank 2" if before else "run1 has no adapters yet: training new ones"
    )
    assert any(reason in note and "fresh optimizer" in note for note in run.notes)
    assert not run.trainer.state()["optimizer/0"]  # it has made no step
    assert [step.step for step in run] == [4, 5]
    # The base checkpoint is kept while the adapters are trained.
    assert saved_steps() == {3, 5}
    again, _ = train(**ADAM, steps=1)
    assert saved_steps() == {3, 6}
    held = {name: variable.numpy() for name, variable in again.model.variables.items()}
    assert_same(held, round_to_fp16(weights))
    train(optimizer="adam", steps=1)
    assert saved_steps() == {7}


def test_optimizer_restarts_if_the_adapters_are_lost() -> None:
    train(**ADAM)
    for path in FOLDER.glob("adapters-*"):
        path.unlink()
    run = open_run(**ADAM)
    assert not run.trainer.state()["optimizer/0"]
    assert run.trainer.step == 4
    assert any("run1 has no adapters yet" in note for note in run.notes)


@pytest.mark.parametrize("place", ["fresh", "models/toy", "checkpoint/run1"])
def test_new_adapters_on_a_base_model_or_another_run(place: str) -> None:
    train(**ADAM, run_name="run1")
    weights = saved_weights() if "run1" in place else weights_of(load_model("models/toy"))
    run = open_run(**ADAM, restore_from=place, run_name="run1" if place == "fresh" else "second")
    assert run.trainer.step == 0
    assert_same(effective_weights(run.model), round_to_fp16(weights))
    assert run.record.base_checkpoint == ("checkpoint/run1/model-4" if "run1" in place else BASE)


# --- Early stopping


@pytest.fixture
def worsening() -> dict[str, Any]:
    """Learning one letter unlearns the other: the best validation loss is that of step 4."""
    write_dataset("a.txt", "a" * 300)
    write_dataset("z.txt", "z" * 100)
    return {
        **ADAM,
        "learning_rate": 0.1,
        "dataset": "a.txt",
        "validation_data": "z.txt",
        "eval_every": 2,
        "early_stopping_patience": 2,
        "steps": 50,
        "save_every": 1,
    }


def test_early_stopping_restores_the_best_adapters(worsening: dict[str, Any]) -> None:
    at_best: list[dict[str, np.ndarray]] = []
    run = open_run(**worsening)
    for step in run:
        if step.is_best:
            at_best = [effective_weights(run.model), adapters(run.model)]
    assert run.trainer.step == 8
    assert saved_steps() == adapters_kept() == {4}
    assert_same(saved_weights(), at_best[0])
    assert_same(effective_weights(run.model), round_to_fp16(at_best[0]))
    saved = RunFolder("checkpoint", "run1").read().adapters()
    assert saved is not None
    assert_same(dict(saved), at_best[1])
    assert_same(texts_of(run), texts_of_the_saved(run))
    again = open_run(**{**worsening, "steps": 1})
    assert_same(adapters(again.model), at_best[1])
    assert [step.step for step in again] == [5]


def test_best_checkpoint_of_another_rank_is_restored(worsening: dict[str, Any]) -> None:
    first = open_run(**worsening)
    at_best: dict[str, np.ndarray] = {}
    for step in first:
        if step.is_best:
            at_best = effective_weights(first.model)
        if step.step == 6:
            break
    run, steps = train(**{**worsening, "lora_rank": 3})
    assert [step.step for step in steps] == [7, 8]
    assert saved_steps() == adapters_kept() == {4}
    assert_same(effective_weights(run.model), round_to_fp16(at_best))
    again = open_run(**worsening)  # with the rank of the best checkpoint
    assert_near(effective_weights(again.model), at_best, 1e-6)


# --- Texts


def texts_of(run: FinetuneRun, model: GPT2 | None = None) -> dict[str, np.ndarray]:
    config = SamplingConfig(length=20, nsamples=3, batch_size=2, seed=7, top_k=20)
    decoders = DecoderPool(model) if model else run.decoders
    found = generate(decoders, run.tokenizer, "What", config)
    return {str(text.index): np.array(str(text)) for text in found}


def texts_of_the_saved(run: FinetuneRun, step: int | None = None) -> dict[str, np.ndarray]:
    checkpoint = None if step is None else f"model-{step}"
    return texts_of(run, load_model(FOLDER, checkpoint=checkpoint))


@pytest.mark.parametrize("decoder", ["CPU", "GPU"])
def test_model_in_memory_generates_what_the_saved_run_does(
    monkeypatch: pytest.MonkeyPatch, decoder: str
) -> None:
    if decoder == "GPU":
        monkeypatch.setattr("gpt2_helpers.generation.decoders.runs_on_tflite", lambda _: False)
    tf.config.run_functions_eagerly(False)
    run = open_run(**{**ADAM, "learning_rate": 0.1}, save_every=2, sample_every=2, sample_length=9)
    generated = [texts_of(run)]
    for step in run:
        if step.saved:
            generated.append(texts_of(run))
            assert_same(generated[-1], texts_of_the_saved(run, step.step))
            assert len(step.samples) == 1
    assert_same(texts_of(run), texts_of_the_saved(run))
    assert len({str(texts) for texts in generated}) == 3  # they differ since training continued


def test_adapters_are_a_standard_tensorflow_checkpoint() -> None:
    run, _ = train(**ADAM, steps=1)
    listed = {name: tuple(s) for name, s in tf.train.list_variables(str(FOLDER / "adapters-1"))}
    assert listed == adapter_shapes(SHAPE, RANK)
    plain = GPT2(SHAPE, round_to_fp16(toy_weights(SHAPE)))
    plain.load_adapters(WeightsReader(FOLDER / "adapters-1"))
    assert_same(effective_weights(plain), effective_weights(run.model))
