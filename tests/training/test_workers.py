"""What workers agree on, with simulated sums. Real workers: tests/scaling/test_workers.py."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.errors import (
    OptionError,
    OutOfMemoryError,
    WorkerLostError,
    explain_out_of_memory,
)
from gpt2_helpers.system.cluster import Cluster
from gpt2_helpers.training.workers import Workers, lost_workers

THREE = Cluster(("chief", "worker 0", "worker 1"), ("127.0.0.1:1", "127.0.0.1:2", "[::1]:3"), 0)


class Meeting(Workers):
    """A worker in a thread, whose sums are computed when all threads have called `sum`."""

    def __init__(self, index: int, barrier: threading.Barrier, values: dict[int, Any]) -> None:
        super().__init__(tf.distribute.get_strategy(), dataclasses.replace(THREE, index=index))
        self.local_devices = 1
        self._barrier, self._values = barrier, values

    def sum(self, values: Any) -> Any:
        self._values[self.index] = values
        self._barrier.wait(30)
        total = sum(self._values.values())
        self._barrier.wait(30)
        return total


def on_all(action: Callable[[Workers], Any]) -> list[Any]:
    """The results or errors of an action that three workers do together."""
    barrier, values, results = threading.Barrier(3), dict[int, Any](), dict[int, Any]()

    def run(index: int) -> None:
        try:
            results[index] = action(Meeting(index, barrier, values))
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[index] for index in range(3)]


def test_a_process_alone_agrees_with_itself() -> None:
    workers = Workers(tf.distribute.get_strategy())
    assert workers.is_chief
    assert workers.share(3, 2) is None
    assert workers.from_chief(7) == 7
    assert workers.any(True)
    assert not workers.any(False)
    workers.require_same({"the step": 1})
    workers.wait_for_all()


def test_the_shares_of_the_workers_are_all_windows_of_a_step() -> None:
    shares = on_all(lambda workers: workers.share(micro_batches=2, batch_size=2))
    # A micro-batch has the windows of the first worker, then those of the second.
    assert shares[0].tolist() == [0, 1, 6, 7]
    assert shares[1].tolist() == [2, 3, 8, 9]
    assert sorted(np.concatenate(shares)) == [*range(12)]


def test_workers_use_what_the_chief_has() -> None:
    seeds = [2**63 - 1, 5, 6]
    assert on_all(lambda workers: workers.from_chief(seeds[workers.index])) == [2**63 - 1] * 3
    assert on_all(lambda workers: workers.any(workers.index == 2)) == [True] * 3
    gathered = on_all(lambda workers: workers.gather(np.array([workers.index, 5])).tolist())
    assert gathered == [[[0, 5], [1, 5], [2, 5]]] * 3


def test_variables_are_copied_from_the_chief() -> None:
    def copy(workers: Workers) -> list[float]:
        variable = tf.Variable([float(workers.index + 1)] * 2, dtype=tf.bfloat16)
        workers.copy_from_chief([variable])
        return tf.cast(variable, tf.float32).numpy().tolist()

    assert on_all(copy) == [[1.0, 1.0]] * 3


def test_the_chief_acts_before_the_others() -> None:
    order: list[int] = []
    on_all(lambda workers: workers.chief_first(lambda: order.append(workers.index)))
    assert order[0] == 0
    assert sorted(order) == [0, 1, 2]


def test_different_values_are_an_error_on_all_workers() -> None:
    def differ(workers: Workers) -> None:
        workers.require_same({"the seed": "equal", "the step": 10 * min(workers.index, 1)})

    errors = on_all(differ)
    for error in errors:
        assert isinstance(error, OptionError)
        assert "the workers differ in the step (chief: 0 and worker 0: 10)" in str(error)
    assert (
        on_all(lambda workers: workers.require_same({"the step": 3, "all": (1, "x")})) == [None] * 3
    )


def test_an_unreachable_worker_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as alive, socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # and does not listen
        addresses = ("127.0.0.1:9", *(f"127.0.0.1:{s.getsockname()[1]}" for s in (alive, dead)))
        cluster = dataclasses.replace(THREE, addresses=addresses)
        workers = Workers(tf.distribute.get_strategy(), cluster)
        with (
            pytest.raises(WorkerLostError, match=r"worker 1 \(127.0.0.1:\d+\) does not answer at"),
            workers.explain_lost(lambda: "at step 5"),
        ):
            raise tf.errors.UnavailableError(None, None, "Connection reset by peer")


def test_a_worker_that_hangs_is_named_by_tensorflows_error() -> None:
    message = "/job:worker/replica:0/task:1 stopped sending heartbeats to the chief"
    with socket.create_server(("127.0.0.1", 0)) as alive:
        address = f"127.0.0.1:{alive.getsockname()[1]}"
        cluster = dataclasses.replace(THREE, addresses=(address,) * 3)
        assert lost_workers(cluster, message) == [2]
        assert lost_workers(cluster, "Collective ops were aborted") == []


def test_of_several_unreachable_workers_the_one_in_the_error_is_named() -> None:
    # The others may have ended because of it.
    message = "Connection reset, remote target /job:worker/replica:0/task:0"
    assert lost_workers(THREE, message) == [1]
    assert lost_workers(THREE, "Connection reset") == [1, 2]


def test_errors_of_a_process_alone_are_unchanged() -> None:
    workers = Workers(tf.distribute.get_strategy())
    with pytest.raises(tf.errors.InternalError), workers.explain_lost(lambda: "now"):
        raise tf.errors.InternalError(None, None, "broken")


def test_exhausted_memory_is_not_taken_for_a_lost_worker() -> None:
    workers = Workers(tf.distribute.get_strategy(), THREE)
    error = tf.errors.InternalError(None, None, "Dst tensor is not initialized.")
    with (
        pytest.raises(OutOfMemoryError, match="out of memory at step 5"),
        explain_out_of_memory(lambda: "at step 5"),
        workers.explain_lost(lambda: "at step 5"),
    ):
        raise error
