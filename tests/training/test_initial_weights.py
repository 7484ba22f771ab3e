"""Finetunings of adapters: what such a run keeps, what it goes on from, what it is turned into."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
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
from paths import ROOT, SUPPORT
from toy import toy_weights
from toy_runs import (
    SHAPE,
    assert_same,
    open_run,
    round_to_fp16,
    saved_steps,
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
    # A few steps of a toy take less time than compiling one; a GPU does not repeat to the last bit.
    tf.config.run_functions_eagerly(True)
    with tf.device("CPU:0"):
        yield
    tf.config.run_functions_eagerly(False)


def effective_weights(model: GPT2) -> dict[str, np.ndarray]:
    return {name: model.effective_weight(name).numpy() for name in model.variables}


def adapters(model: GPT2) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in model.adapters.items()}


def in_folder(step: int | None = None, name: str = "run1") -> dict[str, np.ndarray]:
    checkpoint = None if step is None else f"model-{step}"
    return weights_of(load_model(Path("checkpoint", name), checkpoint=checkpoint))


def adapters_kept() -> set[int]:
    return {int(path.stem.split("-")[1]) for path in FOLDER.glob("adapters-*.index")}


def losses(steps: list[RunProgress]) -> list[float]:
    return [step.loss for step in steps]


def assert_near(first: dict[str, np.ndarray], second: dict[str, np.ndarray], off: float) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_allclose(second[name], array, rtol=0, atol=off, err_msg=name)


# --- What such a run keeps


def test_the_run_is_an_ordinary_one_with_its_adapters_beside_the_weights() -> None:
    run, _ = train(**ADAM)
    names = {path.name for path in FOLDER.iterdir()}
    kinds = ("model", "optimizer", "adapters")
    assert names >= {f"{kind}-4.{ending}" for kind in kinds for ending in ENDINGS}
    assert_same(in_folder(), effective_weights(run.model))
    base = weights_of(load_model("models/toy"))
    trained = {name for name, array in in_folder().items() if not np.array_equal(array, base[name])}
    assert trained == {name for name in base if "/h" in name and name.endswith("/w")}
    saved = RunFolder("checkpoint", "run1").read().adapters()
    assert saved is not None
    assert saved.shapes == adapter_shapes(SHAPE, RANK)
    assert_same(dict(saved), adapters(run.model))
    record = RunFolder("checkpoint", "run1").read().record
    assert (record.lora_rank, record.base_checkpoint) == (RANK, BASE)
    assert record.parameters["lora_rank"] == RANK


def test_notes_say_how_many_numbers_are_trained() -> None:
    count, weights = n_adapter_parameters(SHAPE, RANK), SHAPE.n_parameters
    expected = f"training toy, LoRA rank 2, {count:,} trained of {weights:,} parameters"
    assert f"{expected}, float32" in open_run(**ADAM).notes


def test_checkpoints_come_and_go_with_their_adapters() -> None:
    for step in open_run(**ADAM, steps=6, save_every=1, max_checkpoints=2):
        if step.saved:
            assert adapters_kept() == saved_steps() == {step.step, step.step - 1} - {0}
    train(**ADAM, steps=1, overwrite=True)
    assert adapters_kept() == saved_steps() == {7}


def test_weights_are_merged_into_those_of_the_base_and_not_into_rounded_ones() -> None:
    run = open_run(**{**ADAM, "precision": "bfloat16"}, save_every=1, max_checkpoints=0)
    base = weights_of(load_model("models/toy"))
    rounded = {n: tf.cast(tf.cast(a, "bfloat16"), tf.float32).numpy() for n, a in base.items()}
    exact: dict[str, np.ndarray] = {}
    for step in run:
        if step.step == 1:
            exact = {name: run.model.effective_weight(name, base[name]).numpy() for name in base}
            shutil.rmtree("models")  # from now on there are no others than the rounded ones
    assert_same(in_folder(1), exact)
    assert_same(in_folder(4), effective_weights(run.model))
    name = "model/wte"  # which has no adapter
    np.testing.assert_array_equal(in_folder(1)[name], base[name])
    np.testing.assert_array_equal(in_folder(4)[name], rounded[name])


def test_every_save_is_merged_into_the_runs_own_weights_that_it_began_on() -> None:
    train(steps=2)
    base = in_folder()
    for step in (run := open_run(**{**ADAM, "precision": "bfloat16"}, steps=3, save_every=1)):
        exact = {name: run.model.effective_weight(name, base[name]).numpy() for name in base}
        assert_same(in_folder(step.step), exact)


def test_a_save_in_the_place_of_its_own_base_is_merged_only_once() -> None:
    train(steps=2)
    options = {**ADAM, "precision": "bfloat16", "restore_from": str(FOLDER / "model-2")}
    base = in_folder()
    run = open_run(**options, save_every=1)
    for step in run:
        if step.step == 2:
            expected = {name: run.model.effective_weight(name, base[name]).numpy() for name in base}
            assert_same(in_folder(2), expected)
            assert run.folder.read().record.base_checkpoint == ""
    assert_same(in_folder(4), effective_weights(run.model))


def test_weights_that_are_saved_without_adapters_keep_none_of_a_time_before() -> None:
    train(**ADAM, steps=2)
    train(steps=2, restore_from="fresh")
    assert saved_steps() == {2}
    assert adapters_kept() == set()


def test_adapters_that_are_no_numbers_are_never_saved() -> None:
    run = open_run(**ADAM, save_every=3)
    spoilt = next(iter(run.model.adapters.values()))
    training = iter(run)
    for _ in range(4):
        next(training)
    spoilt.assign(spoilt * np.nan)
    with pytest.raises(Gpt2Error, match=r"weights are NaN .* at step 4 \(last checkpoint: step 3"):
        next(training)
    assert adapters_kept() == saved_steps() == {3}


# --- Going on

THOROUGH: dict[str, Any] = {
    **ADAM,
    "steps": 6,
    "batch_size": 1,
    "accumulate_gradients": 2,
    "dropout": 0.1,
    "lr_schedule": "cosine",
    "warmup_steps": 2,
    "validation_split": 0.2,
    "eval_every": 2,
}


def stopped_after_three() -> list[RunProgress]:
    first = []
    for step in open_run(**THOROUGH):
        first.append(step)
        if step.step == 3:
            signal.raise_signal(signal.SIGINT)
    return first


def test_a_run_goes_on_as_if_it_had_never_stopped() -> None:
    whole, steps = train(**THOROUGH, run_name="whole")
    stopped_after_three()
    resumed, rest = train(**{**THOROUGH, "steps": 3, "seed": None})
    assert losses(rest) == losses(steps[3:])
    for one, other in zip(steps[3:], rest, strict=True):
        assert (one.validation_loss, one.learning_rate) == (
            other.validation_loss,
            other.learning_rate,
        )
    assert_same(adapters(whole.model), adapters(resumed.model))
    assert_same(in_folder(name="whole"), in_folder())
    assert not any("restarts" in note or "missing" in note for note in resumed.notes)
    assert resumed.folder.read().record.base_checkpoint == BASE


def test_without_its_base_a_run_goes_on_from_its_own_weights() -> None:
    whole, steps = train(**THOROUGH, run_name="whole")
    assert losses(stopped_after_three()) == losses(steps[:3])
    shutil.rmtree("models")
    resumed, rest = train(**{**THOROUGH, "steps": 3, "seed": None})
    assert any(f"({BASE}) is missing or has changed" in n for n in resumed.notes)
    assert losses(rest) == pytest.approx(losses(steps[3:]), abs=1e-4)
    assert_near(adapters(whole.model), adapters(resumed.model), 1e-3)
    assert resumed.record.base_checkpoint == ""
    assert not any("restarts" in note for note in resumed.notes)


@pytest.mark.parametrize("fault", ["another", "trained on", "another shape"])
def test_a_base_that_became_another_is_not_taken(fault: str) -> None:
    train(**ADAM, steps=1)
    if fault == "another":
        write_model(seed=5)
    elif fault == "another shape":
        write_model(shape=dataclasses.replace(SHAPE, n_layer=1))
    else:
        model = load_model("models/toy")
        matrix = model.variables["model/h0/attn/c_attn/w"]
        matrix.assign(matrix + 0.001)
        save_model(model, "models/toy")
    run = open_run(**ADAM)
    assert any(f"({BASE}) is missing or has changed" in n for n in run.notes)
    assert_near(effective_weights(run.model), in_folder(), 1e-6)


def test_the_base_is_known_again_where_the_weights_were_rounded() -> None:
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


def test_a_run_goes_on_in_full_from_its_merged_weights() -> None:
    train(**ADAM)
    before = in_folder()
    run = open_run(steps=1, optimizer="adam", lora_rank=0)
    assert_same(weights_of(run.model), before)
    assert not run.model.adapters
    expected = (
        "run1 was trained with adapters, which are merged into its weights: lora_rank=0 trains all "
        "of them; the optimizer restarts"
    )
    assert expected in run.notes
    assert [step.step for step in run] == [5]
    assert adapters_kept() == set()
    assert (run.folder.read().record.lora_rank, run.folder.read().record.base_checkpoint) == (0, "")
    changed = in_folder()
    assert not any(np.array_equal(changed[name], array) for name, array in before.items())


@pytest.mark.parametrize("before", [{}, {"lora_rank": 3}])
def test_other_adapters_begin_anew_on_the_runs_weights(before: dict[str, Any]) -> None:
    train(**before, optimizer="adam", steps=3)
    weights = in_folder()
    run = open_run(**ADAM, steps=2)
    assert_same(effective_weights(run.model), round_to_fp16(weights))
    assert run.record.base_checkpoint == str(FOLDER / "model-3")
    said = (
        "training new ones of rank 2" if before else "run1 has no adapters yet: training new ones"
    )
    assert any(said in note and "the optimizer restarts" in note for note in run.notes)
    assert not run.trainer.state()["optimizer/0"]  # no step of it was made
    assert [step.step for step in run] == [4, 5]
    # What they stand beside is kept for as long as they are trained.
    assert saved_steps() == {3, 5}
    again, _ = train(**ADAM, steps=1)
    assert saved_steps() == {3, 6}
    held = {name: variable.numpy() for name, variable in again.model.variables.items()}
    assert_same(held, round_to_fp16(weights))
    train(optimizer="adam", steps=1)
    assert saved_steps() == {7}


def test_lost_adapters_do_not_go_on_with_the_momentum_of_those_there_were() -> None:
    train(**ADAM)
    for path in FOLDER.glob("adapters-*"):
        path.unlink()
    run = open_run(**ADAM)
    assert not run.trainer.state()["optimizer/0"]
    assert run.trainer.step == 4
    assert any("run1 has no adapters yet" in note for note in run.notes)


@pytest.mark.parametrize("place", ["fresh", "models/toy", "checkpoint/run1"])
def test_a_run_begins_anew_on_what_it_was_given(place: str) -> None:
    train(**ADAM, run_name="run1")
    weights = in_folder() if "run1" in place else weights_of(load_model("models/toy"))
    run = open_run(**ADAM, restore_from=place, run_name="run1" if place == "fresh" else "second")
    assert run.trainer.step == 0
    assert_same(effective_weights(run.model), round_to_fp16(weights))
    assert run.record.base_checkpoint == ("checkpoint/run1/model-4" if "run1" in place else BASE)


TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from toy_runs import train
run, _ = train(steps=2, batch_size=1, multi_gpu=True, model_name="small", lora_rank=2)
print(run.trainer._strategy.num_replicas_in_sync)
"""


