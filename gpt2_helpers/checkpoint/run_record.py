"""`run.json`: the data, options and losses of a run."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from gpt2_helpers.checkpoint.renamed_options import with_current_names
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.data.formats import is_table
from gpt2_helpers.errors import CheckpointError, OptionError, brief, brief_repr, printable
from gpt2_helpers.fields import fields_of, validate_value
from gpt2_helpers.system.bounded_files import read_json
from gpt2_helpers.system.files import atomic_write_text
from gpt2_helpers.tokenizer import COMPLETION_MARKER, START_OF_TEXT
from gpt2_helpers.types import DatasetPath

RECORD_FILE = "run.json"
MAX_LOSSES = 200_000  # about 6 MB
_LARGEST_COUNT = 10**15
_LARGEST_LOSS = 3.4e38  # of fp32
_MAX_DEPTH = 5  # of the lists and objects in an unknown option
_LEFT_OUT = object()


@dataclass
class RunRecord:
    """How a run was trained. Losses are pairs of step and nats per token.

    Attributes:
        dataset: Path of the training data; a list of paths is written as JSON, see `dataset_paths`.
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
        has_prompts: Whether the run was trained to write completions of prompts.
        windows: How sequences are filled, "stream" or "documents"; empty in the records of older
            versions, which used "stream".
        lora_rank: Rank of the adapters; 0 if all weights are trained.
        base_checkpoint: Prefix of the weights that the adapters belong to.
        device: The GPU or processor of the last training.
        tokens_per_second: Its speed there, without the first steps; 0 if it was not measured.
        memorized_from: The step at which memorization of the data began; 0 if it did not, or if
            there was no validation data.
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
    has_prompts: bool = False
    windows: str = ""
    lora_rank: int = 0
    base_checkpoint: str = ""
    device: str = ""
    tokens_per_second: float = 0.0
    memorized_from: int = 0

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """Read a run folder's `run.json`; an empty record if it has none, as gpt-2-simple's runs.

        Raises:
            CheckpointError: The file cannot be read.
        """
        path = folder / RECORD_FILE
        try:
            values = read_json(path)
            hints = get_type_hints(cls)
            if not isinstance(values, dict):
                raise _InvalidError("it is not an object")
            known = {n: _checked(n, hints[n], v) for n, v in values.items() if n in hints}
            known = {name: value for name, value in known.items() if value is not _LEFT_OUT}
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} cannot be read: {brief(error)}; move it away to continue without it"
            ) from None
        known["parameters"] = _valid_options(with_current_names(known.get("parameters", {})))
        return cls(**known)

    def save(self, folder: Path) -> None:
        """Write `run.json` atomically. Raises OSError."""
        values = dataclasses.asdict(self)
        for name in ("losses", "validation_losses"):
            values[name] = _thinned(values[name])
        atomic_write_text(folder / RECORD_FILE, json.dumps(values) + "\n")

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
        old, new = dataset_paths(self.dataset), dataset_paths(str(dataset))
        return len(old) == len(new) and all(map(_is_same_data, old, new))

    def prompt_affixes(self) -> tuple[str, str]:
        """The texts before and after every prompt that the run was trained with; may be empty.

        >>> RunRecord(prompt_prefix="<|startoftext|>", has_prompts=True).prompt_affixes()
        ('<|startoftext|>', '\\n<|completion|>\\n')
        """
        has_rows = self.prompt_prefix == START_OF_TEXT
        if self.prompt_prefix is None:  # recorded by an older version
            has_rows = is_table(Path(self.dataset))
        return START_OF_TEXT if has_rows else "", COMPLETION_MARKER if self.has_prompts else ""

    def forget_after(self, step: int) -> None:
        """Remove the losses of steps after `step`, which were not saved and will be repeated."""
        self.losses = [pair for pair in self.losses if pair[0] <= step]
        self.validation_losses = [pair for pair in self.validation_losses if pair[0] <= step]
        if self.memorized_from > step:
            self.memorized_from = 0


