"""gpt2-helpers info: show this machine, the available models and runs, or one run."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2_helpers import __version__
from gpt2_helpers.cli.command import DONE
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    PRETRAINED_CONFIGS,
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.errors import Gpt2Error, brief, printable
from gpt2_helpers.fields import fields_of
from gpt2_helpers.system.sizes import file_size, memory_size
from gpt2_helpers.system.tensorflow_setup import init_gpus

if TYPE_CHECKING:
    from gpt2_helpers.training.memory import ModelFit

SUMMARY = "show this machine, the available models and runs, or one run"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "info",
        "[RUN]",
        "Show this machine's devices and memory and the available models and runs; or, with\n"
        "the name of a run, its checkpoints, losses and options.",
        ("", "run1", "--checkpoint-dir /data/checkpoint"),
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="name of a run")
    parser.add_field(field_of(RunConfig, "run_name", default=None, help="the same as RUN"))
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Print the overview, or the details of a run."""
    if "run" in options:
        options.run_name = options.run
    run = config_from(RunConfig, options)
    init_gpus()
    if "run_name" in options:
        lines = _run_lines(run.checkpoint_dir, run.run_name)
    else:
        lines = _overview_lines(Path(run.checkpoint_dir), Path(run.model_dir))
    print("\n".join(map(printable, lines)))  # they quote files of unknown origin
    return DONE


def _overview_lines(checkpoint_dir: Path, model_dir: Path) -> list[str]:
    """Describe this machine, the models, and the runs, newest first."""
    from gpt2_helpers.checkpoint.run_record import installed_versions
    from gpt2_helpers.checkpoint.run_search import run_names
    from gpt2_helpers.system import device

    versions = {name: v for name, v in installed_versions().items() if name != "gpt2-helpers"}
    runs = [(name, _run_summary(checkpoint_dir, name)) for name in run_names(checkpoint_dir)]
    return [
        f"gpt2-helpers {__version__}, {_join(versions)}",
        *device.describe(),
        *_models_that_fit(device.choose_precision()),
        "",
        f"models in {model_dir}:",
        *_table(list(_models(model_dir))),
        "",
        f"runs in {checkpoint_dir}:",
        *(_table(runs) or ["  none yet"]),
    ]


def _models_that_fit(precision: str) -> list[str]:
    """Which models can be finetuned here; empty if the memory size is unknown."""
    from gpt2_helpers.generation.memory import available_memory
    from gpt2_helpers.system.device import gpus
    from gpt2_helpers.training.memory import fit_models, sample_settings

    available, location = available_memory()
    if available is None:
        return []
    samples = sample_settings(RunConfig(), "auto")
    fits = fit_models(
        available, precision=precision, location=location, samples=samples, on_gpu=bool(gpus())
    )
    return [
        f"finetuning with default options, including samples, in {memory_size(available)}:",
        *(f"  {fit.line}{_time_note(fit, precision)}{_as_options(fit.changes)}" for fit in fits),
    ]


def _time_note(fit: ModelFit, precision: str) -> str:
    """How long the default number of steps takes without a GPU, if the model fits."""
    from gpt2_helpers.system import device
    from gpt2_helpers.training.cpu_time import finetuning_seconds, in_words

    if fit.changes is None or device.gpus():
        return ""
    model = PRETRAINED_CONFIGS.get(fit.name) or ModelConfig.load(BUNDLED_FOLDER)
    default = FinetuneConfig()
    finetune = dataclasses.replace(default, **fit.changes)
    time = in_words(finetuning_seconds(model, finetune, device.cores(), precision))
    smaller = default.accumulate_gradients // finetune.accumulate_gradients
    share = f" of 1/{smaller} of the tokens" if smaller > 1 else ""
    return f"; {finetune.steps:,} steps{share} take {time} without a GPU"


def _as_options(changes: Mapping[str, Any] | None) -> str:
    """Options for the command line, such as ": --lora-rank 8 --use-memory-saving-gradients"."""
    words = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        for name, value in (changes or {}).items()
    ]
    return f": {' '.join(words)}" if words else ""


