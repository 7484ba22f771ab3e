"""`MODEL_CARD.md` in a run folder: what the model was trained on and how, from its record."""

from __future__ import annotations

import ntpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.run_record import RunRecord, dataset_paths
from gpt2_helpers.errors import printable
from gpt2_helpers.exchange.model_card import CARD_MARKER, training_options
from gpt2_helpers.system.files import atomic_write_text

CARD_FILE = "MODEL_CARD.md"
_SHOWN_LOSSES = 10
_CLEANING = {
    "deduplicate": "copies and near copies left out",
    "unwrap": "hard-wrapped lines joined",
    "strip_boilerplate": "Project Gutenberg's header and license left out",
}


def disclosure(name: str, record: RunRecord, step: int) -> str:
    """A sentence that says how a text was made, to put under it.

    Args:
        name: Name of the run.
        record: The run's record.
        step: Optimizer steps done.

    Example:
        >>> disclosure("run1", RunRecord(dataset="data/titles.csv", base_model="124M"), 1000)
        'Written by the language model run1 (GPT-2 124M, finetuned for 1,000 steps on titles.csv).'
    """
    base = f"GPT-2 {_name(record.base_model)}" if record.base_model else "a GPT-2"
    text = base
    if step:
        text += f", finetuned for {step:,} step{'' if step == 1 else 's'}"
    if record.dataset:
        text += f" on {_dataset(record.dataset)}"
    return printable(f"Written by the language model {name} ({text}).")


def run_card(name: str, record: RunRecord, step: int) -> str:
    """The text of a run's model card, in Markdown.

    Args:
        name: Name of the run.
        record: The run's record.
        step: Optimizer steps done.

    Returns:
        The card: data, training, losses, versions and limits, as far as they are recorded.
    """
    lines = [CARD_MARKER, "", f"# {name}", "", disclosure(name, record, step), ""]
    lines += ["## Data", ""]
    for path, column, last_step in record.earlier_datasets:
        lines.append(f"- until step {last_step:,}: {_dataset(path)}{_column(column)}")
    if record.dataset:
        size = f", {record.dataset_tokens:,} tokens" if record.dataset_tokens else ""
        column = record.parameters.get("column")
        lines.append(f"- {_dataset(record.dataset)}{_column(column)}{size}")
        epochs = record.epochs(step)
        if epochs is not None:
            lines.append(f"- seen {epochs:.2g} times in training")
        lines += _preparation(record.parameters)
    elif step:
        lines.append("- not recorded")
    else:
        lines.append("- imported, and not trained since")
    rows = [("base model", _name(record.base_model)), ("steps", f"{step:,}")]
    if record.tokens_per_step:
        rows.append(("tokens per step", f"{record.tokens_per_step:,}"))
    rows += training_options(record.parameters)
    if record.windows:
        rows.append(("windows", record.windows))
    rows.append(("device", record.device))
    rows += record.versions.items()
    lines += ["", "## Training", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {_cell(value)} |" for key, value in rows if value]
    lines += _losses(record)
    lines += [
        "",
        "## Limits",
        "",
        "The model repeats what its training text contains, including prejudices and mistakes. Its "
        "texts can be wrong, offensive, or copied from the training text. If you publish a text, "
        "say that it was machine-generated.",
        "",
    ]
    return "\n".join(map(printable, lines))  # it quotes names of files, and files of others


def write_card(folder: Path, name: str, record: RunRecord, step: int) -> None:
    """Write `MODEL_CARD.md` into a run folder, unless the user has changed it. Raises OSError."""
    path = folder / CARD_FILE
    if path.is_file() and CARD_MARKER not in path.read_text("utf-8", errors="replace"):
        return
    atomic_write_text(path, run_card(name, record, step))


def _preparation(parameters: Mapping[str, Any]) -> list[str]:
    """What was done with the data before training, as a list in Markdown."""
    lines = [f"- {text}" for name, text in _CLEANING.items() if parameters.get(name)]
    if prompts := parameters.get("prompt_column"):
        lines.append(f"- prompts: column {prompts}")
    if keywords := parameters.get("keywords_from"):
        lines.append(f"- prompts: keywords of column {keywords}")
    if validation := parameters.get("validation_data"):
        lines.append(f"- validation data: {_name(str(validation))}")
    elif share := parameters.get("validation_split"):
        lines.append(f"- validation data: {100 * share:g}% of the data, not trained on")
    return lines


def _losses(record: RunRecord) -> list[str]:
    """A table of validation losses, evenly spaced if there are many, and the last loss."""
    lines = []
    if record.losses:
        step, loss = record.losses[-1]
        lines += ["", f"Training loss at step {step:,}: {loss:.3f} nats per token."]
    measured = record.validation_losses
    if measured:
        stride = -(-len(measured) // _SHOWN_LOSSES)
        shown = measured[::-1][::stride][::-1]  # with the last one
        lines += ["", "| step | validation loss |", "|---|---|"]
        lines += [f"| {step:,} | {loss:.3f} |" for step, loss in shown]
    if record.memorized_from:
        lines += ["", f"Memorization of the training text began at step {record.memorized_from:,}."]
    return lines


def _dataset(dataset: str) -> str:
    """The file names of a dataset, without folders, which may be private."""
    return ", ".join(_name(path) for path in dataset_paths(dataset))


def _name(path: str) -> str:
    return ntpath.basename(path.rstrip("/\\"))


def _column(column: object) -> str:
    return f", column {column}" if column else ""


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
