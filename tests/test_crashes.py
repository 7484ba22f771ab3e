"""The short form of `make crash-test`: processes that are killed, or run out of disk or memory.

What each kind of work is, and what must hold after it was killed, stands in `crashes.scenarios`.
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
from typing import Any

import pytest

from crashes.killing import Killer, Plan, killer
from crashes.scenarios import Finetuning, Scenario, scenarios
from crashes.surviving import survive, write_toy
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.cli.app import main
from gpt2_helpers.system.locks import exclusive_lock, is_free
from toy_runs import steps_kept, write_model, write_text

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
NAMES = [
    "finetune",
    "finetune anew",
    "finetune overwriting",
    "finetune until it learns no more",
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
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with killer(tmp_path_factory.mktemp("victims")) as found:
        yield found


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toys") / "toy")


@pytest.fixture(scope="module")
def works() -> Iterator[dict[str, Scenario]]:
    with scenarios() as all_:
        yield {scenario.name: scenario for scenario in all_}


def test_each_kind_of_work_is_killed(works: dict[str, Scenario]) -> None:
    assert list(works) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_killed_loses_nothing(
    name: str, parent: Killer, toy: Path, works: dict[str, Scenario], tmp_path: Path
) -> None:
    kills = 2 if name.startswith(("finetune", "pretrain")) else 8
    tally = survive(works[name], parent, tmp_path, toy, kills, random.Random(f"1 {name}"))
    assert tally.kills == kills
    assert tally.runs >= 1


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("finetune ")])
def test_a_full_disk_is_told_and_loses_nothing(
    name: str, parent: Killer, toy: Path, works: dict[str, Scenario], tmp_path: Path
) -> None:
    """No file may grow beyond some size: then writing fails as it does where there is no room."""
    scenario = works[name]
    whole, work = tmp_path / "whole", tmp_path / "work"
    for folder in (whole, work):
        folder.mkdir()
        scenario.prepare(folder, toy)
    call = scenario.call(work)
    assert call is not None
    assert parent.run(whole, call, Plan(), scenario.environment).code == 0
    draw, refused = random.Random(name), 0
    for size in (60, draw.randint(300, 9000)):
        end = parent.run(work, call, Plan(size=size, dies=False), scenario.environment)
        told = [line for line in end.output.splitlines() if line.startswith("gpt2-helpers: ")]
        if call[0] == "call":  # a function: what a command tells in a line is raised
            told = [line for line in end.output.splitlines() if "Error: " in line]
        else:
            assert "Traceback" not in end.output
            assert end.code in (0, 2), end
        if end.code:
            refused += 1
            assert told, end.output
            assert "Errno" not in told[-1]
        scenario.check(work, end, whole)
    assert refused


def test_a_folder_that_is_read_only_is_told(
    parent: Killer, toy: Path, works: dict[str, Scenario], tmp_path: Path
) -> None:
    works["finetune"].prepare(tmp_path, toy)
    tmp_path.chmod(0o555)
    try:
        encode = ["encode", "text.txt", "--model-name", "toy", "--out-path", "ids.npz"]
        for call in (
            works["finetune"].call(tmp_path),
            works["generate to a file"].call(tmp_path),
            encode,
        ):
            assert call is not None
            end = parent.run(tmp_path, call, Plan(read_only=True))
            assert end.code == 2, end
            assert "Permission denied" in end.output.splitlines()[-1]
            assert "Traceback" not in end.output
        assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "text.txt"]
    finally:
        tmp_path.chmod(0o755)


def test_too_little_memory_is_told_with_what_to_lower(
    parent: Killer, toy: Path, tmp_path: Path
) -> None:
    scenario = Finetuning()
    scenario.prepare(tmp_path, toy)
    call = scenario.arguments(tmp_path, 2).split()
    assert parent.run(tmp_path, call, Plan()).code == 0
    call[call.index("--batch-size") + 1] = "60000"
    end = parent.run(tmp_path, call, Plan(memory=2 << 30))
    assert end.code == 2, end
    last = end.output.splitlines()[-1]
    assert last.startswith("gpt2-helpers: out of memory after step 2 (last checkpoint: step 2): ")
    assert "lower batch_size (now 60000), set use_memory_saving_gradients=True" in last
    assert scenario.folder(tmp_path).read().step == 2


# --- Two at once, and a polite end


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()
    return tmp_path


def endless(*more: str) -> subprocess.Popen[str]:
    """A finetuning without an end, in a process of its own, that has made its first steps."""
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


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """Its exit code and what else it printed, after this signal."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def test_a_second_process_is_told_and_sigterm_saves(
    work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process = endless()
    try:
        options = ["--model-name", "toy", "--steps", "1", "--sample-every", "0"]
        assert main(["finetune", "text.txt", *options]) == 2
        told = capfd.readouterr().err.splitlines()[-1]
        assert told == (
            f"gpt2-helpers: checkpoint/run1 is being trained by another process (number "
            f"{process.pid}): wait for its end, stop it, or give another run_name"
        )
        code, output = ended(process, signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
    assert code == 130
    last = output.splitlines()[-1]
    step = max(steps_kept())
    assert last == f"interrupted and saved: checkpoint/run1, step {step}"
    assert main(["finetune", "text.txt", *options]) == 0  # nobody is in it any more
    assert RunFolder("checkpoint", "run1").read().step == step + 1


def test_a_run_that_another_has_trained_meanwhile_is_opened_again(work: Path) -> None:
    from gpt2_helpers.errors import CheckpointError
    from toy_runs import open_run, train

    train(steps=1)
    opened = open_run(steps=1)
    train(steps=2)
    with pytest.raises(CheckpointError, match="at step 1 when it was opened, and now is at 3"):
        list(opened)
    assert steps_kept() == {3}


def test_one_process_may_enter_twice_and_still_keeps_others_out(tmp_path: Path) -> None:
    """In a notebook a cell that was stopped may hold on to its run for long."""
    script = "import pathlib; from gpt2_helpers.system.locks import is_free; "
    script += f"print(is_free({tmp_path!r}))"
    script = script.replace("PosixPath", "pathlib.PosixPath")

    def others_may_enter() -> bool:
        asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        return asked.stdout == "True\n"

    with exclusive_lock(tmp_path):
        with exclusive_lock(tmp_path):
            pass
        assert not others_may_enter()
    assert others_may_enter()


def test_a_file_system_without_locks_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def refuse(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with exclusive_lock(tmp_path):
        assert is_free(tmp_path)


def test_a_clock_that_was_set_back_changes_nothing(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_runs import assert_same, open_run, train, weights_of

    whole, _ = train(steps=4, run_name="whole")
    train(steps=2)
    moment = time.time() - 10 * 365 * 86400
    monkeypatch.setattr(time, "time", lambda: moment)
    later = time.time_ns() + 10**18
    for path in Path("checkpoint/run1").iterdir():  # what was written comes from the future
        os.utime(path, ns=(later, later))
    run = open_run(steps=2)
    assert [progress.step for progress in run] == [3, 4]
    assert_same(weights_of(run.model), weights_of(whole.model))
    assert steps_kept() == {4}
