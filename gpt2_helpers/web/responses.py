"""Answers out of the writing thread's texts: whole, in pieces, or as completions of a line.

Here the thread's words reach the loop of the server. Whoever leaves takes the texts along.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

from starlette.types import Receive

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.web.engine import Job, Writer
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.schemas import Asked, Completing

BREATH = 0.03  # seconds between two sends of a stream: more of them are not seen, and cost as much
STILL_HERE = 10.0  # seconds without a piece, after which a stream says that it goes on
READ_BACK = 800  # characters before the cursor that a completion is made from
DRAWN = 2  # texts drawn for each completion that is wanted, as many will be alike


class Coming:
    """The pieces of a request's texts as they come, or with `whole` each text when it is finished.
    They are asked for at once: a Refusal where they cannot be, also from within the iteration. At
    the end of its block no more is written.

    with Coming(writer, asked) as coming:
        async for piece in coming: ...
    """

    def __init__(
        self, writer: Writer, asked: Asked, whole: bool = False, urgent: bool = False
    ) -> None:
        loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[GenerationChunk | RequestError] = asyncio.Queue()
        self._refused: RequestError | None = None

        def hear(word: GenerationChunk | RequestError) -> None:
            loop.call_soon_threadsafe(self._heard.put_nowait, word)

        self._writer, self._left = writer, asked.sampling.nsamples
        self._job: Job = writer.submit(
            asked.prefix,
            asked.sampling,
            hear,
            max_new_tokens=asked.max_new_tokens,
            whole=whole,
            urgent=urgent,
        )

    def __enter__(self) -> Coming:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.cancel(self._job)

    def __aiter__(self) -> Coming:
        return self

    async def __anext__(self) -> GenerationChunk:
        if not self._left:
            raise StopAsyncIteration
        if self._refused is None:
            word = await self._heard.get()
            if isinstance(word, GenerationChunk):
                self._left -= word.result is not None
                return word
            self._refused = word
        raise self._refused

    def at_hand(self) -> Iterator[GenerationChunk]:
        """Those that have come already."""
        while self._refused is None and not self._heard.empty():
            word = self._heard.get_nowait()
            if isinstance(word, GenerationChunk):
                self._left -= word.result is not None
                yield word
            else:
                self._refused = word


async def texts(writer: Writer, asked: Asked, urgent: bool = False) -> list[GenerationResult]:
    """All texts of a request, in order."""
    found: dict[int, GenerationResult] = {}
    with Coming(writer, asked, whole=True, urgent=urgent) as coming:
        async for piece in coming:
            if piece.result is not None:
                found[piece.index] = piece.result
    return [found[index] for index in sorted(found)]


async def unless_gone(answer: Awaitable[Any], receive: Receive) -> Any:
    """Await an answer; None, and its work cancelled, where the client leaves before it is done.

    The request's body must have been read.
    """
    working = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        await _let_go(working, leaving)


async def _let_go(*tasks: asyncio.Future[Any]) -> None:
    """End what may still be going on."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def events(coming: Coming, first: Callable[[], None]) -> AsyncGenerator[bytes, None]:
    """Pieces as server-sent events (HTML standard, 9.2): `text` for some more of a text, `end` for
    its last, `error` where it is refused midway, `done` when all is told. `first` is called once,
    with the first text."""
    following: asyncio.Future[GenerationChunk] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(coming))
            await asyncio.wait({following}, timeout=STILL_HERE)
            if not following.done():
                yield b": still here\n\n"
                continue
            try:
                piece = following.result()
            except StopAsyncIteration:
                yield _event("done", {})
                return
            except RequestError as refusal:
                yield _event("error", {"error": str(refusal), "status": refusal.status})
                return
            following = None
            together = b"".join(map(_told, [piece, *coming.at_hand()]))
            if together:
                first()
                first = lambda: None  # noqa: E731
                yield together
                await asyncio.sleep(BREATH)
    finally:
        if following is not None:
            await _let_go(following)


def _told(piece: GenerationChunk) -> bytes:
    """A piece as events."""
    told = b""
    if piece.text:
        told += _event("text", {"index": piece.index, "text": piece.text})
    if (result := piece.result) is not None:
        about = {
            "index": piece.index,
            "tokens": result.n_tokens,
            "finish_reason": result.finish_reason,
        }
        told += _event("end", about)
    return told


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def completions(writer: Writer, asked: Completing) -> list[str]:
    """Different short continuations of a text, the likeliest first."""
    prefix = asked.text[-READ_BACK:]
    drawn = SamplingConfig(
        temperature=asked.temperature,
        top_k=40,
        nsamples=max(1, min(DRAWN * asked.count, writer.most - 1)),
        length=2,
    )
    likeliest = SamplingConfig(temperature=0.0, length=2)
    both = [
        asyncio.ensure_future(
            texts(writer, Asked(prefix, sampling, asked.max_new_tokens), urgent=True)
        )
        for sampling in ([likeliest, drawn] if asked.temperature else [likeliest])
    ]
    try:
        written = [text for one in both for text in await one]
    finally:
        await _let_go(*both)
    shown = prefix.lstrip("\n")  # as a text shows it
    short = (_cut(one.text.removeprefix(shown), one.finish_reason == "stop") for one in written)
    return list(dict.fromkeys(filter(None, short)))[: asked.count]


def _cut(text: str, ended: bool) -> str:
    """A continuation up to the end of its line, or of its last whole word.

    >>> _cut(" a small house by the sea", False)
    ' a small house by the'
    >>> _cut("\\n    return total\\n\\ndef", False)
    '\\n    return total'
    """
    begin = len(text) - len(text.lstrip())
    line, newline, _ = text[begin:].partition("\n")
    if not line:
        return ""
    if not (ended or newline) and " " in line:
        line = line[: line.rindex(" ")]
    return text[:begin] + line.rstrip()
