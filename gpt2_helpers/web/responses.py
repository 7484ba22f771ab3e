"""Responses: submits requests to the engine and turns chunks into texts or completions.

This is where output of the engine's threads reaches the event loop. A client that disconnects
cancels its request.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.types import Receive

from gpt2_helpers.config import PRESET, SamplingConfig
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.generation.sentences import sentence_ends
from gpt2_helpers.web.engine import Engine, ScoreSpec
from gpt2_helpers.web.engine import Request as EngineRequest
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.schemas import (
    CompleteRequest,
    GenerateRequest,
    NextTokensRequest,
    last_part,
)

COMPLETION_CONTEXT = 1200  # characters before the cursor that are used for completions at most
SAMPLES_PER_COMPLETION = 2  # texts sampled per wanted completion, since some come out equal


def result_values(result: GenerationResult) -> dict[str, Any]:
    """What an answer says of a finished text, besides the text."""
    return {
        "tokens": result.n_tokens,
        "finish_reason": result.finish_reason,
        **({"ignored_tokens": result.ignored_tokens} if result.ignored_tokens else {}),
    }


class ChunkStream:
    """The chunks of a request, which is submitted on construction and cancelled on exit.

    Both the constructor and the iteration raise a RequestError if the request fails. With
    `stream=False` there is one chunk per text, at its end. The texts of several prompts are
    numbered in the order of the prompts.

    Args:
        engine: The engine that generates.
        requests: The parsed request, one for each of its prompts.
        stream: Whether to yield every chunk, or only the last one of each text.
        urgent: Whether to queue before all others.

    with ChunkStream(engine, [request]) as chunks:
        async for chunk in chunks: ...
    """

    def __init__(
        self,
        engine: Engine,
        requests: Sequence[GenerateRequest],
        stream: bool = True,
        urgent: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._outputs: asyncio.Queue[GenerationChunk | RequestError] = asyncio.Queue()
        self._error: RequestError | None = None

        def on_output(output: GenerationChunk | RequestError, first: int = 0) -> None:
            if isinstance(output, GenerationChunk) and first:
                output = replace(output, index=first + output.index)
            loop.call_soon_threadsafe(self._outputs.put_nowait, output)

        self._engine, self._remaining = engine, 0
        self._submitted: list[EngineRequest] = []
        self._timer: asyncio.TimerHandle | None = None
        try:
            for request in requests:
                submitted = engine.submit(
                    request.prefix,
                    request.sampling,
                    partial(on_output, first=self._remaining),
                    max_new_tokens=request.max_new_tokens,
                    stream=stream,
                    urgent=urgent,
                    exact=request.exact,
                    top_logprobs=request.top_logprobs,
                    first_sample=request.first_sample,
                )
                self._submitted.append(submitted)
                self._remaining += request.sampling.nsamples
        except RequestError:  # such as a full queue
            self.__exit__()
            raise
        if self._submitted:  # the engine reports this, too, unless it hangs
            timeout = self._submitted[-1].deadline - time.monotonic()
            self._timer = loop.call_later(timeout, on_output, engine.timeout_error())

    def __enter__(self) -> ChunkStream:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for submitted in self._submitted:
            self._engine.cancel(submitted)

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
    with ChunkStream(engine, [request], stream=False, urgent=urgent) as chunks:
        async for chunk in chunks:
            if chunk.result is not None:
                results.append(chunk.result)
    return sorted(results, key=lambda result: result.index)


async def score(engine: Engine, spec: ScoreSpec) -> TextScore:
    """Return the score of a text or of token ids.

    Raises:
        RequestError: If the request fails.
    """
    loop = asyncio.get_running_loop()
    outputs: asyncio.Queue[TextScore | RequestError] = asyncio.Queue()

    def on_output(output: TextScore | RequestError) -> None:
        loop.call_soon_threadsafe(outputs.put_nowait, output)

    submitted = engine.submit_score(spec, on_output)
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
        await cancel(working, disconnected)


async def cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def complete(engine: Engine, request: CompleteRequest) -> list[str]:
    """Return distinct short continuations of a text: the greedy one first, then sampled ones.

    Raises:
        RequestError: If the request fails.
    """
    prefix = last_part(request.text, COMPLETION_CONTEXT)
    # The end of a longer text isn't the start of a document.
    prompt_prefix = None if len(prefix) == len(request.text) else ""
    # A text is continued as it is, as in `next_tokens`.
    greedy = SamplingConfig(
        temperature=0.0, length=2, prompt_prefix=prompt_prefix, prompt_suffix=""
    )
    sampled = replace(
        PRESET,
        temperature=request.temperature,
        prompt_prefix=prompt_prefix,
        prompt_suffix="",
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
        await cancel(*tasks)
    prompt = prefix.lstrip("\n")  # texts start with their prompt without leading newlines
    completions = (
        _first_line(result.text.removeprefix(prompt), result.finish_reason == "stop")
        for result in results
    )
    return list(dict.fromkeys(filter(None, completions)))[: request.count]


async def next_tokens(engine: Engine, request: NextTokensRequest) -> list[dict[str, Any]]:
    """Return the likeliest tokens after a text, the likeliest first, for /api/next-tokens.

    A token has an id and a probability. Its text starts with the characters of `request.ids`; it is
    None if a character is still incomplete, and empty for the end of the text.

    Raises:
        RequestError: If the request fails.
    """
    engine.check_ids(request.ids, "ids")
    # A text is continued as it is: a run of prompts and completions has no prompt here.
    markers = SamplingConfig(
        temperature=0.0,
        length=2,
        prompt_prefix="" if request.is_cut else None,
        prompt_suffix="",
    )
    text = engine.encode(request.parameters.text, markers)
    encoded = replace(text, ids=[*text.ids, *request.ids])
    wanted = GenerateRequest(encoded, markers, 1, exact=True, top_logprobs=request.parameters.count)
    (result,) = await generate(engine, wanted, urgent=True)
    (token,) = result.tokens
    tokenizer = engine.tokenizer
    found = []
    for index, logprob in token.top:
        is_end = index == tokenizer.end_of_text
        shown: str | None = "" if is_end else None
        if not is_end and index < tokenizer.n_vocab:
            with suppress(UnicodeDecodeError):
                shown = tokenizer.decode_bytes([*request.ids, index]).decode()
        found.append({"id": index, "text": shown, "probability": math.exp(logprob)})
    return found


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
