"""Encodes a stream of text as token ids, in parallel.

The text is split only at boundaries of GPT-2's words, so the ids are those of the whole text, for
any size of the parts and any number of threads or processes.

tiktoken, which is used for large texts if it is installed, works in threads; see `fast_encoder`.
`Tokenizer.encode` holds Python's global lock and works in processes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import regex

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.system import worker_processes
from gpt2_helpers.system.worker_processes import (
    UTF8,
    Answer,
    WorkerError,
    WorkerProcesses,
    serve,
)
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.types import AnyIds

if TYPE_CHECKING:
    from gpt2_helpers.data.fast_encoder import FastEncoder

MAX_UNBROKEN_CHARS = 200_000  # longer runs without a word boundary are split anyway

# A boundary is a place that no word of the tokenizer spans: before whitespace, between a letter and
# another kind of character, or between a digit and another kind. The pattern searches backwards.
# It skips the one boundary inside `<|endoftext|>`, and needs two characters after any boundary to
# recognize it.
_WORD_BOUNDARY = regex.compile(
    r"(?rs)(?=..)(?:(?<=\S)(?=\s)|(?<=\p{N})(?=\P{N})"
    r"|(?<=\p{L})(?=\P{L})(?!(?<=<\|endoftext)\|>))"
)


def token_dtype(n_vocab: int) -> np.dtype[Any]:
    """The smallest dtype for token ids: uint16 if the vocabulary fits, otherwise int32."""
    return np.dtype("<u2" if n_vocab <= 1 << 16 else "<i4")


def split_at_word_boundaries(chunks: Iterable[str], size: int) -> Iterator[str]:
    """Split a stream of text into parts that can be encoded separately.

    The parts encode to the same ids as the whole text, and none ends inside an `<|endoftext|>`. The
    exception is a run of more than 200,000 characters without a word boundary, which is split
    anywhere.

    Args:
        chunks: The text, in chunks of any length.
        size: Length of the parts, approximately, in characters.

    Yields:
        The parts, in order.

    Example:
        >>> list(split_at_word_boundaries(["One two ", "three four five six seven"], size=12))
        ['One two', ' three four', ' five six seven']
    """
    pending: list[str] = []
    length, needed = 0, size
    for chunk in chunks:
        pending.append(chunk)
        length += len(chunk)
        if length < needed + len(END_OF_TEXT):
            continue
        text, start = "".join(pending), 0
        while len(text) - start >= size + len(END_OF_TEXT):
            end = _find_split(text, start, size)
            if end is None:
                break
            yield text[start:end]
            start = end
        pending = [text[start:]]
        length = len(text) - start
        # Without a boundary, wait for twice as much text: each attempt searches all of it.
        needed = size if length < size else min(2 * length, max(size, MAX_UNBROKEN_CHARS))
    if length:
        yield "".join(pending)


def _find_split(text: str, start: int, size: int) -> int | None:
    """The end of the part that starts at `start`; None if more text is needed to find one."""
    # Enough text must follow to recognize an `<|endoftext|>` that starts before the split.
    limit = min(len(text) - len(END_OF_TEXT) - start, max(size, MAX_UNBROKEN_CHARS))
    span = min(size, limit)
    while True:
        match = _WORD_BOUNDARY.search(text[start : start + span + 2])
        if match:
            return start + match.start()
        if span == limit:
            break
        span = min(2 * span, limit)
    if limit < MAX_UNBROKEN_CHARS:
        return None
    end = start + limit
    special = text.find(END_OF_TEXT, end - len(END_OF_TEXT) + 1, end + len(END_OF_TEXT) - 1)
    return special if special >= 0 else end


def encode_texts(
    texts: Iterable[str],
    tokenizer: Tokenizer,
    special: bool,
    processes: int,
    fast: FastEncoder | None = None,
) -> Generator[AnyIds, None, None]:
    """Encode texts in parallel and in order.

    Args:
        texts: The texts; only a few per process are held at a time.
        tokenizer: The tokenizer to use.
        special: Whether `<|endoftext|>` becomes a single id.
        processes: Number of processes, or of threads with `fast`; 1 encodes in this thread.
        fast: The fast encoder of the tokenizer, if it has one.

    Yields:
        The ids of each text, as an array of `token_dtype`.

    Raises:
        DatasetError: A process ended early, for example because memory ran out.
    """
    if fast is not None:
        encode = partial(fast.encode, special=special)
        yield from map(encode, texts) if processes == 1 else _in_order(encode, texts, processes)
    elif processes == 1 or not worker_processes.can_start():
        dtype = token_dtype(tokenizer.n_vocab)
        for text in texts:
            yield np.array(tokenizer.encode(text, special), dtype)
    else:
        yield from _encode_in_processes(texts, tokenizer, special, processes)


def _encode_in_processes(
    texts: Iterable[str], tokenizer: Tokenizer, special: bool, processes: int
) -> Generator[AnyIds, None, None]:
    setup = json.dumps([tokenizer.vocabulary, tokenizer.merges, special]).encode()
    dtype = token_dtype(tokenizer.n_vocab)
    try:
        workers = WorkerProcesses(__name__, setup, processes)
    except WorkerError as error:
        raise DatasetError(f"{error}; try again with processes=1") from None

    def encode(text: str) -> AnyIds:
        try:
            return np.frombuffer(workers.ask(text.encode(*UTF8)), dtype)
        except WorkerError as error:
            raise DatasetError(f"an encoding process {error}: try again with processes=1") from None

    with closing(workers):
        yield from _in_order(encode, texts, processes, stop=workers.close)


def _in_order(
    encode: Callable[[str], AnyIds],
    texts: Iterable[str],
    threads: int,
    stop: Callable[[], None] = lambda: None,
) -> Generator[AnyIds, None, None]:
    """Call `encode` in threads, for a few texts ahead. `stop` ends calls that are running."""
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[AnyIds]] = deque()
    try:
        for text in texts:
            pending.append(pool.submit(encode, text))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Also on an interrupt: the threads may wait for processes, so those are stopped first.
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        pool.shutdown()


def run_worker() -> None:
    """Main loop of a worker process, see `serve`."""
    serve(_encoder)


def _encoder(setup: bytes) -> Answer:
    vocabulary, merges, special = json.loads(setup)
    tokenizer = Tokenizer(vocabulary, [(left, right) for left, right in merges])
    dtype = token_dtype(tokenizer.n_vocab)

    def encode(message: bytes) -> bytes:
        return np.array(tokenizer.encode(message.decode(*UTF8), special), dtype).tobytes()

    return encode
