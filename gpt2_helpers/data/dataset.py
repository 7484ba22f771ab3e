"""Files -> ids to train on, with what to say of them first. NumPy only: knows nothing of models.

The ids lie in a file that is mapped into memory, so that 1 GB of text needs no more memory than
1 MB; how they come about is the business of `idstream`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.documents import check_column, find_files, wrap_row
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_files import (
    is_token_file,
    memmap_tokens,
    write_dataset_file,
    write_npz,
)
from gpt2_helpers.data.token_stream import OnProgress, TokenStream, total_size
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer
from gpt2_helpers.types import AnyIds

# Measured with GPT-2's vocabulary, in tokens a character: English 0.23 to 0.3, German, French and
# Spanish 0.4, source code 0.45, Polish, Czech and Turkish 0.57; Arabic 1.0, Russian 1.1, Greek 1.2,
# Japanese 1.4, Hindi 1.5, Chinese 1.8, Korean 2.3.
POOR_FIT = 0.65

_PARALLEL_BYTES = 1 << 24  # of text, under which starting processes costs more than it saves
_BLOCK = 1 << 20  # ids looked at together
_DEFAULTS = DatasetConfig()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Encoded text: its ids and where they came from."""

    tokens: AnyIds  # [count], uint16 where the vocabulary fits, else int32; mapped from a file
    documents: int
    characters: int  # as encoded, the marks around CSV rows included; 0 where unknown
    notes: tuple[str, ...] = ()  # what reading found out, in plain sentences
    sources: tuple[str, ...] = ()  # the files it was read from
    end_of_text: int | None = None  # the id after each document; None where marks are plain text

    def describe(
        self, n_ctx: int, tokens_per_step: int | None = None, steps: int | None = None
    ) -> list[str]:
        """What to say before training: the notes, the amounts, and how often the data is seen.

        >>> Dataset(np.arange(2000), documents=3, characters=9000).describe(1024, 500, 40)
        ['3 documents, 2,000 tokens, 9,000 characters: 0.22 tokens a character',
        '40 steps of 500 tokens see the data 10 times']
        """
        count = len(self.tokens)
        lines = list(self.notes)
        amounts = f"{_counted(self.documents, 'document')}, {_counted(count, 'token')}"
        rate = count / self.characters if self.characters else 0.0
        if rate:
            amounts += f", {self.characters:,} characters: {rate:.2f} tokens a character"
        lines.append(amounts)
        if rate > POOR_FIT:
            lines.append(
                f"Warning: the model's vocabulary fits this text badly: it takes {rate:.2f} tokens "
                "a character, where GPT-2 takes about 0.25 for English; texts come out shorter and "
                "worse. For another language, a model with its own vocabulary learns better: "
                "gpt2-helpers pretrain"
            )
        if count <= n_ctx:
            lines.append(
                f"the data is shorter than the {n_ctx:,} tokens the model can see at once: it is "
                f"trained on runs of {count:,}"
            )
        if tokens_per_step and steps and steps > 0:
            seen = steps * tokens_per_step / count
            times = f"{seen:,.0f}" if seen >= 10 else f"{seen:.2g}"
            often = "the data once" if times == "1" else f"the data {times} times"
            if seen < 1:
                often = f"{100 * seen:.2g}% of the data"
            sees = "sees" if steps == 1 else "see"
            lines.append(f"{_counted(steps, 'step')} of {tokens_per_step:,} tokens {sees} {often}")
        elif tokens_per_step:
            once = max(1, round(count / tokens_per_step))
            lines.append(f"the data is seen once in {_counted(once, 'step')}")
        return lines


