"""Lines for the user before training: what will be trained on what."""

from __future__ import annotations

from gpt2_helpers.data.dataset import Dataset
from gpt2_helpers.data.packing import DocumentWindows
from gpt2_helpers.data.summary import summarize
from gpt2_helpers.model.lora import n_adapter_parameters
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.trainer import Trainer


def model_note(trainer: Trainer, model_name: str, precision: str) -> str:
    """The model, its number of parameters, the precision, and on how many devices it is trained."""
    shape, rank = trainer.model.config, trainer.config.lora_rank
    size = f"{_format_count(shape.n_parameters)} parameters"
    if rank:
        count = n_adapter_parameters(shape, rank)
        size = f"LoRA rank {rank}, {_format_count(count)} trained of {size}"
    note = f"training {model_name}, {size}, {precision}"
    workers = trainer.workers
    devices = workers.count * workers.local_devices
    if devices > 1:
        note += f", on {devices} devices"
    if workers.count > 1:
        note += f" of {workers.count} workers"
    return note


def data_notes(
    trainer: Trainer,
    tokenizer: Tokenizer,
    dataset: Dataset,
    validation: Dataset | None,
    has_prompts: bool,
) -> list[str]:
    """What the dataset contains, and how often it is seen.

    Args:
        trainer: The trainer, with its windows.
        tokenizer: The model's tokenizer.
        dataset: The training data.
        validation: The validation data, if any.
        has_prompts: Whether only completions are predicted.
    """
    notes = dataset.describe(
        trainer.model.config.n_ctx, trainer.tokens_per_step, trainer.config.steps
    )
    notes += summarize(dataset.tokens, tokenizer, dataset.end_of_text)
    if has_prompts:
        notes.append("the loss is that of the completions, not of their prompts")
    if isinstance(trainer.windows, DocumentWindows):
        notes.append(trainer.windows.describe())
    if validation is not None:
        notes.append(f"validation on {len(validation.tokens):,} tokens")
    return notes


def _format_count(count: int) -> str:
    return f"{count / 1e6:,.1f} million" if count >= 1e6 else f"{count:,}"
