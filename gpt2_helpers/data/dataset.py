"""Datasets: files encoded as token ids for training, with a description.

The ids are stored in a memory-mapped file, so 1 GB of text needs no more memory than 1 MB.
`token_stream` reads and encodes them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.fast_encoder import FastEncoder, fast_encoder
from gpt2_helpers.data.find_files import check_column, find_training_files
from gpt2_helpers.data.formats import is_token_file
from gpt2_helpers.data.remote_files import LocalCopies, has_url
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_files import (
    memmap_tokens,
)
from gpt2_helpers.data.token_stream import TokenStream, total_size
from gpt2_helpers.data.vocabulary_fit import fit_notes, word_rate
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.system.files import CopyProgress, drain
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import AnyIds, DatasetPath

# For less text, preparing tiktoken or starting processes costs more than it saves.
_FAST_BYTES, _PARALLEL_BYTES = 1 << 20, 1 << 24
_CHUNK_TOKENS = 1 << 20  # ids compared at a time
_DEFAULTS = DatasetConfig()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Encoded text.

    Attributes:
        tokens: Token ids, (count,): uint16 if the vocabulary fits, otherwise int32. Memory-mapped.
        documents: Number of documents.
        characters: Number of characters, including the markers around table rows; 0 if unknown.
        notes: What was detected while reading, as sentences.
        sources: Paths of the files that were read.
        end_of_text: The id after each document; None if the markers are encoded as plain text.
        word_rate: Tokens per character of the text's words; 0 if unknown. See `vocabulary_fit`.
    """

    tokens: AnyIds
    documents: int
    characters: int
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    end_of_text: int | None = None
    word_rate: float = 0.0

    def describe(
        self, n_ctx: int, tokens_per_step: int | None = None, steps: int | None = None
    ) -> list[str]:
        """Describe the dataset before training.

        Args:
            n_ctx: Context length of the model, in tokens.
            tokens_per_step: Tokens per optimizer step. Default: no lines about training.
            steps: Number of optimizer steps; None, 0 or less if it is not limited.

        Returns:
            Lines of text: the notes, the amounts, and how many times the data is seen.

        Example:
            >>> Dataset(np.arange(2000), documents=3, characters=9000).describe(1024, 500, 40)
            ['3 documents, 2,000 tokens, 9,000 characters: 0.22 tokens per character',
            '40 steps of 500 tokens: the data is seen 10 times']
        """
        count = len(self.tokens)
        lines = list(self.notes)
        amounts = f"{_count(self.documents, 'document')}, {_count(count, 'token')}"
        rate = count / self.characters if self.characters else 0.0
        if rate:
            amounts += f", {self.characters:,} characters: {rate:.2f} tokens per character"
        lines.append(amounts)
        lines += fit_notes(rate, self.word_rate)
        if count <= n_ctx:
            lines.append(
                f"the data is shorter than the model's context of {n_ctx:,} tokens: training uses "
                f"sequences of {count:,}"
            )
        if tokens_per_step and steps and steps > 0:
            seen = describe_epochs(steps * tokens_per_step / count)
            amount = f"{_count(steps, 'step')} of {tokens_per_step:,} tokens"
            lines.append(f"{amount}: {seen}")
        elif tokens_per_step:
            epoch = max(1, round(count / tokens_per_step))
            lines.append(f"the data is seen once in {_count(epoch, 'step')}")
        return lines

    report = describe  # its earlier name, which scripts use


def describe_epochs(epochs: float, text: str = "the data") -> str:
    """How often training sees a text, in the same words wherever it is shown.

    >>> [describe_epochs(epochs) for epochs in (0.1234, 0.999, 1.02)]
    ['12% of the data is seen', 'the data is seen once', 'the data is seen once']
    >>> [describe_epochs(epochs, "your text") for epochs in (3.46, 9.96, 1234.5)]
    ['your text is seen 3.5 times', 'your text is seen 10 times', 'your text is seen 1,234 times']
    """
    if epochs < 0.995:
        return f"{100 * epochs:.2g}% of {text} is seen"
    times = f"{epochs:,.0f}" if epochs >= 9.95 else f"{float(f'{epochs:.2g}'):g}"
    return f"{text} is seen " + ("once" if times == "1" else f"{times} times")


