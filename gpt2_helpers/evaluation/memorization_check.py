"""The memorization check of many texts: streams the training text past an index of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.remote_files import LocalCopies
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_stream import total_size
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation.generated_index import Found, GeneratedIndex, ShortTexts
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.training_text import Piece, TrainingData, read_pieces, text_files
from gpt2_helpers.evaluation.words import split_words
from gpt2_helpers.system import device
from gpt2_helpers.system.files import CopyProgress

_BLOCK = 6_000_000  # characters of training text that are compared at a time
_MAX_THREADS = 4  # each needs several hundred MB
_MUCH = 200_000_000_000  # generated texts times bytes of training text
_CHARACTERS_PER_WORD = 8  # a first guess, to find the last words of a text


@dataclass(frozen=True)
class TextBlock:
    """Training texts that are compared at a time: all short, or all long."""

    texts: list[str]
    is_short: bool


def check_texts(
    generated: Sequence[str],
    data: TrainingData,
    threads: int | None = None,
    use_processes: bool = True,
) -> Generator[CopyProgress, None, OverlapReport]:
    """Compare generated texts with training text. The training text is read once, in blocks.

    Args:
        generated: The texts.
        data: The training text.
        threads: Number of threads, and of processes if there is much to compare. Default: one per
            core, at most four. The result does not depend on it.
        use_processes: Whether processes may be started. Default: True.

    Yields:
        The bytes of training text that were read, and the total.

    Returns:
        The report.

    Raises:
        DatasetError: If the training text cannot be read, or there is none, or a process ended
            early.

    Example:
        report = drain(check_texts(["Why is the sky blue?"], TrainingData([("titles.csv", None)])))
    """
    index = GeneratedIndex(generated)
    threads = threads or max(1, min(device.cores(), _MAX_THREADS))
    notes = [*data.notes]
    pending: deque[Future[Found]] = deque()
    is_empty, size = True, 0
    executor = ThreadPoolExecutor(threads, thread_name_prefix="memorization")
    with executor, closing(index):
        try:
            for block in _blocks(data, index.longest_text, notes):
                if isinstance(block, CopyProgress):
                    size = block.total
                    yield block
                    continue
                if use_processes and block.is_short:
                    use_processes = False  # they are running, or not needed
                    if threads > 1 and len(generated) * size >= _MUCH:
                        index.start_processes(threads)
                is_empty = False
                pending += _submit(executor, index, block)
                while len(pending) > threads:
                    index.add(pending.popleft().result())
            while pending:
                index.add(pending.popleft().result())
        except BaseException:  # the blocks that wait need not be compared after Ctrl-C
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    if is_empty:
        names = ", ".join(str(path) for path, _ in data.datasets)
        raise DatasetError(f"{names} contains no text to compare with")
    pairs = zip(generated, index.matches(), strict=True)
    return OverlapReport.from_matches(pairs, notes)


def _submit(
    executor: ThreadPoolExecutor, index: GeneratedIndex, block: TextBlock
) -> list[Future[Found]]:
    """Start to compare a block."""
    if not block.is_short:
        return [executor.submit(index.find_long_runs, block.texts)]
    texts = ShortTexts.of(block.texts)
    return [
        executor.submit(index.find_similar, texts),
        executor.submit(index.find_short_runs, texts),
    ]


def _blocks(
    data: TrainingData, longest_text: int, notes: list[str]
) -> Iterator[TextBlock | CopyProgress]:
    """Read all training text in blocks, and how much was read before and after each."""
    report = ReadReport()
    with LocalCopies() as copies:
        found = []
        for path, column in data.datasets:
            config = DatasetConfig(column=column, encoding=data.encoding)
            local = yield from copies.resolve(path)
            found += [(file, config) for file in text_files(local, config, notes)]
        total = total_size(file for file, _ in found)
        yield CopyProgress(0, total)
        for file, config in found:
            for block in group_pieces(read_pieces(file, config, report), longest_text):
                yield block
                yield CopyProgress(report.bytes_read, total)
    if data.describes_reading:
        notes += map(copies.shown, report.notes())


def group_pieces(pieces: Iterator[Piece], longest_text: int) -> Iterator[TextBlock]:
    """Collect pieces into blocks. A long text that continues in the next block starts there with
    the last words of this one, so that no run of words is cut.

    Args:
        pieces: The training texts.
        longest_text: Number of words of the longest text that they are compared with.
    """
    texts: dict[bool, list[str]] = {True: [], False: []}
    size = {True: 0, False: 0}
    is_open = False  # whether the last long text continues
    for piece in pieces:
        kind = piece.is_short
        if is_open and not kind:
            texts[kind][-1] += piece.text
        else:
            texts[kind].append(piece.text)
        is_open = not kind and not piece.is_end
        size[kind] += len(piece.text)
        if size[kind] >= _BLOCK:
            yield TextBlock(texts[kind], kind)
            texts[kind] = [_last_words(texts[kind][-1], longest_text)] if is_open else []
            size[kind] = 0
    for kind, left in texts.items():
        if left:
            yield TextBlock(left, kind)


def _last_words(text: str, count: int) -> str:
    """The end of a text, with at least `count` words if it has as many."""
    size = max(1, count) * _CHARACTERS_PER_WORD
    # The first word may be cut.
    while size < len(text) and len(split_words(text[-size:])) <= count:
        size *= 2
    return text[-size:]
