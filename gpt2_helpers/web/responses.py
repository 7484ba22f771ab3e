"""Responses: submits requests to the engine and turns chunks into texts, events or completions.

This is where output of the engine's threads reaches the event loop. A client that disconnects
cancels its request.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from starlette.types import Receive

from gpt2_helpers.config import PRESET, SamplingConfig
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.generation.sentences import sentence_ends
from gpt2_helpers.web.engine import Engine
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.schemas import CompleteRequest, GenerateRequest, ScoreRequest

FLUSH_INTERVAL = 0.03  # seconds between two sends of a stream: faster is not visible, and costs CPU
KEEPALIVE = 10.0  # seconds without a chunk after which a stream sends a comment
COMPLETION_CONTEXT = 800  # characters before the cursor that are used for completions
SAMPLES_PER_COMPLETION = 2  # texts sampled per wanted completion, since some come out equal


class ChunkStream:
    """The chunks of a request, which is submitted on construction and cancelled on exit.

    Both the constructor and the iteration raise a RequestError if the request fails. With
    `stream=False` there is one chunk per text, at its end.

    Args:
        engine: The engine that generates.
        request: The parsed request.
        stream: Whether to yield every chunk, or only the last one of each text.
        urgent: Whether to queue before all others.

    with ChunkStream(engine, request) as chunks:
        async for chunk in chunks: ...
    """

    def __init__(
        self, engine: Engine, request: GenerateRequest, stream: bool = True, urgent: bool = False
    ) -> None:
        loop = asyncio.get_running_loop()
        self._outputs: asyncio.Queue[GenerationChunk | RequestError] = asyncio.Queue()
        self._error: RequestError | None = None

        def on_output(output: GenerationChunk | RequestError) -> None:
            loop.call_soon_threadsafe(self._outputs.put_nowait, output)

        self._engine, self._remaining = engine, request.sampling.nsamples
        self._submitted = engine.submit(
            request.prefix,
            request.sampling,
            on_output,
            max_new_tokens=request.max_new_tokens,
            stream=stream,
            urgent=urgent,
        )
        # The engine reports this, too, unless it hangs.
        timeout = self._submitted.deadline - time.monotonic()
        self._timer = loop.call_later(timeout, on_output, engine.timeout_error())

    def __enter__(self) -> ChunkStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._engine.cancel(self._submitted)

    def __aiter__(self) -> ChunkStream:
        return self

    async def __anext__(self) -> GenerationChunk:
        if not self._remaining:
            raise StopAsyncIteration
        if self._error is None:
            output = await self._outputs.get()
            if isinstance(output, GenerationChunk):
                self._remaining -= output.result is not None
                return output
            self._error = output
        raise self._error

    def available(self) -> Iterator[GenerationChunk]:
        """Yield the chunks that have already arrived."""
        while self._error is None and not self._outputs.empty():
            output = self._outputs.get_nowait()
            if isinstance(output, GenerationChunk):
                self._remaining -= output.result is not None
                yield output
            else:
                self._error = output


async def generate(
    engine: Engine, request: GenerateRequest, urgent: bool = False
) -> list[GenerationResult]:
    """Return all texts of a request, in order.

    Raises:
        RequestError: If the request fails.
    """
    results: list[GenerationResult] = []
    with ChunkStream(engine, request, stream=False, urgent=urgent) as chunks:
        async for chunk in chunks:
            if chunk.result is not None:
                results.append(chunk.result)
    return sorted(results, key=lambda result: result.index)


async def score(engine: Engine, request: ScoreRequest) -> TextScore:
    """Return the score of a text.

    Raises:
        RequestError: If the request fails.
    """
    loop = asyncio.get_running_loop()
    outputs: asyncio.Queue[TextScore | RequestError] = asyncio.Queue()

    def on_output(output: TextScore | RequestError) -> None:
        loop.call_soon_threadsafe(outputs.put_nowait, output)

    submitted = engine.submit_score(request.text, on_output)
    timer = loop.call_later(
        submitted.deadline - time.monotonic(), on_output, engine.timeout_error()
    )
    try:
        output = await outputs.get()
    finally:
        timer.cancel()
        engine.cancel(submitted)
    if isinstance(output, RequestError):
        raise output
    return output


async def cancel_on_disconnect(work: Awaitable[Any], receive: Receive) -> Any:
    """Await `work`; if the client disconnects first, cancel it and return None.

    Args:
        work: What to wait for.
        receive: The ASGI channel of the request, whose body must have been read.
    """
    working = asyncio.ensure_future(work)
    disconnected = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({working, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        await _cancel(working, disconnected)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def server_sent_events(
    chunks: ChunkStream, on_first_text: Callable[[], None]
) -> AsyncGenerator[bytes, None]:
    """Yield chunks as server-sent events (HTML standard, section 9.2).

    The events are `text` for each chunk, `end` after the last chunk of a text, `error` if the
    request fails, and `done` at the end. Chunks that arrive together are sent together.
    """
    pending: asyncio.Future[GenerationChunk] | None = None
    is_first = True
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(chunks))
            await asyncio.wait({pending}, timeout=KEEPALIVE)
            if not pending.done():
                yield b": keep-alive\n\n"
                continue
            try:
                chunk = pending.result()
            except StopAsyncIteration:
                yield _event("done", {})
                return
            except RequestError as error:
                yield _event("error", {"error": str(error), "status": error.status})
                return
            pending = None
            events = b"".join(map(_chunk_events, [chunk, *chunks.available()]))
            if events:
                if is_first:
                    on_first_text()
                    is_first = False
                yield events
                await asyncio.sleep(FLUSH_INTERVAL)
    finally:
        if pending is not None:
            await _cancel(pending)


def _chunk_events(chunk: GenerationChunk) -> bytes:
    events = b""
    if chunk.text:
        events += _event("text", {"index": chunk.index, "text": chunk.text})
    if (result := chunk.result) is not None:
        values = {
            "index": chunk.index,
            "tokens": result.n_tokens,
            "finish_reason": result.finish_reason,
        }
        events += _event("end", values)
    return events


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def complete(engine: Engine, request: CompleteRequest) -> list[str]:
    """Return distinct short continuations of a text: the greedy one first, then sampled ones.

    Raises:
        RequestError: If the request fails.
    """
    prefix = request.text[-COMPLETION_CONTEXT:]
    # The end of a longer text isn't the start of a document.
    prompt_prefix = None if len(prefix) == len(request.text) else ""
    greedy = SamplingConfig(temperature=0.0, length=2, prompt_prefix=prompt_prefix)
    sampled = replace(
        PRESET,
        temperature=request.temperature,
        prompt_prefix=prompt_prefix,
        finish_sentence=False,
        nsamples=max(1, min(SAMPLES_PER_COMPLETION * request.count, engine.capacity - 1)),
        length=2,
    )
    tasks = []
    for sampling in [greedy, sampled] if request.temperature else [greedy]:
        wanted = GenerateRequest(prefix, sampling, request.max_new_tokens)
        tasks.append(asyncio.ensure_future(generate(engine, wanted, urgent=True)))
    try:
        results = [result for task in tasks for result in await task]
    finally:
        await _cancel(*tasks)
    prompt = prefix.lstrip("\n")  # texts start with their prompt without leading newlines
    completions = (
        _first_line(result.text.removeprefix(prompt), result.finish_reason == "stop")
        for result in results
    )
    return list(dict.fromkeys(filter(None, completions)))[: request.count]


def _first_line(text: str, is_complete: bool) -> str:
    """Cut a continuation at the end of its first line, or after its last whole sentence or word.

    >>> _first_line(" a small house by the sea", False)
    ' a small house by the'
    >>> _first_line(" by the sea. She was", False)
    ' by the sea.'
    >>> _first_line("\\n    return total\\n\\ndef", False)
    '\\n    return total'
    """
    start = len(text) - len(text.lstrip())
    line, newline, _ = text[start:].partition("\n")
    if not line:
        return ""
    if not (is_complete or newline):
        if ends := sentence_ends(line):
            line = line[: ends[-1]]
        elif " " in line:
            line = line[: line.rindex(" ")]
    return text[:start] + line.rstrip()