def load_dataset(
    path: DatasetPath,
    tokenizer: Tokenizer,
    config: DatasetConfig = _DEFAULTS,
    *,
    processes: int | None = None,
    cache: str | Path | None = None,
    validation: DatasetPath | None = None,
) -> Dataset:
    """Read and encode a dataset.

    Tables (.csv, .tsv), JSON, JSON Lines and Parquet files are read record by record, a document
    each. Token files (.npz, .npy) are not encoded again. Every other file is read as text; an
    end of text is inserted between two files. Text formats may be compressed with gzip or zstd.

    Args:
        path: A file, a folder (read with its subfolders), a glob pattern, a URL (https://, s3://
            and others of fsspec), or a list of these.
        tokenizer: The tokenizer of the model to train.
        config: Options: the column of records, the encoding of text, and whether `<|endoftext|>` is
            encoded as plain characters instead of a single id.
        processes: Number of encoding processes, or threads if tiktoken is installed; the ids do not
            depend on it. Default: chosen by the size of the text.
        cache: The .npy file for the ids; replaced if it exists. Default: a temporary file.
        validation: The validation data, whose files are left out; see `find_training_files`.

    Returns:
        The dataset.

    Raises:
        DatasetError: The files cannot be read, or contain nothing to train on.
        OptionError: `config.column` is given but no file has records, or `processes` is below 1.

    Example:
        dataset = load_dataset("titles.csv", Tokenizer.load("models/124M"))
        print("\\n".join(dataset.describe(n_ctx=1024)))
    """
    return drain(iter_load(path, tokenizer, config, processes, cache, validation=validation))


def iter_load(
    path: DatasetPath,
    tokenizer: Tokenizer,
    config: DatasetConfig = _DEFAULTS,
    processes: int | None = None,
    cache: str | Path | None = None,
    output: Path | None = None,
    validation: DatasetPath | None = None,
) -> Generator[CopyProgress, None, Dataset]:
    """`load_dataset` with progress: yields the bytes copied or read and in total, returns it.

    `output` is a file that is not part of a folder's data.
    """
    with LocalCopies() as copies:
        local = yield from copies.resolve(path)
        if validation is not None and has_url(validation):
            # It has to be left out only if it is part of the dataset too.
            is_part = validation in ([path] if isinstance(path, str | os.PathLike) else path)
            validation = (yield from copies.resolve(validation)) if is_part else None
        dataset = yield from _load_files(
            local, tokenizer, config, processes, cache, output, validation
        )
        return dataclasses.replace(
            dataset,
            notes=tuple(map(copies.shown, dataset.notes)),
            sources=tuple(map(copies.shown, dataset.sources)),
        )


def _load_files(
    path: DatasetPath,
    tokenizer: Tokenizer,
    config: DatasetConfig,
    processes: int | None,
    cache: str | Path | None,
    output: Path | None,
    validation: DatasetPath | None,
) -> Generator[CopyProgress, None, Dataset]:
    cache_path = None if cache is None else user_path(cache, "cache")
    # The folder may contain the output of an earlier call, which is not part of the data.
    outputs = [file.resolve() for file in (cache_path, output) if file]
    report = ReadReport()
    found = find_training_files(path, validation, report, config)
    files = [file for file in found if file.resolve() not in outputs]
    for option in ("column", "prompt_column", "keywords_from"):
        check_column(files, getattr(config, option), option)
    total = total_size(files)
    text = total_size(file for file in files if not is_token_file(file))
    fast = fast_encoder(tokenizer) if text >= _FAST_BYTES else None
    stream = TokenStream(tokenizer, config, _process_count(processes, text, fast), report, fast)
    writing = memmap_tokens(stream.read(path, files), stream.dtype, cache_path)
    while True:
        try:
            next(writing)
        except StopIteration as end:
            tokens = end.value
            break
        yield CopyProgress(stream.report.bytes_read, total)
    return Dataset(
        tokens=tokens,
        documents=stream.documents,
        characters=0 if any(map(is_token_file, files)) else stream.characters,
        notes=stream.report.notes(),
        sources=tuple(str(file) for file in files),
        end_of_text=None if config.legacy_tokens else tokenizer.end_of_text,
        word_rate=word_rate(stream.sample, tokenizer),
    )


