"""Worker process: receives sequences on stdin and sends chunks on stdout, as lines of JSON.

`worker_pool` starts it; it ends when its stdin is closed. The first line is a `WorkerConfig`. After
it come

    {"enqueue": id, "sequence": {...}, "stream": bool, "urgent": bool, "timeout": seconds}
    {"enqueue": id, "score": {...}, "stream": false, "timeout": seconds}
    {"cancel": [id, ...]}
    {"ping": true}

The worker answers {"ready": true} or {"error": message}, and then sends

    {"tokens": number of new tokens,
     "chunks": [[id, text, tokens, null or the result without prompt and index], ...]}
    {"scored": id, "score": {...}}
    {"failed": id, "type": name of a RequestError, "message": message}
    {"pong": true}

A ping is answered unless the scheduler hangs, so the server notices a deadlock of either thread.
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
from dataclasses import asdict, astuple, dataclass
from typing import IO, Any

from gpt2_helpers.checkpoint.model_files import load_for_inference
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Request, ScoreSpec, SequenceSpec
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.scheduler import Scheduler

REPORT_INTERVAL = 0.25  # seconds between token counts while it has no chunks to send


@dataclass(frozen=True)
class WorkerConfig:
    """The model that a worker loads, and its share of the machine."""

    folder: str
    checkpoint: str
    precision: str
    threads: int
    serve: Mapping[str, Any]  # the fields of a ServeConfig

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse_message(line: str) -> dict[str, Any]:
    """Parse a line; returns {} if its sender died while writing it."""
    if not line.endswith("\n"):
        return {}
    values: dict[str, Any] = json.loads(line)
    return values


class MessageWriter:
    """Sends messages from several threads over one pipe."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def send(self, values: Mapping[str, Any]) -> None:
        """Send a message. Does nothing if the reader is gone."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(json.dumps(values) + "\n")
            self._stream.flush()


class _OutputBuffer:
    """Collects the chunks of a decode step and sends them as one message."""

    def __init__(self, messages: MessageWriter) -> None:
        self._messages = messages
        self._chunks: list[Any] = []
        self._tokens, self._sent_at = 0, time.monotonic()

    def add(self, request_id: int, output: GenerationChunk | TextScore | RequestError) -> None:
        if isinstance(output, RequestError):
            kind = type(output).__name__
            self._messages.send({"failed": request_id, "type": kind, "message": str(output)})
            return
        if isinstance(output, TextScore):
            self._messages.send({"scored": request_id, "score": asdict(output)})
            return
        result = output.result
        end = None
        if result is not None:
            numbers = result.n_tokens, result.finish_reason, result.logprob, result.ignored_tokens
            end = [result.text, *numbers, [*map(astuple, result.tokens)]]
        self._chunks.append([request_id, output.text, [*map(astuple, output.tokens)], end])

    def step_done(self, tokens: int) -> None:
        self._tokens += tokens
        now = time.monotonic()
        if self._chunks or now > self._sent_at + REPORT_INTERVAL:
            self._messages.send({"tokens": self._tokens, "chunks": self._chunks})
            self._chunks, self._tokens, self._sent_at = [], 0, now


def main() -> None:
    """Generate until stdin is closed."""
    # Ctrl-C goes to the whole process group; the server decides when its workers end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    messages = MessageWriter(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # anything else printed to stdout would break the protocol
    try:
        buffer = _OutputBuffer(messages)
        scheduler = _load(WorkerConfig(**parse_message(sys.stdin.readline())), buffer)
    except (Gpt2Error, MemoryError) as error:
        messages.send({"error": str(error) or "out of memory"})
        return
    scheduler.start()
    messages.send({"ready": True})
    requests: dict[int, Request] = {}
    for line in sys.stdin:
        message = parse_message(line)
        if "ping" in message and scheduler.is_ready:
            messages.send({"pong": True})
        for request_id in message.get("cancel", ()):
            if request := requests.pop(request_id, None):
                scheduler.cancel(request)
        if "enqueue" in message:
            requests = {key: request for key, request in requests.items() if not request.is_done}
            request = requests[message["enqueue"]] = _request(message, buffer)
            if "score" in message:
                scheduler.enqueue_score(request, ScoreSpec(**message["score"]))
            else:
                scheduler.enqueue(request, [_sequence(message["sequence"])], message["urgent"])
    scheduler.stop()


def _load(config: WorkerConfig, buffer: _OutputBuffer) -> Scheduler:
    device.set_max_threads(config.threads)
    device.use_no_gpus()  # the server has already checked
    precision = config.precision
    model = load_for_inference(config.folder, precision, precision, config.checkpoint)
    tokenizer = Tokenizer.load(config.folder)
    return Scheduler(DecoderPool(model), tokenizer, ServeConfig(**config.serve), buffer.step_done)


def _sequence(values: Mapping[str, Any]) -> SequenceSpec:
    return SequenceSpec(**{**values, "sampling": SamplingConfig(**values["sampling"])})


def _request(message: Mapping[str, Any], buffer: _OutputBuffer) -> Request:
    def on_output(output: GenerationChunk | TextScore | RequestError) -> None:
        buffer.add(message["enqueue"], output)
        if isinstance(output, GenerationChunk) and output.result is not None:
            request.is_done = True

    request = Request(on_output, message["stream"], message["timeout"])
    return request
