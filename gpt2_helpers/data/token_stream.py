"""Reads the files of a dataset as one stream of token ids.

Text is read, split and encoded in chunks, so memory use does not depend on the size of the files.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.deduplicate import Deduplicator, describe_duplicates
from gpt2_helpers.data.documents import iter_text
from gpt2_helpers.data.fast_encoder import FastEncoder
from gpt2_helpers.data.formats import is_token_file
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_shards import is_index, read_token_dataset, shard_paths
from gpt2_helpers.data.tokenize import encode_texts, split_at_word_boundaries, token_dtype
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.types import AnyIds, DatasetPath

_MIN_PART, _MAX_PART = 1 << 10, 1 << 20  # characters encoded at a time
SAMPLE_CHARACTERS = 100_000
_TAIL = 16  # ids that are enough to recognize an `<|endoftext|>`, as one id or as seven


def total_size(files: Iterable[Path]) -> int:
    """The total size of the files in bytes, with the shards of an index; raises DatasetError if one
    is not accessible."""
    try:
        return sum(
            part.stat().st_size
            for file in files
            for part in (file, *(shard_paths(file) if is_index(file) else ()))
        )
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from None


class TokenStream:
    """Reads and encodes files lazily, and counts documents and characters as it reads.

    Args:
        tokenizer: Encodes the text.
        config: Column, token format and size of the parts encoded at a time.
        processes: Number of encoding processes, or of threads with `fast`.
        report: Receives what was detected.
        fast: The fast encoder of the tokenizer. Default: encode with the tokenizer itself.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: DatasetConfig,
        processes: int,
        report: ReadReport,
        fast: FastEncoder | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self.processes = processes
        self.fast = fast
        self.dtype = token_dtype(tokenizer.n_vocab)
        self.special = not config.legacy_tokens
        self.report = report
        self.duplicates = Deduplicator() if config.deduplicate else None
        self.documents = 0
        self.characters = 0  # of text and records
        self.sample = ""  # the start of the text

    def read(self, path: DatasetPath, files: list[Path]) -> Iterator[AnyIds]:
        """Yield the ids of all files, with an end of text between two files.

        Args:
            path: Name of the dataset in error messages.
            files: Files of text, records and token ids, in order.

        Raises:
            DatasetError: The files cannot be read, or contain nothing to train on.
        """
        separator = np.array(self.tokenizer.encode(END_OF_TEXT, self.special), self.dtype)
        count = 0
        tail: list[int] = []
        for group in _group_files(files):
            first = True
            for ids in self._read_group(group):
                if tail and first and not _ends_document(self.tokenizer.decode(tail)):
                    yield separator
                first = False
                tail = (tail + ids[-_TAIL:].tolist())[-_TAIL:]
                count += len(ids)
                yield ids
        if self.duplicates:
            self.report.add_for_all(describe_duplicates(self.duplicates))
        # Raised before the stream ends, so that an unusable cache file is not kept.
        if not self.documents:
            reasons = "; ".join(self.report.notes()[:3]) or "only whitespace, or no files"
            raise DatasetError(f"{path} contains no text to train on ({reasons})")
        if count < 2:
            raise DatasetError(f"{path} contains a single token: training needs at least two")

    def _read_group(self, files: list[Path]) -> Iterator[AnyIds]:
        if is_token_file(files[0]):
            yield from self._count_ids(read_token_dataset(files[0], self.tokenizer.n_vocab))
            self.report.bytes_read += total_size(files)
        else:
            size = min(max(self.config.combine, _MIN_PART), _MAX_PART)
            chunks = iter_text(files, self.report, self.config)
            if self.duplicates:
                chunks = self.duplicates.filter(chunks)
            texts = self._count_text(split_at_word_boundaries(chunks, size))
            yield from encode_texts(texts, self.tokenizer, self.special, self.processes, self.fast)

    def _count_text(self, texts: Iterable[str]) -> Iterator[str]:
        """Pass texts through, counting characters and the documents that are not blank."""
        in_document = False
        for text in texts:
            self.characters += len(text)
            if len(self.sample) < SAMPLE_CHARACTERS:
                self.sample += text[: SAMPLE_CHARACTERS - len(self.sample)]
            for order, part in enumerate(text.split(END_OF_TEXT)):
                if order:
                    in_document = False
                if not in_document and part and not part.isspace():
                    self.documents += 1
                    in_document = True
            yield text

    def _count_ids(self, chunks: Iterable[AnyIds]) -> Iterator[AnyIds]:
        """Pass ids through, counting documents by their ends."""
        end = self.tokenizer.end_of_text
        last: list[int] = []
        for ids in chunks:
            self.documents += int(np.count_nonzero(ids == end))
            last = (last + ids[-_TAIL:].tolist())[-_TAIL:]
            yield ids
        rest = last[len(last) - last[::-1].index(end) :] if end in last else last
        self.documents += bool(self.tokenizer.decode(rest).strip())


def _group_files(files: list[Path]) -> Iterator[list[Path]]:
    """Yield each token file separately, and adjacent text files together."""
    for _, group in itertools.groupby(files, lambda file: file if is_token_file(file) else None):
        yield list(group)


def _ends_document(text: str) -> bool:
    return text.rstrip("\n").endswith(END_OF_TEXT)