def test_two_devices_train_like_one_with_a_batch_twice_as_large() -> None:
    write_model("small", shape=dataclasses.replace(SHAPE, n_layer=1))
    path = [str(ROOT), str(SUPPORT)]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{TWO_DEVICES}"]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines()[-1] == "2"
    train(steps=2, batch_size=2, model_name="small", lora_rank=2, run_name="one")
    assert_near(in_folder(name="one"), in_folder(), 1e-5)
    name = "model/h0/mlp/c_fc/w"
    assert not np.array_equal(in_folder()[name], weights_of(load_model("models/small"))[name])


# --- Early stopping


@pytest.fixture
def worsening() -> dict[str, Any]:
    """Learning one letter unlearns the other: the validation loss of step 4 is the best."""
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


def test_early_stopping_goes_back_to_the_best_adapters(worsening: dict[str, Any]) -> None:
    at_best: list[dict[str, np.ndarray]] = []
    run = open_run(**worsening)
    for step in run:
        if step.is_best:
            at_best = [effective_weights(run.model), adapters(run.model)]
    assert run.trainer.step == 8
    assert saved_steps() == adapters_kept() == {4}
    assert_same(in_folder(), at_best[0])
    assert_same(effective_weights(run.model), round_to_fp16(at_best[0]))
    saved = RunFolder("checkpoint", "run1").read().adapters()
    assert saved is not None
    assert_same(dict(saved), at_best[1])
    assert_same(texts_of(run), texts_of_the_saved(run))
    again = open_run(**{**worsening, "steps": 1})
    assert_same(adapters(again.model), at_best[1])
    assert [step.step for step in again] == [5]


