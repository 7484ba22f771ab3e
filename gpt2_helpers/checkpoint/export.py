"""Exports a run or a model in Hugging Face's layout or for ONNX Runtime, or a run's adapters."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import (
    chosen_checkpoint,
    latest_checkpoint,
    open_weights,
    step_of,
)
from gpt2_helpers.checkpoint.model_folders import is_on_hub, model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder, RunSnapshot
from gpt2_helpers.checkpoint.run_record import dataset_paths
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError, OptionError, write_problem
from gpt2_helpers.exchange import hub
from gpt2_helpers.exchange.export_config import HUGGING_FACE, WEB, ExportConfig
from gpt2_helpers.exchange.model_card import CardFacts, base_name, hub_name, model_card
from gpt2_helpers.exchange.model_folder import write_card, write_model
from gpt2_helpers.exchange.onnx_folder import MODEL_FOLDER, OnnxFacts, write_onnx
from gpt2_helpers.exchange.peft_adapters import write_adapters
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import Tokenizer


def export(
    destination: str | Path, run: RunConfig, config: ExportConfig, pretrained: bool = False
) -> str:
    """Export a run or a pretrained model to a folder or to the Hugging Face Hub.

    Args:
        destination: A folder, which is created if it does not exist, or `hf://owner/name`.
        run: Names the run or the model, and their folders.
        config: What to export.
        pretrained: Whether to export the pretrained model `run.model_name` instead of the run.

    Returns:
        The folder, or the URL of the repository.

    Raises:
        CheckpointError: The run or model does not exist, or a file cannot be read or written.
        DownloadError: The Hub cannot be reached, or refuses the upload.
        MissingPackageError: The package onnx or huggingface-hub is needed and not installed.
        OptionError: The destination is invalid.
    """
    if config.format == WEB and is_on_hub(str(destination)):
        raise OptionError(
            f"a site is exported to a folder, got {str(destination)!r}: publish the folder yourself"
        )
    write = export_model if pretrained else export_run
    if not is_on_hub(str(destination)):
        destination = user_path(destination, "destination")
        write(destination, run, config)
        return str(destination)
    repository = hub.HubRepository.parse(str(destination))
    with tempfile.TemporaryDirectory(prefix="gpt2-helpers-") as folder:
        write(folder, run, config, repository.name)
        return hub.upload(Path(folder), str(destination), config.private)


def export_run(
    out: str | Path, run: RunConfig, config: ExportConfig, model_id: str | None = None
) -> None:
    """Export a run in one of the formats, or its adapters in PEFT's.

    Args:
        out: The folder to write; created if it does not exist.
        run: The options `run_name` and `checkpoint_dir`.
        config: What to export.
        model_id: The model's name in the model card; default: the folder.

    Raises:
        CheckpointError: The run or checkpoint does not exist, or a file cannot be read or written.
        MissingPackageError: The package onnx is needed and not installed.
    """
    snapshot = RunFolder(run.checkpoint_dir, run.run_name).require()
    out = Path(out)
    if config.adapters:
        _export_adapters(out, snapshot, config, model_id)
        return
    step = snapshot.step
    if config.checkpoint != "latest":
        step = max(step_of(Path(config.checkpoint)), 0)
    affixes = snapshot.record.prompt_affixes()
    facts = _facts(snapshot, step, model_id or str(out))
    _export_folder(out, snapshot.path, config, facts, affixes)


def export_model(
    out: str | Path, run: RunConfig, config: ExportConfig, model_id: str | None = None
) -> None:
    """Export a pretrained model in one of the formats.

    Args:
        out: The folder to write; created if it does not exist.
        run: The options `model_name` and `model_dir`.
        config: The options `format` and `dtype`.
        model_id: The model's name in the model card; default: the folder.

    Raises:
        CheckpointError: The model does not exist, or a file cannot be read or written.
        MissingPackageError: The package onnx is needed and not installed.
    """
    if config.adapters:
        raise CheckpointError(
            f"the pretrained model {run.model_name} has no adapters: set run_name to a run"
        )
    folder = model_folder(run.model_name, run.model_dir)
    base = run.model_name if hub_name(run.model_name) else ""
    facts = CardFacts(folder.name, model_id or str(out), base_model=base)
    _export_folder(Path(out), folder, config, facts)


def _export_folder(
    out: Path,
    folder: Path,
    config: ExportConfig,
    facts: CardFacts,
    affixes: tuple[str, str] = ("", ""),
) -> None:
    shape, weights = open_weights(folder, chosen_checkpoint(folder, config.checkpoint).name)
    tokenizer = Tokenizer.load(folder)
    if out.resolve() == folder.resolve():
        raise CheckpointError(f"{out} is the folder of the model itself: export to another one")
    dtype = config.weights_dtype
    try:
        if config.format == HUGGING_FACE:
            write_model(out, shape, tokenizer, weights, model_card(facts), dtype)
        else:
            said = OnnxFacts(
                facts.name,
                facts.steps,
                base_name(facts.base_model),
                facts.dataset if config.say_dataset else "",
                *affixes,
            )
            is_site = config.format == WEB
            where = out / MODEL_FOLDER if is_site else out
            write_onnx(where, shape, tokenizer, weights, said, dtype, for_gpu=is_site)
    except OSError as error:
        raise _unwritable(out, error) from None


def _export_adapters(
    out: Path, run: RunSnapshot, config: ExportConfig, model_id: str | None
) -> None:
    adapters = run.adapters()
    if adapters is None or config.checkpoint not in ("latest", latest_checkpoint(run.path).name):
        raise CheckpointError(
            f"{run.name} has no adapters at {config.checkpoint}: it was trained with lora_rank=0, "
            "or its adapters are already merged; export the whole model without adapters"
        )
    base = config.base_model or hub_name(run.record.base_model) or run.record.base_model
    facts = _facts(run, run.step, model_id or str(out), is_adapter=True)
    try:
        write_adapters(out, adapters, base)
        write_card(out, model_card(facts))
    except OSError as error:
        raise _unwritable(out, error) from None


def _facts(run: RunSnapshot, step: int, model_id: str, is_adapter: bool = False) -> CardFacts:
    record = run.record
    return CardFacts(
        run.name,
        model_id,
        record.base_model,
        ", ".join(map(base_name, dataset_paths(record.dataset))),
        step,
        dict(record.losses).get(step),
        dict(record.validation_losses).get(step),
        record.parameters,
        is_adapter,
    )


def _unwritable(out: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{out} cannot be written: {write_problem(out, error, 'use another folder')}"
    )
