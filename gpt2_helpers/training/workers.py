"""What the workers of a distributed training agree on, and which one is lost.

Values are exchanged by tf.distribute, whose collective operations wait for all workers: each of
them has to make the same calls in the same order. A single process agrees with itself.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gpt2_helpers.errors import OptionError, WorkerLostError, brief, is_out_of_memory
from gpt2_helpers.system.cluster import Cluster, read_cluster
from gpt2_helpers.training.strategy import training_strategy

PROBE_SECONDS = 3.0  # a worker that accepts no connection for so long is named as the lost one
# How TensorFlow reports that another worker ended, or that a collective operation was given up.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


class Workers:
    """This process among the workers of a training.

    Attributes:
        strategy: Their strategy.
        cluster: All workers; None if this process trains alone.
        count: Number of workers.
        index: The number of this one. Worker 0 is the chief.
        local_devices: Number of devices of this worker that train.

    workers = Workers(strategy, read_cluster())
    seed = workers.from_chief(random_seed)
    """

    def __init__(self, strategy: tf.distribute.Strategy, cluster: Cluster | None = None) -> None:
        """Exchange nothing yet.

        Args:
            strategy: The strategy of the training.
            cluster: The cluster that the strategy was made for, if any.
        """
        self.strategy, self.cluster = strategy, cluster
        self.count = len(cluster.addresses) if cluster else 1
        self.index = cluster.index if cluster else 0
        self.local_devices = strategy.num_replicas_in_sync // self.count

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the run folder, samples, events and backups."""
        return self.index == 0

    def share(self, micro_batches: int, batch_size: int) -> NDArray[np.int64] | None:
        """Which windows of an optimizer step this worker trains on.

        A step consists of micro-batches, each of which has `batch_size` windows for each device.

        Args:
            micro_batches: Number of micro-batches.
            batch_size: Windows per device and micro-batch.

        Returns:
            Their numbers, in order; None for all of them.

        Example:
            >>> workers = Workers(tf.distribute.get_strategy())
            >>> workers.share(2, 3) is None
            True
        """
        if self.count == 1:
            return None
        own = self.local_devices * batch_size
        first = np.arange(micro_batches) * own * self.count + self.index * own
        return (first[:, None] + np.arange(own)).ravel()

    def sum(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The sum of an array over all workers."""
        if self.count == 1:
            return values
        total = self.strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant(values), axis=None)
        return np.asarray(tf.convert_to_tensor(total))

    def any(self, value: bool) -> bool:
        """Whether the value is true on any worker."""
        return bool(self.sum(np.int64(value))) if self.count > 1 else value

    def wait_for_all(self) -> None:
        """Wait until all workers have called this."""
        self.any(False)

    def from_chief(self, value: int) -> int:
        """The value that the chief passed, between 0 and 2**63 - 1."""
        return int(self.sum(np.int64(value if self.is_chief else 0)))

    def gather(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The arrays of all workers, (worker, *shape)."""
        own = np.zeros((self.count, *values.shape), np.int64)
        own[self.index] = values
        return self.sum(own).astype(np.int64)

    def chief_first(self, action: Callable[[], None]) -> None:
        """Run an action on the chief, then on the others, which may find its files."""
        if self.is_chief:
            action()
        self.wait_for_all()
        if not self.is_chief:
            action()

    def copy_from_chief(self, variables: Iterable[tf.Variable]) -> None:
        """Give variables the values that they have on the chief."""
        if self.count == 1:
            return
        for variable in variables:
            own = tf.cast(variable, tf.float32).numpy()
            value = self.sum(own if self.is_chief else np.zeros_like(own))
            variable.assign(tf.cast(value, variable.dtype))

    def require_same(self, values: Mapping[str, object]) -> None:
        """Check that all workers have equal values.

        Args:
            values: By what they are called in the error message, values that are equal if their
                `repr` is. The message has those that are integers.

        Raises:
            OptionError: They differ; raised on all workers.
        """
        if self.cluster is None:
            return
        digests = np.array([_digest(value) for value in values.values()])
        gathered = self.gather(digests)
        for column, name in enumerate(values):
            different = np.flatnonzero(gathered[:, column] != gathered[0, column])
            if len(different):
                pair = (0, int(different[0]))
                found = [
                    f"{self.cluster.names[worker]}: {gathered[worker, column]:,}"
                    if type(values[name]) is int
                    else self.cluster.names[worker]
                    for worker in pair
                ]
                raise OptionError(
                    f"the workers differ in {name} ({' and '.join(found)}): start all of them "
                    "with the same command and files, and a checkpoint_dir that they share"
                )

    @contextmanager
    def explain_lost(self, moment: Callable[[], str]) -> Iterator[None]:
        """Raise TensorFlow's errors after the end of another worker as WorkerLostError.

        Args:
            moment: Called if a worker is lost. Returns when that was, such as "after step 5".

        Raises:
            WorkerLostError: Another worker ended or can't be reached.
        """
        try:
            yield
        except _LOST as error:
            if self.cluster is None or is_out_of_memory(error):
                raise
            lost = lost_workers(self.cluster, str(error))
            if not lost:
                who = f"a worker failed ({brief(error.message)})"
            else:
                names = " and ".join(self.cluster.describe(index) for index in lost)
                who = f"{names} {'does' if len(lost) == 1 else 'do'} not answer"
            raise WorkerLostError(
                f"{who} {moment()}: start all workers again to resume from there"
            ) from error


def join_workers(multi_gpu: bool) -> Workers:
    """Join the workers of TF_CONFIG, and wait until all of them have called this.

    Args:
        multi_gpu: Whether all GPUs of each machine are used.

    Raises:
        OptionError: See `training_strategy`.
    """
    return Workers(training_strategy(multi_gpu), read_cluster())


def lost_workers(cluster: Cluster, message: str) -> list[int]:
    """The numbers of the other workers that ended or can't be reached.

    Args:
        cluster: The workers.
        message: TensorFlow's error, which may name a worker. One that hangs still accepts
            connections; and others than the lost one may have ended because of it.
    """
    named = {
        job if job == "chief" else f"{job} {task}"
        for job, task in re.findall(r"/job:(\w+)/replica:0/task:(\d+)", message)
    }
    others = [index for index in range(len(cluster.addresses)) if index != cluster.index]
    named_others = [index for index in others if cluster.names[index] in named]
    unreachable = [index for index in others if not _accepts(cluster.addresses[index])]
    return [index for index in unreachable if index in named_others] or unreachable or named_others


def _accepts(address: str) -> bool:
    """Whether a connection to an address is accepted."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _digest(value: object) -> int:
    """An integer itself, or 63 bits of the SHA-256 of any other value's `repr`."""
    if type(value) is int:
        return value
    return int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:8], "big") >> 1
