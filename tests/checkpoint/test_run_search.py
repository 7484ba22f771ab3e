"""Finding runs: where the files of a missing run are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_search import refuse_if_misplaced
from gpt2_helpers.errors import CheckpointError


def place(folder: str) -> None:
    Path(folder).mkdir(parents=True)
    Path(folder, "model-4.index").touch()


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ("checkpoint/run1/run1", "checkpoint", "a run in checkpoint/run1/run1: move it to "),
        ("checkpoint/run1/run1", "checkpoint", "checkpoint_dir='checkpoint/run1' and run_name='ru"),
        ("checkpoint/run1/checkpoint/run1", "checkpoint", "set checkpoint_dir='checkpoint/run1/ch"),
        ("checkpoint/checkpoint/run1", "checkpoint", "set checkpoint_dir='checkpoint/checkpoint'"),
        ("checkpoint/run1/extracted", "checkpoint", "a run in checkpoint/run1/extracted"),
        ("checkpoint/run1", "checkpoint/run1", "checkpoint/run1 is itself a run: set checkpoint_d"),
        ("checkpoint/other", "checkpoint/other", "run_name='other'"),
    ],
)
def test_a_misplaced_run_is_named(files: str, given: str, message: str) -> None:
    place(files)
    folder = RunFolder(given, "run1")
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        folder.require()
    assert "no runs yet" not in str(caught.value)
    with pytest.raises(CheckpointError, match="a new run needs another run_name"):
        refuse_if_misplaced(folder.checkpoint_dir, folder.name)


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint_run1.tar",
        "checkpoint_run1.tar.gz",
        "checkpoint/run1.zip",
        "checkpoint/checkpoint_run1.tgz",
        "checkpoint_run1 (1).tar",  # downloaded twice
        "run1-20261130T193855Z-001.zip",  # a folder that was downloaded from Google Drive
        "RUN1.ZIP",
        "run1.tar.zst",
        "checkpoint/run1.7z",
    ],
)
def test_an_archive_next_to_the_runs_is_named(name: str) -> None:
    Path("checkpoint").mkdir()
    Path(name).touch()
    with pytest.raises(CheckpointError, match=re.escape(f"{name} is an archive of it: unpack it")):
        RunFolder("checkpoint", "run1").require()
    refuse_if_misplaced(Path("checkpoint"), "run1")


def test_a_folder_without_a_checkpoint_is_named() -> None:
    Path("checkpoint/run1").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="checkpoint/run1 contains no checkpoint"):
        RunFolder("checkpoint", "run1").require()


def test_temporary_folders_are_not_runs() -> None:
    place("checkpoint/.part-run1/run1")
    with pytest.raises(CheckpointError, match="there are no runs yet"):
        RunFolder("checkpoint", "run1").require()


def test_training_does_not_hide_a_misplaced_run(monkeypatch: Any) -> None:
    from gpt2_helpers.config import RunConfig
    from gpt2_helpers.training.initial_weights import resolve_restore_from

    place("checkpoint/run1/run1")
    with pytest.raises(CheckpointError, match="there is a run in checkpoint/run1/run1"):
        resolve_restore_from(RunConfig(model_name="tiny"), RunFolder("checkpoint", "run1"))
    fresh = RunConfig(model_name="tiny", restore_from="fresh")
    assert resolve_restore_from(fresh, RunFolder("checkpoint", "run1")).saved is None
