"""Writes datasets as files: tables as marked text, and any dataset as an .npz of token ids."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.dataset import Dataset, iter_load
from gpt2_helpers.data.documents import wrap_row
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_files import write_dataset_file, write_npz
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.system.files import CopyProgress, drain
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer
from gpt2_helpers.types import DatasetPath

_DEFAULTS = DatasetConfig()


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
    deduplicate: bool = False,
    legacy_tokens: bool = False,
    strip_boilerplate: bool = False,
    unwrap: bool = False,
    prompt_column: str | None = None,
    keywords_from: str | None = None,
    processes: int | None = None,
) -> Dataset:
    """Encode a dataset once, into an .npz file that `load_dataset` and gpt-2-simple can read.

    Args:
        file_path: A file, folder or glob pattern; see `load_dataset`.
        tokenizer: The tokenizer of the model to train.
        out_path: The file to write; `.npz` is added if it is missing. Not read as part of a folder.
        combine: Number of characters encoded at a time.
        column: Where the texts of records are, see `DatasetConfig`.
        encoding: Name of the encoding of text files. Default: detected.
        deduplicate: Whether documents that are copies of earlier ones are left out.
        legacy_tokens: Whether `<|endoftext|>` is encoded as plain characters, as gpt-2-simple does.
        strip_boilerplate: Whether Project Gutenberg's header and license are left out.
        unwrap: Whether hard-wrapped lines are joined into paragraphs.
        prompt_column: Where the prompts are, see `DatasetConfig`.
        keywords_from: Where to draw keywords from, see `DatasetConfig`.
        processes: Number of encoding processes or threads. Default: chosen by the size of the text.

    Returns:
        The dataset that was written.

    Raises:
        DatasetError: The files cannot be read, or contain nothing to train on.
        OptionError: `column` is given but no file has records, or `processes` is below 1.

    Example:
        encode_dataset("stories/", Tokenizer.load("models/124M"), "stories.npz")
    """
    config = DatasetConfig(
        combine=combine,
        column=column,
        encoding=encoding,
        deduplicate=deduplicate,
        legacy_tokens=legacy_tokens,
        strip_boilerplate=strip_boilerplate,
        unwrap=unwrap,
        prompt_column=prompt_column,
        keywords_from=keywords_from,
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
