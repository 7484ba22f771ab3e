"""Imports a model in Hugging Face's layout, or PEFT's adapters with their base model, as a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import latest_checkpoint, open_weights, save_weights
from gpt2_helpers.checkpoint.model_folders import (
    is_on_hub,
    local_name,
    model_folder,
    save_converted,
)
from gpt2_helpers.checkpoint.run_card import write_card
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord, installed_versions
from gpt2_helpers.checkpoint.weights import write_weights
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange import hub
from gpt2_helpers.exchange.model_folder import open_model
from gpt2_helpers.exchange.peft_adapters import is_adapter_folder, read_adapters
from gpt2_helpers.model.lora import MergedWeights
from gpt2_helpers.system.files import ignore
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import Tokenizer

STEP = 0  # of an imported run; finetuning counts from it


def import_run(
    source: str | Path, run: RunConfig, on_message: Callable[[str], None] = ignore
) -> None:
    """Create a run from a model in Hugging Face's layout, or from PEFT's adapters.

    A previous run of that name is kept as `NAME.before`.

    Args:
        source: The folder, or `hf://owner/name` on the Hugging Face Hub.
        run: The options `run_name` and `checkpoint_dir`; for adapters also `model_name` and
            `model_dir`, which name their base model.
        on_message: Called with a message if there is a previous run.

    Raises:
        CheckpointError: The model cannot be read, or the run cannot be written.
        DownloadError: The model cannot be downloaded.
    """
    origin = local_name(str(source))
    on_hub = is_on_hub(str(source))
    source = hub.download(str(source)) if on_hub else user_path(source, "source")
    write = _import_adapters if is_adapter_folder(source) else _import_model
    folder = RunFolder(run.checkpoint_dir, run.run_name)
    try:
        write(source, run, origin, folder, on_message)
    except OSError as error:
        raise CheckpointError(
            f"{folder.path} cannot be written: {error.strerror}: use another checkpoint_dir"
        ) from None


def _import_model(
    source: Path, run: RunConfig, origin: str, folder: RunFolder, on_message: Callable[[str], None]
) -> None:
    model = open_model(source)
    record = RunRecord(base_model=origin, versions=installed_versions(), checkpoints=[STEP])
    with folder.atomic_replace(4 * model.config.n_parameters, on_message) as part:
        save_converted(model, part, f"model-{STEP}")
        record.save(part)
        write_card(part, folder.name, record, STEP)


def _import_adapters(
    source: Path, run: RunConfig, origin: str, folder: RunFolder, on_message: Callable[[str], None]
) -> None:
    base = model_folder(run.model_name, run.model_dir)
    prefix = latest_checkpoint(base)
    shape, weights = open_weights(base, prefix.name)
    adapters = read_adapters(source, shape)
    record = RunRecord(
        base_model=base.name,
        versions=installed_versions(),
        checkpoints=[STEP],
        lora_rank=adapters.rank,
        base_checkpoint=str(prefix),
    )
    with folder.atomic_replace(4 * shape.n_parameters, on_message) as part:
        Tokenizer.load(base).save(part)
        write_weights(part / f"adapters-{STEP}", adapters.arrays)
        save_weights(part, f"model-{STEP}", shape, MergedWeights(weights, adapters.arrays))
        record.save(part)
        write_card(part, folder.name, record, STEP)
