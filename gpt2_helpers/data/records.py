"""Records of tables, JSON and Parquet files: the texts to train on, of any format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.csv_files import column_lengths, read_table
from gpt2_helpers.data.formats import Format, detect_format
from gpt2_helpers.data.json_files import json_keys, read_json
from gpt2_helpers.data.keywords import MAX_KEYWORDS, KeywordExtractor
from gpt2_helpers.data.parquet_files import parquet_columns, read_parquet
from gpt2_helpers.data.record_texts import Fields, keep_texts
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError


def read_records(file: Path, report: ReadReport, config: DatasetConfig) -> Iterator[Fields]:
    """Read the records of a file that `has_records`; those without a text are skipped.

    Args:
        file: The file.
        report: Receives what was detected.
        config: The columns and the encoding.

    Yields:
        The fields of each record: its text, or its prompt and its completion.

    Raises:
        DatasetError: The file cannot be read, see `read_column`, `read_json` and `read_parquet`.
    """
    columns: tuple[str | None, ...] = (config.column,)
    if config.prompt_column is not None:
        columns = (config.prompt_column, config.column)
    elif config.keywords_from is not None:
        columns = (config.keywords_from, config.column or config.keywords_from)
    kind = detect_format(file)

    def fields(report: ReadReport, columns: tuple[str | None, ...]) -> Iterator[Fields]:
        if kind is Format.JSON:
            return read_json(file, report, columns, config.encoding)
        if kind is Format.PARQUET:
            return read_parquet(file, report, columns)
        return read_table(file, report, columns, encoding=config.encoding)

    records = fields(report, columns)
    if config.keywords_from is not None:
        sources = (source for (source,) in fields(ReadReport(), columns[:1]))
        extractor = KeywordExtractor(sources)
        report.add(file, f"up to {MAX_KEYWORDS} keywords of {config.keywords_from!r} as prompts")
        records = ((extractor.draw(source), text) for source, text in records)
    yield from keep_texts(records, file, report, noun="row" if kind is Format.TABLE else "record")


def text_columns(file: Path, encoding: str | None = None) -> dict[str, int]:
    """Return the possible values of `column`, each with its number of characters in a sample."""
    kind = detect_format(file)
    if kind is Format.JSON:
        return json_keys(file, encoding)
    if kind is Format.PARQUET:
        return parquet_columns(file)
    return column_lengths(file, encoding)


def reason_to_skip(file: Path, config: DatasetConfig) -> str | None:
    """Why a JSON file contains nothing to train on; None if it starts with a text.

    A folder may contain JSON files that are settings and not texts.
    """
    try:
        first = next(read_records(file, ReadReport(), config), None)
    except DatasetError as error:
        return str(error).removeprefix(str(file)).removeprefix(", ").strip()
    return None if first else "it contains no texts"
