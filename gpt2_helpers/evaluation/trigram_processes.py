"""Searches an index of trigrams in several processes, each of which has its own copy of the index.

NumPy releases the GIL, but a search consists of so many short operations that two searching threads
would spend a quarter of their time waiting for the GIL, which the threads that read and split text
hold too.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation.trigram_index import SimilarPairs, TrigramIndex
from gpt2_helpers.system.worker_processes import (
    UTF8,
    Answer,
    WorkerError,
    WorkerProcesses,
    serve,
)


class TrigramProcesses:
    """Searches as `TrigramIndex` does. `search` may be called from several threads.

    processes = TrigramProcesses(["why is the sky blue"], threshold=0.8, count=2)
    pairs = processes.search(["why is the sky so blue"], np.array([0.8]))
    processes.close()

    Args:
        texts: The indexed texts, normalized, at least one.
        threshold: See `TrigramIndex`.
        count: Number of processes.

    Raises:
        WorkerError: A process cannot be started.
    """

    def __init__(self, texts: Sequence[str], threshold: float, count: int) -> None:
        setup = struct.pack("<d", threshold) + _encoded(texts)
        self._processes = WorkerProcesses(__name__, setup, count)

    def search(self, texts: Sequence[str], at_least: NDArray[np.float64]) -> SimilarPairs:
        """See `TrigramIndex.search`; `at_least` has a number for each indexed text.

        Raises:
            DatasetError: A process ended early.
        """
        if not texts:
            return _pairs(b"")
        try:
            return _pairs(self._processes.ask(at_least.tobytes() + _encoded(texts)))
        except WorkerError as error:
            raise DatasetError(
                f"a process of the memorization check {error}: compare fewer texts at a time"
            ) from None

    def close(self) -> None:
        """Kill the processes; threads that wait for an answer get an error."""
        self._processes.close()


def run_worker() -> None:
    """Main loop of a worker process, see `serve`."""
    serve(_searcher)


def _searcher(setup: bytes) -> Answer:
    (threshold,) = struct.unpack_from("<d", setup)
    indexed = _decoded(setup[8:])
    index = TrigramIndex(indexed, threshold)
    size = 8 * len(indexed)

    def search(message: bytes) -> bytes:
        at_least = np.frombuffer(message, np.float64, len(indexed))
        pairs = index.search(_decoded(message[size:]), at_least)
        return b"".join([pairs.rows.tobytes(), pairs.indexed.tobytes(), pairs.similarity.tobytes()])

    return search


def _encoded(texts: Sequence[str]) -> bytes:
    return "\n".join(texts).encode(*UTF8)  # normalized texts have no line breaks


def _decoded(content: bytes) -> list[str]:
    return content.decode(*UTF8).split("\n")


def _pairs(answer: bytes) -> SimilarPairs:
    rows, indexed = np.frombuffer(answer, np.int64).reshape(3, -1)[:2]
    return SimilarPairs(rows, indexed, np.frombuffer(answer, np.float64).reshape(3, -1)[2])
