"""Processes that are killed or run out of disk space or memory; `make crash-test` is the long form.

`crashes.scenarios` has the operations and what must hold after a kill.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashes.killing import Killer, Plan, killer
from crashes.scenarios import Finetuning, Scenario, scenarios
from crashes.surviving import survive, write_toy
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.cli.app import main
from toy_runs import saved_steps, write_model, write_text

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
NAMES = [
    "finetune",
    "finetune fresh",
    "finetune with overwrite",
    "finetune with early stopping",
    "finetune with adapters",
    "finetune with Drive",
    "pretrain",
    "encode",
    "generate to a file",
    "generate over a file",
    "export to Drive",
    "export to Drive as a folder",
    "import from Drive",
    "import from Drive as a folder",
    "download",
]


@pytest.fixture(scope="module")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with killer(tmp_path_factory.mktemp("workers")) as found:
        yield found


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toys") / "toy")


@pytest.fixture(scope="module")
def scenario_by_name() -> Iterator[dict[str, Scenario]]:
    with scenarios() as all_:
        yield {scenario.name: scenario for scenario in all_}


def test_every_scenario_is_tested(scenario_by_name: dict[str, Scenario]) -> None:
    assert list(scenario_by_name) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_loses_no_data(
    name: str, fork_server: Killer, toy: Path, scenario_by_name: dict[str, Scenario], tmp_path: Path
) -> None:
    # A training process that starts again takes seconds.
    kills = 2 if name in {"finetune", "pretrain"} else 1 if name.startswith("finetune") else 8
    report = survive(
        scenario_by_name[name], fork_server, tmp_path, toy, kills, random.Random(f"1 {name}")
    )
    assert report.kills == kills
    assert report.runs >= 1


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("finetune ")])
def test_a_full_disk_is_reported_and_loses_no_data(
    name: str, fork_server: Killer, toy: Path, scenario_by_name: dict[str, Scenario], tmp_path: Path
) -> None:
    """A limit on file sizes makes writes fail as on a full disk."""
    scenario = scenario_by_name[name]
    reference, work = tmp_path / "reference", tmp_path / "work"
    for folder in (reference, work):
        folder.mkdir()
        scenario.prepare(folder, toy)
    call = scenario.call(work)
    assert call is not None
    assert fork_server.run(reference, call, Plan(), scenario.environment).code == 0
    rng, failures = random.Random(name), 0
    for size in (60, rng.randint(300, 9000)):
        end = fork_server.run(work, call, Plan(size=size, dies=False), scenario.environment)
        errors = [line for line in end.output.splitlines() if line.startswith("gpt2-helpers: ")]
        if call[0] == "call":  # a function raises the error that a command prints
            errors = [line for line in end.output.splitlines() if "Error: " in line]
        else:
            assert "Traceback" not in end.output
            assert end.code in (0, 2), end
        if end.code:
            failures += 1
            assert errors, end.output
            assert "Errno" not in errors[-1]
        assert "tensorflow/" not in end.output  # as in TensorFlow's own messages
        scenario.check(work, end, reference)
    assert failures


def test_a_read_only_folder_is_reported(
    fork_server: Killer, toy: Path, scenario_by_name: dict[str, Scenario], tmp_path: Path
) -> None:
    scenario_by_name["finetune"].prepare(tmp_path, toy)
    tmp_path.chmod(0o555)
    try:
        encode = ["encode", "text.txt", "--model-name", "toy", "--out-path", "ids.npz"]
        for call in (
            scenario_by_name["finetune"].call(tmp_path),
            scenario_by_name["generate to a file"].call(tmp_path),
            encode,
        ):
            assert call is not None
            end = fork_server.run(tmp_path, call, Plan(read_only=True))
            assert end.code == 2, end
            assert "Permission denied" in end.output.splitlines()[-1]
            assert "Traceback" not in end.output
        assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "text.txt"]
    finally:
        tmp_path.chmod(0o755)


def test_out_of_memory_suggests_lower_settings(
    fork_server: Killer, toy: Path, tmp_path: Path
) -> None:
    scenario = Finetuning()
    scenario.prepare(tmp_path, toy)
    call = scenario.arguments(tmp_path, 2).split()
    assert fork_server.run(tmp_path, call, Plan()).code == 0
    call[call.index("--batch-size") + 1] = "60000"
    end = fork_server.run(tmp_path, call, Plan(memory=2 << 30))
    assert end.code == 2, end
    last = end.output.splitlines()[-1]
    assert last.startswith("gpt2-helpers: out of memory after step 2 (last checkpoint: step 2): ")
    assert "lower batch_size (now 60000), set use_memory_saving_gradients=True" in last
    assert scenario.folder(tmp_path).read().step == 2


# --- Two processes, and SIGTERM


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()
    return tmp_path


def start_training(*more: str) -> subprocess.Popen[str]:
    """Start an endless finetuning in another process and wait for its third step."""
    options = "--model-name toy --steps -1 --sample-every 0 --save-every 2 --batch-size 1"
    process = subprocess.Popen(
        [sys.executable, "-m", "gpt2_helpers", "finetune", "text.txt", *options.split(), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[3 |"):
            return process
    raise AssertionError(f"it ended with {process.wait()}")


def end_process(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """Send a signal, and return the exit code and the remaining output."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def test_a_second_process_is_refused_and_sigterm_saves(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process = start_training()
    try:
        options = ["--model-name", "toy", "--steps", "1", "--sample-every", "0"]
        assert main(["finetune", "text.txt", *options]) == 2
        error = capfd.readouterr().err.splitlines()[-1]
        assert error == (
            f"gpt2-helpers: checkpoint/run1 is used by another process (id {process.pid}): wait "
            "until it ends, stop it, or use another run_name"
        )
        code, output = end_process(process, signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
    assert code == 130
    last = output.splitlines()[-1]
    step = max(saved_steps())
    assert last == f"interrupted and saved: checkpoint/run1, step {step}"
    assert main(["finetune", "text.txt", *options]) == 0  # the lock is released
    assert RunFolder("checkpoint", "run1").read().step == step + 1


def test_a_run_that_was_trained_since_it_was_opened_is_refused(work: Path) -> None:
    from gpt2_helpers.errors import CheckpointError
    from toy_runs import open_run, train

    train(steps=1)
    opened = open_run(steps=1)
    train(steps=2)
    with pytest.raises(CheckpointError, match="at step 1 when it was opened and is now at step 3"):
        list(opened)
    assert saved_steps() == {3}


def test_a_clock_that_was_set_back_has_no_effect(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_runs import assert_same, open_run, train, weights_of

    whole, _ = train(steps=4, run_name="whole")
    train(steps=2)
    moment = time.time() - 10 * 365 * 86400
    monkeypatch.setattr(time, "time", lambda: moment)
    later = time.time_ns() + 10**18
    for path in Path("checkpoint/run1").iterdir():  # all files have times in the future
        os.utime(path, ns=(later, later))
    run = open_run(steps=2)
    assert [progress.step for progress in run] == [3, 4]
    assert_same(weights_of(run.model), weights_of(whole.model))
    assert saved_steps() == {4}
