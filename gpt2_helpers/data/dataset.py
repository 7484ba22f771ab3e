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
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.documents import wrap_row
from gpt2_helpers.data.fast_encoder import FastEncoder, fast_encoder
from gpt2_helpers.data.find_files import check_column, find_files, find_training_files
from gpt2_helpers.data.formats import is_token_file
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_files import (
    memmap_tokens,
    write_dataset_file,
    write_npz,
)
from gpt2_helpers.data.token_stream import TokenStream, total_size
from gpt2_helpers.data.vocabulary_fit import fit_notes, word_rate
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.system.files import CopyProgress, drain
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer
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

    Tables (.csv, .tsv) are read row by row, a document each. Token files (.npz, .npy) are read as
    they are. Every other file is read as text; an end of text is inserted between two files.

    Args:
        path: A file, a folder (read with its subfolders), a glob pattern, or a list of these.
        tokenizer: The tokenizer of the model to train.
        config: Options: the column of tables, the encoding of text, and whether `<|endoftext|>` is
            encoded as plain characters instead of a single id.
        processes: Number of encoding processes, or threads if tiktoken is installed; the ids do not
            depend on it. Default: chosen by the size of the text.
        cache: The .npy file for the ids; replaced if it exists. Default: a temporary file.
        validation: The validation data, whose files are left out; see `find_training_files`.

    Returns:
        The dataset.

    Raises:
        DatasetError: The files cannot be read, or contain nothing to train on.
        OptionError: `config.column` is given but there is no table, or `processes` is below 1.

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
    """`load_dataset` with progress: yields the bytes read and in total, returns the dataset.

    `output` is a file that is not part of a folder's data.
    """
    cache_path = None if cache is None else user_path(cache, "cache")
    # The folder may contain the output of an earlier call, which is not part of the data.
    outputs = [file.resolve() for file in (cache_path, output) if file]
    report = ReadReport()
    found = find_training_files(path, validation, report)
    files = [file for file in found if file.resolve() not in outputs]
    check_column(files, config.column)
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


def encode_csv(
    csv_path: str | Path,
    out_path: str | Path = "csv_encoded.txt",
    header: bool = True,
    start_token: str = START_OF_TEXT,
    end_token: str = END_OF_TEXT,
    *,
    column: str | None = None,
    encoding: str | None = None,
) -> tuple[str, ...]:
    """Write a table as a text file with markers around each row, as gpt-2-simple does.

    Args:
        csv_path: The .csv or .tsv file.
        out_path: The text file to write, atomically.
        header: Whether the first row is a header and is skipped.
        start_token: Text before each row.
        end_token: Text after each row.
        column: Name or number of the column. Optional if there is only one column.
        encoding: Name of the encoding of the table. Default: detected.

    Returns:
        What was detected while reading, as sentences.

    Raises:
        DatasetError: The table cannot be read, see `load_dataset`, or contains no texts.
        OptionError: `out_path` is the table itself.

    Example:
        encode_csv("titles.csv", "titles.txt")
    """
    files = find_files(csv_path)
    out = user_path(out_path, "out_path")
    config = DatasetConfig(column=column, encoding=encoding)
    if len(files) > 1:
        raise DatasetError(f"{csv_path} matches {len(files)} files: use one .csv or .tsv file")
    if out.resolve() == files[0].resolve():
        raise OptionError(f"out_path must differ from the table, got {out_path}")
    report = ReadReport()
    with write_dataset_file(out) as file:
        marks = (start_token, end_token)
        for row in read_column(files[0], report, config.column, header, config.encoding, marks):
            file.write(wrap_row(row, start_token, end_token).encode())
        if not file.tell():
            raise DatasetError(f"{csv_path} contains no texts ({'; '.join(report.notes())})")
    return report.notes()


def encode_dataset(
    file_path: DatasetPath,
    tokenizer: Tokenizer,
    out_path: str | Path = "text_encoded.npz",
    combine: int = _DEFAULTS.combine,
    *,
    column: str | None = None,
    encoding: str | None = None,
    legacy_tokens: bool = False,
    processes: int | None = None,
) -> Dataset:
    """Encode a dataset once, into an .npz file that `load_dataset` and gpt-2-simple can read.

    Args:
        file_path: A file, folder or glob pattern; see `load_dataset`.
        tokenizer: The tokenizer of the model to train.
        out_path: The file to write; `.npz` is added if it is missing. Not read as part of a folder.
        combine: Number of characters encoded at a time.
        column: Name or number of the column of tables.
        encoding: Name of the encoding of text files. Default: detected.
        legacy_tokens: Whether `<|endoftext|>` is encoded as plain characters, as gpt-2-simple does.
        processes: Number of encoding processes or threads. Default: chosen by the size of the text.

    Returns:
        The dataset that was written.

    Raises:
        DatasetError: The files cannot be read, or contain nothing to train on.
        OptionError: `column` is given but there is no table, or `processes` is below 1.

    Example:
        encode_dataset("stories/", Tokenizer.load("models/124M"), "stories.npz")
    """
    config = DatasetConfig(
        combine=combine, column=column, encoding=encoding, legacy_tokens=legacy_tokens
    )
    return drain(iter_encode(file_path, tokenizer, out_path, config, processes))


def iter_encode(
    file_path: DatasetPath,
    tokenizer: Tokenizer,
    out_path: str | Path,
    config: DatasetConfig = _DEFAULTS,
    processes: int | None = None,
) -> Generator[CopyProgress, None, Dataset]:
    """`encode_dataset` with progress: yields the bytes read and in total, returns the dataset."""
    out = user_path(out_path, "out_path")
    if out.suffix != ".npz":
        out = out.with_name(out.name + ".npz")
    dataset = yield from iter_load(file_path, tokenizer, config, processes, output=out)
    write_npz(out, dataset.tokens)
    return dataset
