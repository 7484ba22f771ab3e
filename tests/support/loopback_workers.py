"""Workers of one training on this machine: processes of `gpt2-helpers finetune` with TF_CONFIG."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 900.0  # seconds; a busy machine must not fail a test that is only slow


@dataclass
class Worker:
    """A worker process, its folder, and the file with all that it printed."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """Wait until the process ends; returns its exit code."""
        return self.process.wait(TIMEOUT)


def free_addresses(count: int) -> list[str]:
    """Addresses on loopback that nothing listens on."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


@contextmanager
def training(
    folders: Sequence[Path], *arguments: str, chief: bool = False
) -> Iterator[list[Worker]]:
    """Run `gpt2-helpers finetune` as several workers; those still alive at the end are killed.

    Args:
        folders: The current folder of each worker.
        arguments: Those of the command.
        chief: Whether the first worker is listed as chief, as on Vertex AI.
    """
    addresses = free_addresses(len(folders))
    cluster = {"worker": addresses}
    tasks = [("worker", index) for index in range(len(folders))]
    if chief:
        cluster = {"chief": addresses[:1], "worker": addresses[1:]}
        tasks = [("chief", 0), *tasks[:-1]]
    command = [sys.executable, "-m", "gpt2_helpers", "finetune", *arguments]
    workers: list[Worker] = []
    try:
        for number, (folder, (job, index)) in enumerate(zip(folders, tasks, strict=True)):
            config = {"cluster": cluster, "task": {"type": job, "index": index}}
            log = folder / f"worker-{number}.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={**os.environ, "TF_CONFIG": json.dumps(config)},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            workers.append(Worker(process, folder, log))
        yield workers
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGKILL)
                worker.process.wait()
