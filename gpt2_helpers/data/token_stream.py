"""Files -> one stream of ids, and counts of what went by. Knows nothing of where the ids are kept.

Text is read, cut and encoded piece by piece, so that memory stays the same for 1 MB and for 1 GB.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.documents import iter_text
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_files import is_token_file, read_tokens
from gpt2_helpers.data.tokenize import encode_texts, split_at_word_boundaries, token_dtype
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.types import AnyIds

_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 10, 1 << 20  # characters
_TAIL = 16  # ids in which an `<|endoftext|>` of either kind shows

OnProgress = Callable[[int, int], None]


def total_size(files: Iterable[Path]) -> int:
    """The bytes of all files; DatasetError where one cannot be looked at."""
    try:
        return sum(file.stat().st_size for file in files)
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from None


class TokenStream:
    """Blocks of ids, read from files and encoded as they are asked for, and what was found."""

    def __init__(self, tokenizer: Tokenizer, config: DatasetConfig, processes: int) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self.processes = processes
        self.dtype = token_dtype(tokenizer.n_vocab)
        self.special = not config.legacy_tokens
        self.report = ReadReport()
        self.documents = 0
        self.characters = 0

    def blocks(
        self, path: str | Path, files: list[Path], on_progress: OnProgress | None
    ) -> Iterator[AnyIds]:
        """The ids of all files, with an end of text where one file meets the next.

        `path` is what the errors call them; `on_progress` is called with the bytes read and the
        bytes there are. Raises DatasetError for what cannot be trained on.
        """
        separator = np.array(self.tokenizer.encode(END_OF_TEXT, self.special), self.dtype)
        total = total_size(files)
        count = 0
        tail: list[int] = []
        # Each archive by itself, and the texts between two of them as one stream.
        for _, group in itertools.groupby(
            files, lambda file: file if is_token_file(file) else None
        ):
            begun = False
            for ids in self._group(list(group)):
                if tail and not begun and not _ends_text(self.tokenizer.decode(tail)):
                    yield separator
                begun = True
                tail = (tail + ids[-_TAIL:].tolist())[-_TAIL:]
                count += len(ids)
                yield ids
                if on_progress:
                    on_progress(self.report.bytes_read, total)
        # Refused here and not later, so that nothing is left of a cache without use.
        if not self.documents:
            reasons = "; ".join(self.report.notes()[:3]) or "nothing but white space or no files"
            raise DatasetError(f"{path} holds no text to train on ({reasons})")
        if count < 2:
            raise DatasetError(f"{path} holds a single token: training needs at least two")

    def _group(self, files: list[Path]) -> Iterator[AnyIds]:
        if is_token_file(files[0]):
            yield from self._counted_ids(read_tokens(files[0], self.tokenizer.n_vocab))
            self.report.bytes_read += total_size(files)
        else:
            size = min(max(self.config.combine, _SMALLEST_PIECE), _LARGEST_PIECE)
            texts = split_at_word_boundaries(
                iter_text(files, self.report, self.config.column), size
            )
            counted = self._counted_text(texts)
            yield from encode_texts(counted, self.tokenizer, self.special, self.processes)

    def _counted_text(self, texts: Iterable[str]) -> Iterator[str]:
        within = False  # a document that has shown more than white space
        for text in texts:
            self.characters += len(text)
            for order, part in enumerate(text.split(END_OF_TEXT)):
                if order:
                    within = False
                if not within and part.strip():
                    self.documents += 1
                    within = True
            yield text

    def _counted_ids(self, blocks: Iterable[AnyIds]) -> Iterator[AnyIds]:
        end = self.tokenizer.end_of_text
        last: list[int] = []
        for ids in blocks:
            self.documents += int(np.count_nonzero(ids == end))
            last = (last + ids[-_TAIL:].tolist())[-_TAIL:]
            yield ids
        unended = last[len(last) - last[::-1].index(end) :] if end in last else last
        self.documents += bool(self.tokenizer.decode(unended).strip())


def _ends_text(text: str) -> bool:
    return text.rstrip("\n").endswith(END_OF_TEXT)