def load_dataset(
    path: str | Path,
    tokenizer: Tokenizer,
    config: DatasetConfig = _DEFAULTS,
    *,
    processes: int | None = None,
    cache: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> Dataset:
    """Read and encode a file, a folder with its subfolders, or a glob.

    Tables (.csv, .tsv) give a document a row; archives (.npz, .npy) hold ids; all else is text,
    with an end of text between two files. `<|endoftext|>` in a text becomes its one id, unless
    `config.legacy_tokens`. The ids are the same for any number of `processes`; None takes several
    where the text is large. They lie in `cache`, a .npy file that is written anew, or in a
    temporary one. `on_progress` is called with the bytes read and the bytes there are.

    Raises DatasetError for what cannot be trained on, OptionError for a column without a table.

    `load_dataset("titles.csv", Tokenizer.load("models/124M")).describe(n_ctx=1024)`
    """
    return _load(path, tokenizer, config, processes, cache, on_progress)


def _load(
    path: str | Path,
    tokenizer: Tokenizer,
    config: DatasetConfig,
    processes: int | None,
    cache: str | Path | None,
    on_progress: OnProgress | None,
    replaced: Path | None = None,
) -> Dataset:
    keep = None if cache is None else Path(cache)
    # What an earlier call wrote where this one will write is no part of the data.
    written = [place.resolve() for place in (keep, replaced) if place]
    files = [file for file in find_files(path) if file.resolve() not in written]
    check_column(files, config.column)
    ids = TokenStream(tokenizer, config, _process_count(processes, files))
    tokens = memmap_tokens(ids.blocks(path, files, on_progress), ids.dtype, keep)
    return Dataset(
        tokens=tokens,
        documents=ids.documents,
        characters=0 if any(map(is_token_file, files)) else ids.characters,
        notes=ids.report.notes(),
        sources=tuple(str(file) for file in files),
        end_of_text=None if config.legacy_tokens else tokenizer.end_of_text,
    )


def _process_count(processes: int | None, files: Iterable[Path]) -> int:
    if processes is None:
        text = total_size(file for file in files if not is_token_file(file))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return max(1, min(cores or 1, text // _PARALLEL_BYTES * 2))
    if processes < 1:
        raise OptionError(f"processes must be at least 1, got {processes}")
    return processes


def _occurrences(tokens: AnyIds, index: int) -> int:
    """How often an id occurs, counted in blocks: a comparison of all ids at once needs memory."""
    parts = (tokens[start : start + _BLOCK] for start in range(0, len(tokens), _BLOCK))
    return sum(int(np.count_nonzero(part == index)) for part in parts)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def train_validation_split(dataset: Dataset, share: float) -> tuple[Dataset, Dataset]:
    """The data to train on, and its last `share` to measure on.

    The cut lies behind the nearest end of a document, where there is one within half the length of
    the second part. Characters are divided in proportion. Raises OptionError for a share outside 0
    to 1, DatasetError where a part is left with less than two tokens.
    """
    if not 0 < share < 1:
        raise OptionError(f"the share for validation must lie between 0 and 1, got {share}")
    tokens, end = dataset.tokens, dataset.end_of_text
    count = len(tokens)
    cut = count - round(count * share)
    ends = np.empty(0, np.int64)
    if end is not None:
        reach = (count - cut) // 2
        first = max(2, cut - reach)
        # A cut at `first + n` leaves the id before it, at `first + n - 1`, to the first part.
        near = tokens[first - 1 : min(count - 2, cut + reach)]
        ends = first + np.flatnonzero(near == end)
    if len(ends):
        cut = int(ends[np.abs(ends - cut).argmin()])
    if cut < 2 or count - cut < 2:
        raise DatasetError(
            f"{count:,} tokens are too few to set {share:g} of them aside for validation: give "
            "more text, a larger share, or a file of its own"
        )
    held = max(1, round(dataset.documents * (count - cut) / count))
    if end is not None:
        inside = _occurrences(tokens[cut:], end)
        unended = dataset.documents > inside + _occurrences(tokens[:cut], end)
        held = max(1, inside + unended)
    characters = round(dataset.characters * cut / count)
    train = dataclasses.replace(
        dataset,
        tokens=tokens[:cut],
        documents=max(1, dataset.documents - held),
        characters=characters,
    )
    validation = dataclasses.replace(
        dataset,
        tokens=tokens[cut:],
        documents=held,
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
) -> tuple[str, ...]:
    """Write a table as a text file, each row between two marks, as gpt-2-simple does.

    With `header` the first row is skipped. Returns the notes of what was found. Raises
    DatasetError for a table that `load_dataset` would refuse.
    """
    files = find_files(csv_path)
    out = Path(out_path)
    if len(files) > 1:
        raise DatasetError(f"{csv_path} is {len(files)} files: give one .csv or .tsv file")
    if out.resolve() == files[0].resolve():
        raise OptionError(f"out_path must be another file than the table, got {out_path}")
    report = ReadReport()
    with write_dataset_file(out) as file:
        for row in read_column(files[0], report, column, header):
            file.write(wrap_row(row, start_token, end_token).encode())
        if not file.tell():
            raise DatasetError(f"{csv_path} holds no texts ({'; '.join(report.notes())})")
    return report.notes()


def encode_dataset(
    file_path: str | Path,
    tokenizer: Tokenizer,
    out_path: str | Path = "text_encoded.npz",
    combine: int = _DEFAULTS.combine,
    *,
    column: str | None = None,
    legacy_tokens: bool = False,
    processes: int | None = None,
    on_progress: OnProgress | None = None,
) -> Dataset:
    """Encode a file, folder or glob once, into an .npz that `load_dataset` and gpt-2-simple read.

    `out_path` gets the ending .npz where it lacks it, and is itself no part of the data. Raises as
    `load_dataset` does.
    """
    out = Path(out_path)
    if out.suffix != ".npz":
        out = out.with_name(out.name + ".npz")
    config = DatasetConfig(combine=combine, column=column, legacy_tokens=legacy_tokens)
    dataset = _load(file_path, tokenizer, config, processes, None, on_progress, replaced=out)
    write_npz(out, dataset.tokens)
    return dataset
