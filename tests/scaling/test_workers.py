"""Trainings of several worker processes on loopback, compared with one process.

N workers with a batch size of b have to compute what one process computes with N x b.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.training.strategy import HEARTBEAT_SECONDS
from loopback_workers import TIMEOUT, Worker, training
from toy_runs import ONE_LAYER, assert_same, saved_weights, train, write_model, write_text

TOLERANCE = 1e-5  # of losses and weights
# Everything whose result depends on the whole batch.
OPTIONS: dict[str, Any] = {
    "model_name": "small",
    "steps": 4,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "accumulate_gradients": 2,
    "max_grad_norm": 0.5,
    "dropout": 0.1,
    "validation_split": 0.2,
    "eval_every": 2,
    "precision": "float32",
    "seed": 1,
}
TABLE = "".join(
    f"The {n}th best thing that ever happened{' to me' * (n % 7)}.\n" for n in range(60)
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model and datasets."""
    monkeypatch.chdir(tmp_path)
    write_model("small", shape=ONE_LAYER, fp16_exact=True)
    write_text()
    write_text("table.csv", "title\n" + TABLE)
    return tmp_path


def arguments(dataset: str = "text.txt", **options: Any) -> list[str]:
    """A finetuning as arguments of the command."""
    options = {**OPTIONS, "sample_every": 0, **options}
    return [dataset, *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())]


def check_equal_to_one_process(
    dataset: str, workers: int, tolerance: float = TOLERANCE, **options: Any
) -> None:
    """Compare the run of the workers with a run of this process, which has their batch size."""
    train(dataset, **{**OPTIONS, "batch_size": workers, "run_name": "one", **options})
    run, one = RunRecord.load(Path("checkpoint/run1")), RunRecord.load(Path("checkpoint/one"))
    np.testing.assert_allclose(run.losses, one.losses, rtol=0, atol=tolerance)
    assert len(run.validation_losses) == len(one.validation_losses)
    if one.validation_losses:
        pairs = (run.validation_losses, one.validation_losses)
        np.testing.assert_allclose(*pairs, rtol=0, atol=tolerance)
    trained = saved_weights()
    for name, array in saved_weights("one").items():
        np.testing.assert_allclose(trained[name], array, rtol=0, atol=tolerance, err_msg=name)


