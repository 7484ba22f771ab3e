"""Finetunes toy models in the current folder: model folders, datasets, and short runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.training.run import FinetuneRun, RunProgress
from toy import TOY, toy_model, toy_tokenizer, toy_weights

SHAPE = dataclasses.replace(TOY, n_vocab=toy_tokenizer().n_vocab, n_ctx=32)
ONE_LAYER = dataclasses.replace(SHAPE, n_layer=1)  # compiled in half the time
RUN1 = Path("checkpoint/run1")
TEXT = "What is the best thing that you ever have been to? How would your people end it? " * 15

# SGD compiles fastest; nothing is sampled, and nothing saved before the end.
SHORT: dict[str, Any] = {
    "steps": 4,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "accumulate_gradients": 1,
    "batch_size": 2,
    "precision": "float32",
    "seed": 1,
    "model_name": "toy",
    "sample_every": 0,
}


def write_model(
    name: str = "toy", seed: int = 0, shape: ModelConfig = SHAPE, fp16_exact: bool = False
) -> Path:
    """A model folder `models/NAME`, as a download would leave it.

    With `fp16_exact`, the weights are representable in fp16, so freezing does not change them.
    """
    folder = Path("models") / name
    weights = toy_weights(shape, seed)
    save_model(GPT2(shape, round_to_fp16(weights) if fp16_exact else weights), folder)
    toy_tokenizer().save(folder)
    return folder


def write_text(name: str = "text.txt", text: str = TEXT) -> Path:
    """A dataset in the current folder."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def short(**options: Any) -> list[Any]:
    """The configs of a finetuning run: the SHORT options with some changes."""
    options = {**SHORT, **options}
    configs: list[Any] = []
    for kind in (FinetuneConfig, RunConfig, DatasetConfig):
        names = {field.name for field in dataclasses.fields(kind)} & options.keys()
        configs.append(kind(**{name: options.pop(name) for name in names}))
    assert not options, f"no such options: {options}"
    return configs


def open_run(dataset: str | Path = "text.txt", **options: Any) -> FinetuneRun:
    """A finetuning of `models/toy` with the SHORT options and some changes."""
    return FinetuneRun(dataset, *short(**options))


def train(
    dataset: str | Path = "text.txt", **options: Any
) -> tuple[FinetuneRun, list[RunProgress]]:
    """Train to the end; returns the run and the progress of each step."""
    run = open_run(dataset, **options)
    return run, list(run)


def round_to_fp16(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of a frozen model that computes in fp32."""
    return {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}


def weights_of(model: GPT2) -> dict[str, np.ndarray]:
    """A copy of the weights."""
    return {name: variable.numpy() for name, variable in model.variables.items()}


def saved_weights(run: str = "run1", step: int | None = None) -> dict[str, np.ndarray]:
    """The weights in a run folder, of its newest checkpoint by default."""
    checkpoint = None if step is None else f"model-{step}"
    return weights_of(load_model(Path("checkpoint", run), checkpoint=checkpoint))


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    """Assert that the weights are equal bit for bit."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)


def saved_steps(run: str = "run1") -> set[int]:
    """The steps whose weights are in a run folder."""
    return {int(p.stem.split("-")[1]) for p in Path("checkpoint", run).glob("model-*.index")}


def save_run(
    name: str = "run1",
    step: int = 4,
    checkpoint_dir: str | Path = "checkpoint",
    adapters: bool = False,
    **record: Any,
) -> RunFolder:
    """A run folder as training would leave it at `step`, without training."""
    folder = RunFolder(checkpoint_dir, name)
    state = {"numbers": np.full(5, step)}
    model = toy_model(SHAPE, seed=step)
    if adapters:
        model.load_adapters(new_adapters(SHAPE, 2, seed=step))
    folder.save(model, toy_tokenizer(), step, state, RunRecord(base_model="toy", **record))
    (folder.path / f"events.out.tfevents.{step}").write_bytes(b"losses")
    return folder
