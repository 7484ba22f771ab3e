"""A stream of text -> arrays of ids, in this process or in several. Knows nothing of files.

The text is cut where GPT-2's words end in any case, so that the pieces encode to the very ids that
the whole would, whatever their size and however many processes work on them.

The processes are plain `python -c` ones and not multiprocessing's: those run the caller's script
a second time, which fails, or trains twice, in a script without an `if __name__ == "__main__"`.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any

import numpy as np
import regex

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.types import AnyIds

MAX_UNBROKEN_CHARS = 200_000  # longer runs without a word boundary are cut anyway

# No word of the tokenizer goes on from a letter to what is none, from a digit to what is none, or
# from anything to white space. Searched from the end; the one such place in an `<|endoftext|>` is
# passed over, for which two characters must stand behind any.
_WORD_END = regex.compile(
    r"(?rs)(?=..)(?:(?<=\S)(?=\s)|(?<=\p{N})(?=\P{N})"
    r"|(?<=\p{L})(?=\P{L})(?!(?<=<\|endoftext)\|>))"
)


def token_dtype(n_vocab: int) -> np.dtype[Any]:
    """The smallest type that holds the ids: uint16 where they fit, int32 otherwise."""
    return np.dtype("<u2" if n_vocab <= 1 << 16 else "<i4")


def split_at_word_boundaries(stream: Iterable[str], size: int) -> Iterator[str]:
    """The same text in pieces of about `size` characters that may be encoded one by one.

    They encode to the ids of the whole, and none ends within an `<|endoftext|>`. Only a run of
    over 200,000 characters without a space, digit or punctuation is cut within.

    >>> list(split_at_word_boundaries(["One two ", "three four five six seven"], size=12))
    ['One two', ' three four', ' five six seven']
    """
    waiting: list[str] = []
    length, wanted = 0, size
    for block in stream:
        waiting.append(block)
        length += len(block)
        if length < wanted + len(END_OF_TEXT):
            continue
        text, start = "".join(waiting), 0
        while len(text) - start >= size + len(END_OF_TEXT):
            end = _cut(text, start, size)
            if end is None:
                break
            yield text[start:end]
            start = end
        waiting = [text[start:]]
        length = len(text) - start
        # Without a place to cut, twice as much must come in: each try looks through it all.
        wanted = size if length < size else min(2 * length, max(size, MAX_UNBROKEN_CHARS))
    if length:
        yield "".join(waiting)


def _cut(text: str, start: int, size: int) -> int | None:
    """Where the piece that begins at `start` may end: within `size` characters, or soon after."""
    # Behind the cut stands enough text to tell an `<|endoftext|>` that begins before it.
    limit = min(len(text) - len(END_OF_TEXT) - start, max(size, MAX_UNBROKEN_CHARS))
    span = min(size, limit)
    while True:
        match = _WORD_END.search(text[start : start + span + 2])
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
    texts: Iterable[str], tokenizer: Tokenizer, special: bool, processes: int
) -> Generator[AnyIds, None, None]:
    """The ids of each text, in order; `special` makes `<|endoftext|>` one id.

    No more than a few texts a process are held at once. Raises DatasetError where a process ends
    before its work does, as where memory runs out.
    """
    dtype = token_dtype(tokenizer.n_vocab)
    if processes == 1 or not sys.executable:  # an embedded Python cannot start another
        for text in texts:
            yield np.array(tokenizer.encode(text, special), dtype)
        return
    workers: list[_Worker] = []
    idle: SimpleQueue[_Worker] = SimpleQueue()

    def encode(text: str) -> AnyIds:
        worker = idle.get()
        try:
            return worker.encode(text)
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(processes)
    waiting: deque[Future[AnyIds]] = deque()
    try:
        for _ in range(processes):
            workers.append(_Worker(tokenizer, special))
            idle.put(workers[-1])
        for text in texts:
            waiting.append(threads.submit(encode, text))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # After an interrupt too: ending the processes is what frees the threads that wait on them.
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.end()
        threads.shutdown()


_START = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from gpt2_helpers.data.tokenize import work
work()
"""
_UTF8 = ("utf-8", "surrogatepass")  # a text may hold what no UTF-8 can


class _Worker:
    """Another Python process that encodes one text after the other."""

    def __init__(self, tokenizer: Tokenizer, special: bool) -> None:
        command = [sys.executable, "-c", _START]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise DatasetError(
                f"no further process can be started: {error.strerror or error}; try again with "
                "processes=1"
            ) from None
        places = [place for place in sys.path if isinstance(place, str)]
        setup = json.dumps([tokenizer.vocabulary, tokenizer.merges, special]).encode()
        self._setup = json.dumps(places).encode() + b"\n" + _message(setup)
        self._dtype = token_dtype(tokenizer.n_vocab)

    def encode(self, text: str) -> AnyIds:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._setup + _message(text.encode(*_UTF8)))
            process.stdin.flush()
            self._setup = b""
            return np.frombuffer(_received(process.stdout), self._dtype)
        except (OSError, EOFError, ValueError):
            try:
                code = process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                code = None
            raise DatasetError(
                f"a process that encoded text ended early (exit code {code}): was there too "
                "little memory? Try again with processes=1"
            ) from None

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent is not wanted any more
                if pipe is not None:
                    pipe.close()
        self._process.wait()


def work() -> None:
    """What a worker process does: ids for each text that comes in, until no more come."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that prints may speak between the ids
    vocabulary, merges, special = json.loads(_received(source))
    tokenizer = Tokenizer(vocabulary, [(left, right) for left, right in merges])
    dtype = token_dtype(tokenizer.n_vocab)
    while True:
        try:
            text = _received(source).decode(*_UTF8)
        except EOFError:
            return
        sink.write(_message(np.array(tokenizer.encode(text, special), dtype).tobytes()))
        sink.flush()


def _message(content: bytes) -> bytes:
    """What goes through a pipe: the number of bytes, and they."""
    return struct.pack("<Q", len(content)) + content


def _received(pipe: IO[bytes]) -> bytes:
    """The content of the next message; EOFError where none comes, or not all of it."""
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    (size,) = struct.unpack("<Q", head)
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content
