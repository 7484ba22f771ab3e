"""A process that writes for a server: orders by its standard input, texts by its output, each a
line of JSON. `processes` starts it; it ends with its input.

The first line says what to write with (`Setup`). Then come
    {"put": number, "order": ..., "whole": ..., "urgent": ..., "seconds": ...}
    {"cancel": [numbers]}
and go, after {"ready": true} or {"error": text},
    {"tokens": count, "pieces": [[number, text, null or [whole text, tokens, finish_reason]], ...]}
    {"refused": number, "as": name of a refusal, "because": text}
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, Any

from gpt2_helpers.checkpoint.model_files import load_for_inference
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Job, Order
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.scheduler import Scheduler

COUNTED_EACH = 0.25  # seconds between two counts of tokens, where there is nothing else to say


@dataclass(frozen=True)
class Setup:
    """What such a process writes with."""

    folder: str
    checkpoint: str
    precision: str
    threads: int
    serve: Mapping[str, Any]  # the fields of a ServeConfig

    def told(self) -> dict[str, Any]:
        return asdict(self)


def said(line: str) -> dict[str, Any]:
    """What a line says; nothing where it was cut off by the end of who wrote it."""
    if not line.endswith("\n"):
        return {}
    values: dict[str, Any] = json.loads(line)
    return values


class Lines:
    """Lines of JSON out of several threads."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def tell(self, values: Mapping[str, Any]) -> None:
        """Send one. Whoever would have read it may be gone."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(json.dumps(values) + "\n")
            self._stream.flush()


class _Telling:
    """Gathers what a step wrote, and tells it once a step."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._pieces: list[Any] = []
        self._tokens, self._told = 0, time.monotonic()

    def hear(self, number: int, word: GenerationChunk | RequestError) -> None:
        if isinstance(word, RequestError):
            self._lines.tell({"refused": number, "as": type(word).__name__, "because": str(word)})
            return
        result = word.result
        end = None if result is None else [result.text, result.n_tokens, result.finish_reason]
        self._pieces.append([number, word.text, end])

    def count(self, tokens: int) -> None:
        self._tokens += tokens
        now = time.monotonic()
        if self._pieces or now > self._told + COUNTED_EACH:
            self._lines.tell({"tokens": self._tokens, "pieces": self._pieces})
            self._pieces, self._tokens, self._told = [], 0, now


def main() -> None:
    """Write until the input ends."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # may be sent to a whole group: the server says
        signal.signal(ending, signal.SIG_IGN)
    lines = Lines(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # whatever else is printed
    try:
        telling = _Telling(lines)
        batcher = _batcher(Setup(**said(sys.stdin.readline())), telling)
    except (Gpt2Error, MemoryError) as error:
        lines.tell({"error": str(error) or "out of memory"})
        return
    batcher.start()
    lines.tell({"ready": True})
    jobs: dict[int, Job] = {}
    for line in sys.stdin:
        asked = said(line)
        for number in asked.get("cancel", ()):
            if job := jobs.pop(number, None):
                batcher.cancel(job)
        if "put" in asked:
            number = asked["put"]
            jobs = {known: job for known, job in jobs.items() if not job.is_over}
            jobs[number] = _job(number, asked, telling)
            batcher.put(jobs[number], [_order(asked["order"])], asked["urgent"])
    batcher.stop()


def _batcher(setup: Setup, telling: _Telling) -> Scheduler:
    device.set_max_threads(setup.threads)
    device.use_no_gpus()  # the server has looked
    model = load_for_inference(setup.folder, setup.precision, setup.precision, setup.checkpoint)
    tokenizer = Tokenizer.load(setup.folder)
    return Scheduler(DecoderPool(model), tokenizer, ServeConfig(**setup.serve), telling.count)


def _order(told: Mapping[str, Any]) -> Order:
    return Order(**{**told, "sampling": SamplingConfig(**told["sampling"])})


def _job(number: int, asked: Mapping[str, Any], telling: _Telling) -> Job:
    def hear(word: GenerationChunk | RequestError) -> None:
        telling.hear(number, word)
        if isinstance(word, GenerationChunk) and word.result is not None:
            job.is_over = True

    job = Job(hear, asked["whole"], asked["seconds"])
    return job