class _InvalidError(ValueError):
    """A value has a different type than its field."""


def _checked(name: str, hint: Any, value: Any) -> Any:
    """A value from JSON, converted to its type hint. Files of unknown origin may have any value.

    Strings are made printable; infinite and undefined numbers, and pairs with one, are left out.

    Raises:
        _InvalidError: It has a different type.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is UnionType:  # a type or None
        return None if value is None else _checked(name, arguments[0], value)
    if origin is list and isinstance(value, list):
        items = (_checked(name, arguments[0], item) for item in value)
        return [item for item in items if item is not _LEFT_OUT]
    if origin is tuple and isinstance(value, list) and len(value) == len(arguments):
        typed = zip(arguments, value, strict=True)
        pair = tuple(_checked(name, argument, item) for argument, item in typed)
        return _LEFT_OUT if _LEFT_OUT in pair else pair
    if origin is dict and isinstance(value, dict):
        return {printable(key): _checked(name, arguments[1], v) for key, v in value.items()}
    if hint is str and isinstance(value, str):
        return printable(value)
    if hint is float and type(value) in (int, float):
        return float(value) if abs(value) <= _LARGEST_LOSS else _LEFT_OUT
    if hint is int and type(value) is int and 0 <= value <= _LARGEST_COUNT:
        return value
    if hint is bool and isinstance(value, bool):
        return value
    raise _InvalidError(f"invalid value in {name}: {brief_repr(value)}")


def _valid_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without invalid values of known options, which another version may have had, and
    without values of unknown ones that no option would have."""
    known = {
        option.name: option
        for kind in (FinetuneConfig, RunConfig, DatasetConfig)
        for option in fields_of(kind)
    }
    valid = {}
    for name, value in parameters.items():
        with suppress(OptionError):
            if name in known:
                valid[name] = validate_value(known[name], value)
            elif _is_flat(value):
                valid[name] = value
    return valid


def _is_flat(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Whether a value of JSON is nested so little that it can be copied, printed and saved."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_flat(item, depth - 1) for item in items)


def _thinned(losses: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most MAX_LOSSES pairs, among them the last and the lowest, to limit the file's size."""
    if len(losses) <= MAX_LOSSES:
        return losses
    every = -(-len(losses) // (MAX_LOSSES - 2))
    kept = {len(losses) - 1, min(range(len(losses)), key=lambda order: losses[order][1])}
    return [pair for order, pair in enumerate(losses) if order % every == 0 or order in kept]


def dataset_name(dataset: DatasetPath) -> str:
    """A dataset as text in `run.json`: its path, or a list of paths in JSON.

    >>> dataset_name(["a.txt", "b.txt"])
    '["a.txt", "b.txt"]'
    """
    if isinstance(dataset, str | os.PathLike):
        return str(dataset)
    paths = [str(path) for path in dataset]
    return paths[0] if len(paths) == 1 else json.dumps(paths, ensure_ascii=False)


def dataset_paths(name: str) -> list[str]:
    """The paths of a dataset that `dataset_name` wrote.

    >>> dataset_paths("titles.csv"), dataset_paths('["a.txt", "b.txt"]')
    (['titles.csv'], ['a.txt', 'b.txt'])
    """
    try:
        paths = json.loads(name) if name.startswith("[") else None
    except (ValueError, RecursionError):  # a path such as [1].txt
        paths = None
    is_list = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
    return paths if paths and is_list else [name]


def _is_same_data(recorded: str, path: str) -> bool:
    paths = [os.path.abspath(os.path.expanduser(path)) for path in (recorded, path)]
    if paths[0] == paths[1]:
        return True
    names = [os.path.basename(path) for path in paths]
    return names[0] == names[1] and not os.path.exists(paths[0])


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's numbers depend on."""
    versions = {"python": platform.python_version()}
    for package in ("gpt2-helpers", "tensorflow", "keras", "numpy", "regex"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
