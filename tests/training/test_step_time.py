"""The time of a step: measured now, or by an earlier run. How well it agrees is not a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.config import FinetuneConfig, ModelConfig
from gpt2_helpers.system import device
from gpt2_helpers.training import step_time
from gpt2_helpers.training.step_time import sequence_seconds
from toy_runs import save_run

TOY = ModelConfig(n_vocab=300, n_ctx=16, n_embd=8, n_head=2, n_layer=2)


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    tf.config.run_functions_eagerly(True)  # compiling takes longer than the steps
    sequence_seconds.cache_clear()
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let a layer take 1 s and the loss 10 s for each sequence; returns the calls."""
    calls: list[dict[str, Any]] = []

    def layer(model: ModelConfig, dtype: Any, window: int, batch: int, *options: Any) -> float:
        calls.append({"window": window, "batch": batch, "options": options})
        return 1.0 * batch

    monkeypatch.setattr(step_time, "_layer_seconds", layer)
    monkeypatch.setattr(step_time, "_loss_seconds", lambda model, dtype, rows, *_: 10 * rows / 16)
    return calls


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lora_rank": 2, "train_embeddings": False},
        {"recompute": True},
        {"dropout": 0.1},
        {"train_embeddings": False},
    ],
    ids=str,
)
def test_every_kind_of_training_can_be_timed(options: dict[str, Any]) -> None:
    assert sequence_seconds(TOY, "float32", 16, **options) > 0


def test_sixteen_bit_training_and_the_compiled_graph_can_be_timed() -> None:
    tf.config.run_functions_eagerly(False)
    assert sequence_seconds(TOY, "bfloat16", 16, 2) > 0


def test_layers_and_sequences_add_up(seconds: list[dict[str, Any]], tmp_path: Path) -> None:
    config = FinetuneConfig(accumulate_gradients=5, batch_size=3)
    step = step_time.step_time("toy", TOY, config, checkpoint_dir=tmp_path)
    assert step.seconds == pytest.approx(15 * (2 * 1 + 10))
    assert step.of_steps(10) == pytest.approx(10 * step.seconds)
    assert "one layer and the loss were timed" in step.source
    assert seconds[0]["window"] == 16


def test_a_short_text_has_shorter_steps(seconds: list[dict[str, Any]], tmp_path: Path) -> None:
    config = FinetuneConfig(accumulate_gradients=1)
    short = step_time.step_time("toy", TOY, config, window=8, checkpoint_dir=tmp_path)
    assert short.seconds == pytest.approx(2 + 5)
    assert seconds[0]["window"] == 8


def test_an_earlier_run_with_the_same_options_is_preferred(
    seconds: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = FinetuneConfig(accumulate_gradients=4)
    folder = save_run("mine", checkpoint_dir=str(tmp_path)).path
    record = RunRecord.load(folder)
    record.base_model, record.parameters = "toy", dataclasses.asdict(config)
    record.device, record.tokens_per_second = device.name(), 64.0
    record.save(folder)

    def source(name: str = "toy", **options: Any) -> str:
        changed = dataclasses.replace(config, **options)
        return step_time.step_time(name, TOY, changed, checkpoint_dir=tmp_path).source

    found = step_time.step_time("toy", TOY, config, checkpoint_dir=tmp_path)
    assert found == step_time.StepTime(1.0, "measured in mine on this device")
    assert "mine" in source(steps=7, learning_rate=0.1)
    for other in ({"lora_rank": 2}, {"precision": "float16"}, {"batch_size": 2}):
        assert "mine" not in source(**other), other
    assert "mine" not in source("tiny")
    record.device = "another one"
    record.save(folder)
    assert "mine" not in source()
