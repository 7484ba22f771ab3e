"""JSON and JSON Lines files: finds the keys of the texts, and reads them.

The records are the lines of JSON Lines, the items of a list, or those of the list in an object. A
record is a string, or an object whose text is at a key: `text` unless another one is named, or
`prompt` and `completion`. Dots in the name of a key lead into objects, as in `data.body`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gpt2_helpers.data.compression import data_name
from gpt2_helpers.data.json_values import Layout, Value, read_values
from gpt2_helpers.data.record_texts import Fields, ValueCleaner, count
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, brief, brief_repr, listed, nearest

TEXT_KEY = "text"
PAIR_KEYS = ("prompt", "completion")
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_SAMPLE_RECORDS = 100  # used to find the keys
_MAX_DEPTH = 3  # of the keys that are proposed
_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


def read_json(
    path: Path,
    report: ReadReport,
    keys: tuple[str | None, ...] = (None,),
    encoding: str | None = None,
) -> Iterator[Fields]:
    """Read the texts of a JSON or JSON Lines file, in order.

    Args:
        path: File to read; it may be compressed.
        report: Receives what was detected.
        keys: Key of the text, or keys of the prompt and of the completion. None: `text`, else
            `prompt` and `completion`, else the only key.
        encoding: See `read_text`.

    Yields:
        The fields of each record, one for each key. Values of null are empty texts.

    Raises:
        DatasetError: A line is not JSON, a value is not a string, or a key is missing or unknown.

    Example:
        texts = [text for text, in read_json(Path("posts.jsonl"), ReadReport(), ("body",))]
    """
    is_lines = data_name(path).suffix.lower() in _LINES_SUFFIXES
    values = read_values(str(path), read_text(path, report, encoding), is_lines)
    layout = next(values)
    assert isinstance(layout, Layout)
    records: Iterator[Any] = values
    if layout is Layout.OBJECT:
        records = _records_of_object(path, records, keys)
    sample = list(itertools.islice(records, _SAMPLE_RECORDS))
    if not sample:
        report.add(path, f"{layout.value} without records")
        return
    for line, value in sample:
        if not isinstance(value, str | dict):
            raise _wrong_type(path, line, "the record", value, "a string or an object")
    if all(isinstance(value, str) for _, value in sample):
        report.add(path, f"read as {layout.value} of texts")
        names: tuple[str, ...] = ()
    else:
        names = _choose_keys(path, [value for _, value in sample], keys)
        report.add(
            path, f"read as {layout.value}, {' and '.join(map(brief_repr, names))} of each record"
        )
    clean = ValueCleaner()
    missing = 0
    for line, value in itertools.chain(sample, records):
        fields = _fields(path, line, value, names)
        if fields is None:
            missing += 1
        else:
            yield tuple(map(clean, fields))
    if missing:
        report.add(
            path,
            f"skipped {count(missing, 'record')} without {' or '.join(map(brief_repr, names))}",
        )
    clean.report(path, report)


def json_keys(path: Path, encoding: str | None = None) -> dict[str, int]:
    """Return the keys of texts, each with its number of characters in a sample of the records.

    Empty for a list of strings.
    """
    is_lines = data_name(path).suffix.lower() in _LINES_SUFFIXES
    values = read_values(str(path), read_text(path, ReadReport(), encoding), is_lines)
    layout = next(values)
    records: Iterator[Any] = values
    if layout is Layout.OBJECT:
        records = _records_of_object(path, records, (None,))
    return _text_lengths(value for _, value in itertools.islice(records, _SAMPLE_RECORDS))


def _records_of_object(
    path: Path, values: Iterator[Value], keys: tuple[str | None, ...]
) -> Iterator[Value]:
    """The records of an object: itself if it has the text, else the items of its only list."""
    first = next(values, None)
    if first is None:
        return
    line, value = first
    rest = list(itertools.islice(values, 1))
    if rest or not isinstance(value, dict):  # the items of a list that was too long to hold
        yield from itertools.chain([first], rest, values)
        return
    wanted = [key for key in keys if key is not None] or [TEXT_KEY]
    if all(isinstance(_lookup(value, key), str) for key in wanted) or (
        keys == (None,) and all(isinstance(value.get(key), str) for key in PAIR_KEYS)
    ):
        yield first
        return
    lists = {
        name: items
        for name, items in value.items()
        if isinstance(items, list) and items and isinstance(items[0], dict)
    }
    if not lists and len(value) == 1:
        lists = {
            name: items
            for name, items in value.items()
            if isinstance(items, list) and items and isinstance(items[0], str)
        }
    if len(lists) > 1:
        raise DatasetError(
            f"{path} is an object with several lists ({listed(lists)}): save the one to train on "
            "as a file of its own"
        )
    if not lists:
        raise DatasetError(
            f"{path} is one JSON object without a list of texts and without {wanted[0]!r}: it has "
            f"{listed(value)}"
        )
    ((_, items),) = lists.items()
    for item in items:
        yield line, item


def _choose_keys(path: Path, sample: list[Any], keys: tuple[str | None, ...]) -> tuple[str, ...]:
    """The keys to read, which at least one record of the sample must have."""
    objects = [value for value in sample if isinstance(value, dict)]
    lengths = _text_lengths(objects)
    if keys == (None,):
        if any(TEXT_KEY in value for value in objects):
            return (TEXT_KEY,)
        if any(all(key in value for key in PAIR_KEYS) for value in objects):
            return PAIR_KEYS
        names = {name for value in objects for name in value}
        if len(names) == len(lengths) == 1:
            return (names.pop(),)
        if not lengths:
            raise DatasetError(
                f"{path} has no texts: its records have {listed(names) or 'no keys'}, none of "
                "which is a string"
            )
        longest = max(lengths, key=lambda name: lengths[name])
        raise DatasetError(
            f"{path} has no key {TEXT_KEY!r}: its records have {listed(lengths)}; name the one to "
            f"train on, such as column={brief_repr(longest)}"
        )
    for key in keys:
        if key is None:
            raise DatasetError(
                f"{path}: name the column of the completions too, such as column='completion'"
            )
        if not any(_lookup(value, key) is not _MISSING for value in objects):
            raise DatasetError(
                f"{path} has no key {brief_repr(key)}{nearest(key, lengths)}: its records have "
                f"{listed(lengths) or 'no texts'}"
            )
    return tuple(key for key in keys if key is not None)


_MISSING = object()


def _lookup(record: Any, key: str) -> Any:
    """The value at a key, which may lead into nested objects; _MISSING if there is none."""
    if not isinstance(record, dict):
        return _MISSING
    if key in record:
        return record[key]
    value: Any = record
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _fields(path: Path, line: int, record: Any, keys: tuple[str, ...]) -> Fields | None:
    """The texts of a record; None if it lacks a key."""
    if not keys:
        if not isinstance(record, str):
            raise _wrong_type(path, line, "the record", record, "a string, as those before")
        return (record,)
    if not isinstance(record, dict):
        raise _wrong_type(path, line, "the record", record, "an object")
    fields = []
    for key in keys:
        value = _lookup(record, key)
        if value is _MISSING:
            return None
        if value is not None and not isinstance(value, str):
            raise _wrong_type(path, line, repr(brief(key)), value, "a string")
        fields.append(value or "")
    return tuple(fields)


def _wrong_type(path: Path, line: int, what: str, value: Any, expected: str) -> DatasetError:
    kind = _KINDS.get(type(value), "a string" if isinstance(value, str) else "null")
    return DatasetError(
        f"{path}, line {line}: {what} is {kind}, not {expected}: correct or remove this record"
    )


def _text_lengths(records: Iterable[Any]) -> dict[str, int]:
    """The keys of strings in the records, with their total lengths."""
    lengths: dict[str, int] = {}

    def visit(value: Any, name: str, depth: int) -> None:
        if isinstance(value, str):
            lengths[name] = lengths.get(name, 0) + len(value)
        elif isinstance(value, dict) and depth < _MAX_DEPTH:
            for key, item in value.items():
                visit(item, f"{name}.{key}" if name else key, depth + 1)

    for record in records:
        if isinstance(record, dict):
            visit(record, "", 0)
    return lengths
