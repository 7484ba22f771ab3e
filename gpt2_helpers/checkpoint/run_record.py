"""`run.json`: the data, options and losses of a run."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.renamed_options import with_current_names
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.system.files import atomic_write_text

RECORD_FILE = "run.json"


@dataclass
class RunRecord:
    """How a run was trained. Losses are pairs of step and nats per token.

    Attributes:
        dataset: Path of the training data.
        earlier_datasets: Other data that the run was trained on before, oldest first: path, column
            of a table, and the last step trained on it.
        prompt_prefix: Text that each document of the data starts with: `<|startoftext|>` for the
            rows of a table; None if unknown.
        example_prompts: Common openings of paragraphs in the data.
        base_model: Name of the model that the run started from.
        legacy_tokens: Whether special tokens are encoded as plain text, as gpt-2-simple did.
        parameters: All options of the last training.
        versions: Versions of Python and of the packages that the numbers depend on.
        checkpoints: Steps saved since the run was started, oldest first.
        losses: Training loss of each step.
        validation_losses: Validation loss of the steps at which it was measured.
        dataset_tokens: Tokens in the training data; 0 if unknown.
        tokens_per_step: Tokens trained on per optimizer step.
        lora_rank: Rank of the adapters; 0 if all weights are trained.
        base_checkpoint: Prefix of the weights that the adapters belong to.
        device: The GPU or processor of the last training.
        tokens_per_second: Its speed there, without the first steps; 0 if it was not measured.
    """

    dataset: str = ""
    earlier_datasets: list[tuple[str, str | None, int]] = field(default_factory=list)
    prompt_prefix: str | None = None
    example_prompts: list[str] = field(default_factory=list)
    base_model: str = ""
    legacy_tokens: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    checkpoints: list[int] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    validation_losses: list[tuple[int, float]] = field(default_factory=list)
    dataset_tokens: int = 0
    tokens_per_step: int = 0
    lora_rank: int = 0
    base_checkpoint: str = ""
    device: str = ""
    tokens_per_second: float = 0.0

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """Read a run folder's `run.json`; an empty record if it has none, as gpt-2-simple's runs.

        Raises:
            CheckpointError: The file cannot be read.
        """
        path = folder / RECORD_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            known = {f.name for f in dataclasses.fields(cls)}
            record = cls(**{name: value for name, value in values.items() if name in known})
            record.parameters = with_current_names(record.parameters)
            record.losses = [(int(step), float(loss)) for step, loss in record.losses]
            record.validation_losses = [(int(s), float(v)) for s, v in record.validation_losses]
            record.earlier_datasets = [
                (str(path), None if column is None else str(column), int(step))
                for path, column, step in record.earlier_datasets
            ]
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f"{path} cannot be read: {error}; move it away to continue without it"
            ) from None
        return record

    def save(self, folder: Path) -> None:
        """Write `run.json` atomically. Raises OSError."""
        atomic_write_text(folder / RECORD_FILE, json.dumps(dataclasses.asdict(self)) + "\n")

    def epochs(self, steps: int) -> float | None:
        """Passes over the training data until step `steps`; None if its size was not recorded.

        Steps on earlier data don't count.

        >>> RunRecord(dataset_tokens=20_000, tokens_per_step=5_120).epochs(100)
        25.6
        """
        if not self.dataset_tokens:
            return None
        if self.earlier_datasets:
            steps -= self.earlier_datasets[-1][2]
        return max(0, steps) * self.tokens_per_step / self.dataset_tokens

    def is_trained_on(self, dataset: str | Path, column: str | None = None) -> bool:
        """Whether the run's data is the given one, or unknown.

        A recorded path that no longer exists is compared by its file name, since runs are copied
        between machines.
        """
        if not self.dataset:
            return True
        recorded = self.parameters.get("column")
        if column is not None and recorded is not None and column != recorded:
            return False
        paths = [os.path.abspath(os.path.expanduser(path)) for path in (self.dataset, dataset)]
        if paths[0] == paths[1]:
            return True
        names = [os.path.basename(path) for path in paths]
        return names[0] == names[1] and not os.path.exists(paths[0])

    def forget_after(self, step: int) -> None:
        """Remove the losses of steps after `step`, which were not saved and will be repeated."""
        self.losses = [pair for pair in self.losses if pair[0] <= step]
        self.validation_losses = [pair for pair in self.validation_losses if pair[0] <= step]


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's numbers depend on."""
    versions = {"python": platform.python_version()}
    for package in ("gpt2-helpers", "tensorflow", "keras", "numpy", "regex"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