def test_going_back_across_a_change_of_rank(worsening: dict[str, Any]) -> None:
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
    again = open_run(**worsening)  # with the rank that the best one has
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


@pytest.mark.parametrize("decoder", ["of a processor", "of a GPU"])
def test_texts_are_those_of_the_saved_run(monkeypatch: pytest.MonkeyPatch, decoder: str) -> None:
    if decoder == "of a GPU":
        monkeypatch.setattr("gpt2_helpers.generation.decoders.runs_on_tflite", lambda _: False)
    tf.config.run_functions_eagerly(False)
    run = open_run(**{**ADAM, "learning_rate": 0.1}, save_every=2, sample_every=2, sample_length=9)
    told = [texts_of(run)]
    for step in run:
        if step.saved:
            told.append(texts_of(run))
            assert_same(told[-1], texts_of_the_saved(run, step.step))
            assert len(step.samples) == 1
    assert_same(texts_of(run), texts_of_the_saved(run))
    assert len({str(texts) for texts in told}) == 3  # each time they had learned more


def test_adapters_can_be_opened_by_anything_that_reads_checkpoints() -> None:
    run, _ = train(**ADAM, steps=1)
    listed = {name: tuple(s) for name, s in tf.train.list_variables(str(FOLDER / "adapters-1"))}
    assert listed == adapter_shapes(SHAPE, RANK)
    plain = GPT2(SHAPE, round_to_fp16(toy_weights(SHAPE)))
    plain.load_adapters(WeightsReader(FOLDER / "adapters-1"))
    assert_same(effective_weights(plain), effective_weights(run.model))
