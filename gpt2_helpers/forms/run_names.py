"""The run name of the finetuning form: a new name for another text, and what training changes."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from gpt2_helpers.checkpoint.run_folder import RunFolder, RunSnapshot
from gpt2_helpers.config import MODEL_ALIASES, RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.forms.uploads import is_web_address

MAX_LENGTH = 40  # characters of a proposed name
_SEPARATORS = re.compile(r"[\W_]+")
_WILDCARDS = re.compile(r"[*?\[]")


def propose_name(run: RunConfig, dataset: str, column: str | None = None) -> str | None:
    """Propose a run name from the dataset's name if the run was trained on other data.

    Args:
        run: The run that the user named.
        dataset: The chosen training text: a path or URL.
        column: The chosen column of a table.

    Returns:
        The name of a new run, or of an existing run of this dataset; None if the run does not
        exist, was trained on this dataset, or cannot be read.
    """
    dataset = _local_path(dataset)
    trained_on = _is_trained_on(run, dataset, column)
    if trained_on in (None, True):
        return None
    base = _SEPARATORS.sub("-", _title(dataset).lower()).strip("-")[:MAX_LENGTH].strip("-")
    base = base or "run"
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}-{number}"
        other = dataclasses.replace(run, run_name=name)
        if _is_trained_on(other, dataset, column) is not False:
            return name
    raise AssertionError("unreachable")


def new_name_note(run: RunConfig, name: str, dataset: str) -> str:
    """Say why the form proposes `name` in place of the run that the user named."""
    recorded = RunFolder(run.checkpoint_dir, run.run_name).read().record.dataset
    return (
        f"{run.run_name} was trained on {_file_name(recorded)} and stays as it is; {name} is the "
        f"run for {_file_name(_local_path(dataset))}."
    )


def existing_run_note(run: RunConfig, dataset: str, column: str | None = None) -> str:
    """Return what training does to an existing run; empty if there is none.

    Args:
        run: The options of the run.
        dataset: The chosen training text: a path or URL; empty if none is chosen.
        column: The chosen column of a table.

    Raises:
        CheckpointError: If the run is damaged.
    """
    folder = RunFolder(run.checkpoint_dir, run.run_name)
    if run.restore_from != "latest":
        try:
            exists = folder.read().checkpoint is not None
        except CheckpointError:
            exists = True
        if not exists:
            return ""
        fate = "deleted" if run.overwrite else "kept in the run's folder"
        return (
            f"The run {run.run_name} exists. Training starts again from the model; the old "
            f"checkpoints are {fate}. Choose another name to leave the run unchanged."
        )
    snapshot = folder.read()
    if snapshot.checkpoint is None:
        return ""
    record = snapshot.record
    text = f"The run {run.run_name} exists: {snapshot.step:,} steps"
    text += f", from {record.base_model}" if record.base_model else ""
    text += f", on {_file_name(record.dataset)}" if record.dataset else ""
    text += ". Training resumes it"
    if dataset and not record.is_trained_on(_local_path(dataset), column):
        text += f" on another text, {_file_name(_local_path(dataset))},"
    if record.base_model not in ("", MODEL_ALIASES.get(run.model_name, run.model_name)):
        text += f" and ignores {run.model_name}"
    return f"{text.rstrip(',')}; choose another name to start a new run."


def _is_trained_on(run: RunConfig, dataset: str, column: str | None) -> bool | None:
    """Return whether the run's data is the given one; None if the run does not exist."""
    try:
        snapshot: RunSnapshot = RunFolder(run.checkpoint_dir, run.run_name).read()
        if snapshot.checkpoint is None:
            return None
        return snapshot.record.is_trained_on(dataset, column)
    except CheckpointError:
        return None


def _local_path(dataset: str) -> str:
    """Return the path of a dataset; for a URL, the name under which it is saved."""
    if not is_web_address(dataset):
        return dataset
    return PurePosixPath(unquote(urlsplit(dataset).path)).name


def _file_name(dataset: str) -> str:
    return Path(dataset).name or dataset


def _title(dataset: str) -> str:
    """Return the name of a file without its suffix, of a folder, or of a pattern's folder."""
    path = Path(dataset)
    while _WILDCARDS.search(path.name):
        path = path.parent
    return path.absolute().name if path.is_dir() else path.stem