def _process_count(processes: int | None, text: int, fast: FastEncoder | None) -> int:
    """The number of encoding processes, or threads, for a text of that many bytes."""
    if processes is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return max(1, min(cores or 1, text // (_FAST_BYTES if fast else _PARALLEL_BYTES) * 2))
    if processes < 1:
        raise OptionError(f"processes must be at least 1, got {processes}")
    return processes


def _occurrences(tokens: AnyIds, index: int) -> int:
    """How often an id occurs. Compares in chunks, to save memory."""
    chunks = (
        tokens[start : start + _CHUNK_TOKENS] for start in range(0, len(tokens), _CHUNK_TOKENS)
    )
    return sum(int(np.count_nonzero(chunk == index)) for chunk in chunks)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sample_tokens(dataset: Dataset) -> bytes:
    """Some ids from all over a dataset and their number, to tell datasets apart."""
    tokens, length = dataset.tokens, 64
    starts = np.linspace(0, max(0, len(tokens) - length), 1000).astype(int)
    parts = [np.asarray(tokens[start : start + length], np.int32) for start in np.unique(starts)]
    return len(tokens).to_bytes(8, "big") + np.concatenate(parts).tobytes()


def train_validation_split(dataset: Dataset, fraction: float) -> tuple[Dataset, Dataset]:
    """Set aside the last part of a dataset for validation.

    The split is moved to the nearest end of a document, if there is one within half the length of
    the validation part. Characters are divided in proportion.

    Args:
        dataset: The dataset to split.
        fraction: Size of the validation part, between 0 and 1.

    Returns:
        The training part and the validation part.

    Raises:
        OptionError: `fraction` is not between 0 and 1.
        DatasetError: A part would have fewer than two tokens.

    Example:
        train, validation = train_validation_split(dataset, 0.05)
    """
    if not 0 < fraction < 1:
        raise OptionError(f"validation_split must be between 0 and 1, got {fraction}")
    tokens, end = dataset.tokens, dataset.end_of_text
    count = len(tokens)
    cut = count - round(count * fraction)
    ends = np.empty(0, np.int64)
    if end is not None:
        reach = (count - cut) // 2
        first = max(2, cut - reach)
        # A cut at `first + n` assigns the id before it, at `first + n - 1`, to the first part.
        near = tokens[first - 1 : min(count - 2, cut + reach)]
        ends = first + np.flatnonzero(near == end)
    if len(ends):
        cut = int(ends[np.abs(ends - cut).argmin()])
    if cut < 2 or count - cut < 2:
        raise DatasetError(
            f"{count:,} tokens are too few for validation_split={fraction:g}: use more text, a "
            "larger fraction, or validation_data"
        )
    held_out = max(1, round(dataset.documents * (count - cut) / count))
    if end is not None:
        ended = _occurrences(tokens[cut:], end)
        has_open_document = dataset.documents > ended + _occurrences(tokens[:cut], end)
        held_out = max(1, ended + has_open_document)
    characters = round(dataset.characters * cut / count)
    train = dataclasses.replace(
        dataset,
        tokens=tokens[:cut],
        documents=max(1, dataset.documents - held_out),
        characters=characters,
    )
    validation = dataclasses.replace(
        dataset,
        tokens=tokens[cut:],
        documents=held_out,
        characters=dataset.characters - characters,
        notes=(),
    )
    return train, validation