def wait_for_step(step: int) -> None:
    """Wait until the chief has saved a step or a later one."""
    deadline = time.monotonic() + TIMEOUT
    while not any(
        int(path.stem.split("-")[1]) >= step
        for path in Path("checkpoint/run1").glob("model-*.index")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def last_line(worker: Worker) -> str:
    return worker.printed().rstrip().splitlines()[-1]


def test_two_workers_equal_one_process_and_only_the_chief_writes(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    for name in ("models", "text.txt"):
        (other / name).symlink_to(folder / name)
    options = arguments(batch_size=1, sample_every=4, sample_length=3)
    with training([folder, other], *options, chief=True) as workers:
        codes = [worker.wait() for worker in workers]
    assert codes == [0, 0], [worker.printed() for worker in workers]
    check_equal_to_one_process("text.txt", 2)
    assert (folder / "samples/run1/samples-4").is_file()
    assert len(list(Path("checkpoint/run1").glob("events.*"))) == 1
    assert {path.name for path in other.iterdir()} == {"models", "text.txt", "worker-1.log"}
    assert "chief (127.0.0.1:" in workers[0].printed()
    assert last_line(workers[1]) == "saved by the chief: step 4"


@pytest.mark.scale
@pytest.mark.parametrize(
    ("dataset", "options"),
    [
        ("text.txt", {}),
        # Windows with different numbers of targets, of which none is too long.
        ("table.csv", {"windows": "documents", "use_memory_saving_gradients": True}),
        ("table.csv", {"lora_rank": 2, "optimizer": "adamw"}),
    ],
)
def test_four_workers_equal_one_process(
    folder: Path, dataset: str, options: dict[str, Any]
) -> None:
    with training([folder] * 4, *arguments(dataset, batch_size=1, **options)) as workers:
        codes = [worker.wait() for worker in workers]
    assert codes == [0] * 4, [worker.printed() for worker in workers]
    check_equal_to_one_process(dataset, 4, **options)


@pytest.mark.scale
def test_workers_in_fp16_scale_the_loss_as_one_process_does(folder: Path) -> None:
    options: dict[str, Any] = {"precision": "float16", "dropout": 0.0}
    with training([folder] * 2, *arguments(batch_size=1, **options)) as workers:
        assert [worker.wait() for worker in workers] == [0, 0], workers[0].printed()
    check_equal_to_one_process("text.txt", 2, tolerance=2e-3, **options)


@pytest.mark.scale
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_others_and_the_same_command_resumes(
    folder: Path, victim: int
) -> None:
    command = arguments(batch_size=1, steps=40, save_every=5, eval_every=20)
    with training([folder] * 2, *command) as workers:
        wait_for_step(10)
        workers[victim].process.send_signal(signal.SIGKILL)
        survivor = workers[1 - victim]
        assert survivor.wait() == 2
        line = last_line(survivor)
    assert f"worker {victim} (127.0.0.1:" in line
    assert "does not answer after step" in line
    assert "last checkpoint: step" in line
    assert "Traceback" not in survivor.printed()
    with training([folder] * 2, *command) as workers:
        assert [worker.wait() for worker in workers] == [0, 0], workers[0].printed()
    assert "resuming run1 at step" in workers[0].printed()
    with training([folder] * 2, *command, "--run-name=undisturbed") as workers:
        assert [worker.wait() for worker in workers] == [0, 0], workers[0].printed()
    assert RunRecord.load(Path("checkpoint/run1")).losses[-1][0] == 40
    assert_same(saved_weights(), saved_weights("undisturbed"))


@pytest.mark.scale
def test_a_worker_that_hangs_ends_the_others(folder: Path) -> None:
    with training([folder] * 2, *arguments(batch_size=1, steps=5000, save_every=10)) as workers:
        wait_for_step(10)
        os.kill(workers[1].process.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        assert workers[0].wait() == 2
        assert time.monotonic() - stopped < 3 * HEARTBEAT_SECONDS
    assert "worker 1 (127.0.0.1:" in last_line(workers[0])


@pytest.mark.scale
def test_an_interrupt_of_one_worker_ends_all_and_saves(folder: Path) -> None:
    with training([folder] * 2, *arguments(batch_size=1, steps=5000, save_every=10)) as workers:
        wait_for_step(10)
        workers[1].process.send_signal(signal.SIGTERM)
        assert [worker.wait() for worker in workers] == [130, 130]
    step = int(Path("checkpoint/run1/counter").read_text())
    assert last_line(workers[0]) == f"interrupted and saved: checkpoint/run1, step {step}"
    assert last_line(workers[1]) == f"interrupted and saved by the chief: step {step}"


@pytest.mark.scale
def test_workers_stop_early_at_the_same_step(folder: Path) -> None:
    options: dict[str, Any] = {"steps": 40, "eval_every": 1, "learning_rate": 0.5}
    options["early_stopping_patience"] = 2
    with training([folder] * 2, *arguments(batch_size=1, **options)) as workers:
        assert [worker.wait() for worker in workers] == [0, 0], workers[0].printed()
    step = int(Path("checkpoint/run1/counter").read_text())
    assert step < 38
    for worker in workers:
        assert f"stopped early: restored the best checkpoint, step {step}" in worker.printed()
    assert last_line(workers[1]) == f"saved by the chief: step {step}"


@pytest.fixture
def other_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with another dataset and without runs, as on another machine."""
    other = tmp_path_factory.mktemp("other")
    (other / "models").symlink_to(folder / "models")
    write_text(str(other / "text.txt"), "Another text than that of the chief. " * 40)
    return other


@pytest.mark.scale
def test_workers_with_different_datasets_refuse_to_train(folder: Path, other_folder: Path) -> None:
    with training([folder, other_folder], *arguments(batch_size=1)) as workers:
        assert [worker.wait() for worker in workers] == [2, 2]
    for worker in workers:
        assert "the workers differ in the dataset (worker 0 and worker 1)" in last_line(worker)
    assert not Path("checkpoint/run1/counter").exists()


@pytest.mark.scale
def test_a_run_that_a_worker_does_not_see_is_not_resumed(folder: Path, other_folder: Path) -> None:
    train(**{**OPTIONS, "steps": 2})
    with training([folder, other_folder], *arguments(batch_size=1)) as workers:
        assert [worker.wait() for worker in workers] == [2, 2]
    for worker in workers:
        assert "the step to resume from (worker 0: 2 and worker 1: 0)" in last_line(worker)
