"""gpt2-helpers finetune: training, resuming, interrupting."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from command_line import (
    FINETUNE,
    QUICK,
    error_of,
    process,
    python_path,
    run,
    stderr_of,
    stdout_of,
)
from faulty_server import FaultyServer
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.pretrained import FILES
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.system.cluster import Cluster
from gpt2_helpers.training.workers import Workers


def test_training_resumes_in_another_process(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gpt2_helpers", *FINETUNE, "--steps", "2"],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    steps = re.findall(r"^\[(\d+) \| [\d.]+\] loss=[\d.]+ avg=[\d.]+$", done.stdout, re.MULTILINE)
    assert steps == ["4", "5"]
    folder = RunFolder(workspace / "checkpoint", "run1")
    assert folder.read().step == 5
    assert [step for step, _ in folder.read().record.losses] == [1, 2, 3, 4, 5]
    load_model(folder.path)
    # TensorFlow's start-up messages are not shown.
    assert "finetuning" in done.stderr
    assert "oneDNN" not in done.stderr + done.stdout


def test_ctrl_c_saves_and_exits_with_130(workspace: Path) -> None:
    arguments = [*FINETUNE, "--steps", 0, "--run-name", "run2"]
    with process(workspace, *arguments, eager=True) as started:
        for line in stdout_of(started):
            if line.startswith(b"[2 |"):
                break
        started.send_signal(signal.SIGINT)
        rest = stdout_of(started).read()
        code = started.wait(timeout=300)
    assert code == 130, stderr_of(workspace)
    assert "Traceback" not in stderr_of(workspace)
    assert b"interrupted and saved" in rest
    folder = RunFolder(workspace / "checkpoint", "run2")
    assert folder.read().step >= 2
    assert int((folder.path / "counter").read_text()) == folder.read().step
    assert len(folder.read().record.losses) == folder.read().step
    load_model(folder.path)


@pytest.mark.usefixtures("uncompiled")
def test_options_are_passed_to_the_run(workspace: Path) -> None:
    result = run(
        *FINETUNE,
        *("--steps", 4, "--run_name", "run2", "--learning_rate", "2e-3", "--optimizer", "sgd"),
        *("--save-every", 2, "--max-checkpoints", 0, "--print-every", 4, "--column", "title"),
        *("--overwrite", "no", "--dropout", 0.25, "--legacy-tokens"),
    )
    assert result.code == 0, result.err
    folder = RunFolder(workspace / "checkpoint", "run2")
    assert {path.stem for path in folder.path.glob("model-*.index")} == {"model-2", "model-4"}
    assert len(re.findall("loss=", result.out)) == 1
    parameters = folder.read().record.parameters
    assert parameters["learning_rate"] == 0.002
    assert parameters["optimizer"] == "sgd"
    assert parameters["dropout"] == 0.25
    assert parameters["legacy_tokens"] is True
    assert parameters["column"] == "title"


@pytest.mark.usefixtures("mirror", "uncompiled")
def test_a_missing_model_is_downloaded_first(workspace: Path) -> None:
    arguments = ("titles.csv", *QUICK, "--steps", 1, "--run-name", "run2")
    result = run("finetune", *arguments)
    assert result.code == 0, result.err
    assert "gpt2-helpers: 124M is not in models yet and is downloaded first\n" in result.err
    assert {path.name for path in (workspace / "models/124M").iterdir()} == set(FILES)
    assert RunFolder(workspace / "checkpoint", "run2").read().record.base_model == "124M"
    # The model is complete now, and resuming a run does not need it.
    assert "downloaded" not in run("generate", "--model-name", "124M", "--length", 3).err
    (workspace / "models/124M/model.ckpt.index").unlink()
    assert "downloaded" not in run("finetune", *arguments).err
    # An incomplete model is completed.
    result = run("encode", "titles.csv")
    assert (result.code, "downloaded first" in result.err) == (0, True)
    assert (workspace / "models/124M/model.ckpt.index").is_file()


@pytest.mark.parametrize("command", ["finetune", "encode"])
def test_nothing_is_downloaded_for_a_missing_dataset(
    workspace: Path, mirror: FaultyServer, command: str
) -> None:
    assert "does not exist" in error_of(command, "nothing.csv", "--model-name", "124M")
    assert mirror.requests == []
    assert not (workspace / "models/124M").exists()


@pytest.mark.usefixtures("uncompiled")
def test_a_folder_that_cannot_be_created(workspace: Path) -> None:
    result = run(*FINETUNE, "--steps", 1, "--checkpoint-dir", "titles.csv")
    assert result.code == 2
    (line,) = (line for line in result.err.splitlines() if "gpt2-helpers: " in line)
    assert "titles.csv" in line
    assert "Traceback" not in result.err


def test_a_chief_that_fails_to_download_ends_the_others_with_one_line(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(("chief", "worker 0"), ("127.0.0.1:1", "127.0.0.1:2"), 1)
    workers = Workers(tf.distribute.get_strategy(), cluster)

    def fail(*_: object) -> None:
        raise tf.errors.UnavailableError(None, None, "/job:chief/replica:0/task:0 has ended")

    monkeypatch.setattr(workers, "sum", fail)
    monkeypatch.setattr("gpt2_helpers.cli.finetune._join", lambda multi_gpu: workers)
    assert "chief (127.0.0.1:1) does not answer before training" in error_of(*FINETUNE)