def _models(model_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and shape of each available model."""
    folders = {path.parent.name: path.parent for path in model_dir.glob("*/hparams.json")}
    folders.setdefault(BUNDLED_MODEL, BUNDLED_FOLDER)
    for name, folder in sorted(folders.items()):
        try:
            source = "; comes with the package" if folder == BUNDLED_FOLDER else ""
            yield name, _shape(ModelConfig.load(folder)) + source
        except Gpt2Error as error:
            yield name, f"unusable: {error}"


def _run_summary(checkpoint_dir: Path, name: str) -> str:
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    try:
        run = RunFolder(checkpoint_dir, name).read()
    except Gpt2Error as error:
        return f"unusable: {error}"
    text = f"{run.step:,} steps"
    try:
        record = run.record
    except Gpt2Error as error:
        return f"{text}, but {error}"
    if record.losses:
        text += f", loss {record.losses[-1][1]:.2f}"
    if record.validation_losses:
        text += f", validation {record.validation_losses[-1][1]:.2f}"
    if record.base_model:
        text += f"; {record.base_model} on {record.dataset}"
    return text


def _run_lines(checkpoint_dir: str | Path, run_name: str) -> list[str]:
    """Describe a run; raises CheckpointError if it doesn't exist."""
    from gpt2_helpers.checkpoint.run_folder import RunFolder
    from gpt2_helpers.checkpoint.run_record import RunRecord
    from gpt2_helpers.evaluation.training_advice import training_advice

    run = RunFolder(checkpoint_dir, run_name).require()
    assert run.checkpoint is not None
    record, newest = run.record, run.checkpoint.name
    sizes = [path.stat().st_size for path in run.path.iterdir() if path.is_file()]
    names = sorted(path.stem for path in run.path.glob("model*.index"))
    rows = [
        ("folder:", f"{run.path}, {file_size(sum(sizes))}"),
        ("model:", _shape(ModelConfig.load(run.path))),
        ("checkpoints:", ", ".join(n + " (newest)" * (n == newest) for n in names)),
        ("steps:", f"{run.step:,}"),
    ]
    if record == RunRecord():
        return _table([*rows, ("run.json:", "none (trained with gpt-2-simple)")])
    rows += [
        ("base model:", record.base_model),
        ("dataset:", record.dataset),
        ("earlier data:", ", ".join(path for path, _, _ in record.earlier_datasets)),
        ("loss:", _describe_losses(record.losses)),
        ("validation:", _describe_losses(record.validation_losses)),
        ("advice:", " ".join(training_advice(record, record.epochs(run.step)))),
        ("options:", _join(_changed_options(record.parameters), "=") or "all default"),
        ("made with:", _join(record.versions)),
    ]
    return _table([row for row in rows if row[1]])


def _shape(config: ModelConfig) -> str:
    count = config.n_parameters
    parameters = f"{count / 1e6:,.1f} million" if count >= 100_000 else f"{count:,}"
    return (
        f"{parameters} parameters (n_layer {config.n_layer}, n_embd {config.n_embd}), vocabulary "
        f"{config.n_vocab:,}, context {config.n_ctx:,} tokens"
    )


def _describe_losses(losses: Sequence[tuple[int, float]]) -> str:
    if not losses:
        return ""
    (first_step, first), (last_step, last) = losses[0], losses[-1]
    step, lowest = min(losses, key=lambda pair: pair[1])
    return (
        f"{first:.2f} at step {first_step:,}, {last:.2f} at step {last_step:,}, "
        f"lowest {lowest:.2f} at step {step:,}"
    )


def _changed_options(parameters: dict[str, Any]) -> dict[str, Any]:
    """The options of a run that differ from the defaults."""
    defaults = {
        field.name: field.default
        for kind in (FinetuneConfig, RunConfig, DatasetConfig)
        for field in fields_of(kind)
    }
    return {
        name: value
        for name, value in parameters.items()
        if name not in defaults or value != defaults[name]
    }


def _join(values: dict[str, Any], separator: str = " ") -> str:
    return ", ".join(f"{name}{separator}{brief(value)}" for name, value in values.items())


def _table(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:{width}}  {text}" for name, text in rows]
