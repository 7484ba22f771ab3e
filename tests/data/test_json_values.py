"""Values of a JSON text, read from chunks of any length."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gpt2_helpers.data.json_values import Layout, read_values
from gpt2_helpers.errors import DatasetError

ITEMS: list[Any] = [{"a": "b\n"}, "c", 12, 3.5, None, [1, {"d": []}], True, "é" * 50]


def chunks(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def values(text: str, size: int, is_lines: bool = False) -> tuple[Layout, list[Any]]:
    layout, *found = read_values("a.json", chunks(text, size), is_lines)
    assert isinstance(layout, Layout)
    return layout, [value for _, value in found]  # type: ignore[misc]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("indent", [None, 1])
def test_items_of_a_list(monkeypatch: pytest.MonkeyPatch, size: int, indent: int | None) -> None:
    # With a short head and buffer, values are split between chunks.
    monkeypatch.setattr("gpt2_helpers.data.json_values._HEAD_CHARS", 1)
    monkeypatch.setattr("gpt2_helpers.data.json_values._DROP_CHARS", 8)
    assert values(json.dumps(ITEMS, indent=indent), size) == (Layout.LIST, ITEMS)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_lines(size: int) -> None:
    text = "".join(json.dumps(item) + "\n" for item in ITEMS)
    assert values(text, size) == (Layout.LINES, ITEMS)
    assert values(text.rstrip("\n"), size, is_lines=True) == (Layout.LINES, ITEMS)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_whose_first_one_is_longer_than_the_head(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("gpt2_helpers.data.json_values._HEAD_CHARS", 4)
    text = '{"a": "bcdefghi"}\n\n{"a": "j"}\n{"a": "k"}\n'
    layout, *found = read_values("a.json", chunks(text, size), False)
    assert layout is Layout.LINES
    assert found == [(1, {"a": "bcdefghi"}), (3, {"a": "j"}), (4, {"a": "k"})]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_lines_of_items(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("gpt2_helpers.data.json_values._DROP_CHARS", 4)
    text = '\n[\n"a",\n\n"b", "c"\n,\n{"d":\n1}]\n'
    _, *found = read_values("a.json", chunks(text, size), False)
    assert found == [(3, "a"), (5, "b"), (5, "c"), (7, {"d": 1})]
    with pytest.raises(DatasetError, match=r"a\.json, line 4: not valid JSON"):
        [*read_values("a.json", chunks('[\n"a",\n\n oops]', size), False)]
