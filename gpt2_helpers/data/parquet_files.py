"""Parquet files: finds the column of the texts, and reads it in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gpt2_helpers.data.json_files import PAIR_KEYS, TEXT_KEY
from gpt2_helpers.data.parquet_checks import check_footer, dictionary_size
from gpt2_helpers.data.record_texts import Fields, ValueCleaner
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, brief, brief_repr, import_optional, listed, nearest

_BATCH_ROWS = 128  # at a time, since a row may be a whole book
_BATCH_BYTES = 1 << 27
_BUFFER_SIZE = 1 << 20  # bytes of a column read at a time, instead of all of a row group
_SAMPLE_ROWS = 100


def read_parquet(
    path: Path, report: ReadReport, columns: tuple[str | None, ...] = (None,)
) -> Iterator[Fields]:
    """Read the texts of a Parquet file, in order.

    Args:
        path: File to read.
        report: Receives what was detected, and the number of bytes read.
        columns: Column of the text, or those of the prompt and the completion. Dots lead into
            structs. None: the only column of texts, else `text`, else `prompt` and `completion`.

    Yields:
        The fields of each row, one for each column. Nulls are empty texts.

    Raises:
        DatasetError: The file is damaged, or a column is unknown or not text.
        MissingPackageError: The package pyarrow is missing.

    Example:
        texts = [text for text, in read_parquet(Path("posts.parquet"), ReadReport(), ("body",))]
    """
    with _open(path) as (file, texts):
        names = _choose_columns(path, [*texts], file.schema_arrow.names, columns)
        report.add(path, f"read as Parquet, {' and '.join(map(brief_repr, names))} of each row")
        clean = ValueCleaner()
        before, size = report.bytes_read, path.stat().st_size
        total, done = max(1, file.metadata.num_rows), 0
        for batch in _batches(path, file, [texts[name] for name in names]):
            for row, fields in enumerate(batch, done + 1):
                yield tuple(clean(_text(path, row, field)) for field in fields)
            done += len(batch)
            report.bytes_read = before + size * done // total
        clean.report(path, report)
        if not done:
            report.add(path, "no rows")


def parquet_columns(path: Path) -> dict[str, int]:
    """Return the columns of texts, each with its number of characters in a sample of the rows."""
    with _open(path) as (file, texts):
        batch = next(_batches(path, file, [*texts.values()]), []) if texts else []
        rows = [[_text(path, 1, field) for field in row] for row in batch[:_SAMPLE_ROWS]]
        return {name: sum(len(row[index]) for row in rows) for index, name in enumerate(texts)}


_Place = tuple[str, ...]  # a column, and the fields of structs that lead to a text


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, dict[str, _Place]]]:
    """A file, and its columns of texts by their names."""
    parquet = import_optional("pyarrow.parquet", "reading Parquet files", "data")
    with ExitStack() as stack:
        try:
            check_footer(path)
            file = parquet.ParquetFile(path, buffer_size=_BUFFER_SIZE, pre_buffer=False)
            texts = _text_columns(stack.enter_context(file))
        except Exception as error:  # pyarrow raises several types, and files may be malicious
            raise _damaged(path, error) from None
        yield file, texts


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{path} is damaged or not a Parquet file ({brief(error)}): copy or write it again"
    )


def _text_columns(file: Any) -> dict[str, _Place]:
    """The columns of strings, including those inside structs, by their paths."""
    arrow = import_optional("pyarrow", "reading Parquet files", "data")
    found: dict[str, _Place] = {}

    def visit(field: Any, place: _Place) -> None:
        kind = field.type
        if arrow.types.is_dictionary(kind):
            kind = kind.value_type
        if arrow.types.is_struct(kind):
            for index in range(kind.num_fields):
                visit(kind.field(index), (*place, kind.field(index).name))
        elif any(
            check(kind)
            for check in (
                arrow.types.is_string,
                arrow.types.is_large_string,
                arrow.types.is_binary,  # older writers do not say that it is text
                arrow.types.is_large_binary,
            )
        ):
            name = ".".join(place)
            if name in found:
                raise ValueError(f"two columns are called {name!r}")
            found[name] = place

    for field in file.schema_arrow:
        visit(field, (field.name,))
    return found


def _choose_columns(
    path: Path, texts: list[str], names: list[str], columns: tuple[str | None, ...]
) -> tuple[str, ...]:
    found = listed(texts) or "none"
    if columns == (None,):
        if len(texts) == 1 or TEXT_KEY in texts:
            return (TEXT_KEY if TEXT_KEY in texts else texts[0],)
        if all(name in texts for name in PAIR_KEYS):
            return PAIR_KEYS
        raise DatasetError(
            f"{path} has {len(texts)} columns of texts ({found}): "
            + (f"name one, such as column={brief_repr(texts[0])}" if texts else "use another file")
        )
    for column in columns:
        if column is None:
            raise DatasetError(
                f"{path}: name the column of the completions too, such as column='completion'"
            )
        if column not in texts:
            problem = "is not text" if column in names else "does not exist"
            raise DatasetError(
                f"{path}: the column {brief_repr(column)} {problem}{nearest(column, texts)}: its "
                f"columns of texts are {found}"
            )
    return tuple(column for column in columns if column is not None)


def _batches(path: Path, file: Any, places: list[_Place]) -> Iterator[list[tuple[Any, ...]]]:
    """The values of the columns in each row, a few rows at a time."""
    columns = [".".join(place) for place in places]
    try:
        for group, rows in _row_groups(path, file.metadata, columns):
            for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=columns):
                yield list(zip(*(_values(batch, place) for place in places), strict=True))
    except DatasetError:
        raise
    except Exception as error:
        raise _damaged(path, error) from None


def _row_groups(path: Path, metadata: Any, columns: list[str]) -> Iterator[tuple[int, int]]:
    """The number of each row group, and how many of its rows fit in memory at a time."""
    paths = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    indexes = [index for index, name in enumerate(paths) if name in columns]
    with path.open("rb") as file:
        for group in range(metadata.num_row_groups):
            largest = 1
            for index in indexes:
                chunk = metadata.row_group(group).column(index)
                if chunk.num_values <= 0:  # its pages are not read, and may not exist
                    continue
                starts = [chunk.data_page_offset]
                if chunk.has_dictionary_page and (chunk.dictionary_page_offset or 0) > 0:
                    starts.append(chunk.dictionary_page_offset)
                length = chunk.total_compressed_size
                largest = max(largest, dictionary_size(file, min(starts), length))
            # Each row may have the longest text of the dictionary.
            yield group, min(_BATCH_ROWS, max(1, _BATCH_BYTES // largest))


def _values(batch: Any, place: _Place) -> list[Any]:
    first, *others = place
    values = batch.column(first).to_pylist()
    for part in others:
        values = [None if value is None else value[part] for value in values]
    return [*values]


def _text(path: Path, row: int, value: Any) -> str:
    if not isinstance(value, bytes):
        return value or ""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DatasetError(
            f"{path}, row {row}: bytes that are not UTF-8 text: choose another column"
        ) from None
