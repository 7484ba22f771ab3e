"""JSON and JSON Lines: keys, layouts, and errors that name the line."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.data.json_files import json_keys, read_json
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError

LINES = '{"id": 1, "text": "one\\ntwo"}\n{"id": 2, "text": "three é \\ud83d\\ude00"}\n'
TEXTS = ["one\ntwo", "three é 😀"]


def write(folder: Path, content: str | bytes, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, *keys: str | None, encoding: str | None = None) -> tuple[list[Any], str]:
    """The texts, or tuples of several fields, and the notes."""
    report = ReadReport()
    records = [*read_json(path, report, keys or (None,), encoding)]
    texts = [fields[0] if len(fields) == 1 else fields for fields in records]
    return texts, "; ".join(report.notes())


def error(path: Path, *keys: str | None) -> str:
    with pytest.raises(DatasetError) as caught:
        read(path, *keys)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.ndjson", "a.txt"])
def test_lines_of_objects(tmp_path: Path, name: str) -> None:
    texts, notes = read(write(tmp_path, LINES, name))
    assert texts == TEXTS
    assert notes.endswith("read as JSON Lines, 'text' of each record")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"text": text} for text in TEXTS]),
        json.dumps([{"text": text} for text in TEXTS], indent=2),
        json.dumps({"version": 1, "rows": [{"text": text} for text in TEXTS]}),
        json.dumps({"rows": [{"text": text} for text in TEXTS], "tags": ["a"]}, indent=1),
        json.dumps(TEXTS, indent=4),
        json.dumps({"texts": TEXTS}),
        " \n\n" + json.dumps(TEXTS) + "\n ",
        codecs.BOM_UTF8 + json.dumps(TEXTS).encode(),
        json.dumps(TEXTS, ensure_ascii=False).encode("utf-16"),
    ],
)
def test_lists_of_objects_or_strings(tmp_path: Path, content: str | bytes) -> None:
    assert read(write(tmp_path, content, "a.json"))[0] == TEXTS


def test_lines_of_strings(tmp_path: Path) -> None:
    texts, notes = read(write(tmp_path, '"one"\n\n"two"\n'))
    assert texts == ["one", "two"]
    assert notes.endswith("read as JSON Lines of texts")


def test_an_object_may_be_a_record_itself(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"tags": ["a"], "text": "one"}, indent=2), "a.json")
    assert read(path)[0] == ["one"]
    assert read(write(tmp_path, '{"text": "one"}'))[0] == ["one"]


def test_another_key_also_inside_objects(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"text": "no", "post": {"body": {"md": "one"}}, "a.b": "x"}\n'
        '{"text": "no", "post": {"body": {"md": "two"}}, "a": {"b": "y"}}\n',
    )
    assert read(path, "post.body.md")[0] == ["one", "two"]
    assert read(path, "a.b")[0] == ["x", "y"]
    assert [*json_keys(path)] == ["text", "post.body.md", "a.b"]
    assert json_keys(path)["post.body.md"] == 6


def test_several_keys(tmp_path: Path) -> None:
    path = write(tmp_path, '{"q": "1+1", "a": "2"}\n{"q": "1+2", "a": "3"}\n')
    assert read(path, "q", "a")[0] == [("1+1", "2"), ("1+2", "3")]
    assert "column='completion'" in error(path, "q", None)


def test_prompt_and_completion_are_recognized(tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "1+1", "completion": "2"}\n')
    texts, notes = read(path)
    assert texts == [("1+1", "2")]
    assert "'prompt' and 'completion'" in notes
    path = write(tmp_path, '{"prompt": "1+1", "completion": "2", "text": "three"}\n')
    assert read(path)[0] == ["three"]


def test_the_only_key_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path, '{"title": "one"}\n{"title": "two"}\n'))[0] == ["one", "two"]


def test_a_missing_key_names_those_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, '{"id": "7", "title": "A title", "post": {"body": "A long text"}}\n')
    assert "has no key 'text': its records have id, title, post.body; name" in error(path)
    assert error(path).endswith("such as column='post.body'")
    assert "has no key 'titel' (did you mean 'title'?)" in error(path, "titel")
    assert "none of which is a string" in error(write(tmp_path, '{"id": 7, "n": null}\n'))


def test_mixed_records(tmp_path: Path) -> None:
    path = write(tmp_path, '{"text": "one"}\n{"title": "x"}\n{"text": null}\n{"text": ""}\n')
    texts, notes = read(path)
    assert texts == ["one", "", ""]
    assert "skipped 1 record without 'text'" in notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "one"}\n{"text": "two"\n{"text": "3"}\n', "line 2: not valid JSON"),
        ('{"text": "one"\n{"text": "two"}\n', "line 1: not valid JSON"),
        ('{"text": "one"}\n\n{"text": 5}\n', "line 3: 'text' is a number, not a string"),
        ('{"text": "one"}\n{"text": ["two"]}\n', "line 2: 'text' is a list, not a string"),
        ('{"text": true}\n', "line 1: 'text' is true or false, not a string"),
        ('{"text": {"a": "b"}}\n', "line 1: 'text' is an object, not a string"),
        ('{"text": "one"}\n[1, 2]\n', "line 2: the record is a list, not a string or an object"),
        ('{"text": "one"}\n"two"\n', "line 2: the record is a string, not an object"),
        ('{"text": "one"}\nnull\n', "line 2: the record is null, not a string or an object"),
        ('"one"\n{"text": "two"}\n', "line 1: the record is a string, not an object"),
        ("[" * 99_999 + "\n", "line 1: not valid JSON (nested too deeply)"),
        ('{"text": "one"}\n{"text": ' + "[" * 99_999, "line 2: not valid JSON (nested too deeply)"),
        ('{"text": "one"}\n{"text": "x", "n": ' + "9" * 5000 + "}\n", "line 2: not valid JSON"),
        ('["one",\n"two",\n3]', "line 3: the record is a number, not a string"),
        ('["one",\n"two"\n"three"]', "line 3: , or ] expected, got '\"'"),
        ('["one",\n"two"', "line 2: , or ] expected, got the end of the file"),
        ('["one",\n"two', "line 2: not valid JSON (Unterminated string"),
        ('["one"]\n["two"]', "line 2: more text after the end of the list"),
        ('[{"text": "one"},\n{"text": }]', "line 2: not valid JSON (Expecting value"),
        ("Not JSON at all.", "line 1: not valid JSON"),
        ('{"a": "b",\n "c": "d"}', "line 1: not valid JSON"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str, message: str) -> None:
    assert message in error(write(tmp_path, content))


def test_a_wrong_line_far_inside_is_named(tmp_path: Path) -> None:
    lines = ['{"text": "one"}'] * 120_000
    lines[100_000] = "oops"
    assert ", line 100001: " in error(write(tmp_path, "\n".join(lines)))
    items = ['"one"'] * 300_000
    items[250_000] = "oops"
    path = write(tmp_path, "[\n" + ",\n".join(items) + "\n]", "a.json")
    assert ", line 250002: " in error(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": [{"text": "x"}], "b": [{"text": "y"}]}', "several lists (a, b)"),
        ('{"compilerOptions": {"strict": true}}', "without a list of texts and without 'text'"),
        ('{"name": "x", "files": ["dist"]}', "without a list of texts"),
        ("{}", "without a list of texts"),
        ("[1, 2]", "line 1: the record is a number"),
    ],
)
def test_other_objects(tmp_path: Path, content: str, message: str) -> None:
    assert message in error(write(tmp_path, content, "a.json"))


def test_files_without_records(tmp_path: Path) -> None:
    assert read(write(tmp_path, "\n \n"))[1].endswith("JSON Lines without records")
    assert read(write(tmp_path, "[ ]", "a.json"))[1].endswith("a JSON list without records")


def test_halves_of_characters_and_line_ends(tmp_path: Path) -> None:
    texts, notes = read(write(tmp_path, '{"text": "a\\ud83d\\r\\nb\\rc\\ufeff"}\n'))
    assert texts == ["a\nb\nc"]
    assert "left out 2 characters that are not text" in notes


def test_long_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "word " * 50_000
    content = f'{{"text": "{long}"}}\n{{"text": "two"}}\n'
    assert read(write(tmp_path, content, "a.txt"))[0] == [long, "two"]
    assert read(write(tmp_path, content, "a.json"))[0] == [long, "two"]
    assert read(write(tmp_path, f'["{long}",\n"two"]', "a.json"))[0] == [long, "two"]
    monkeypatch.setattr("gpt2_helpers.data.json_values.MAX_FIELD_CHARS", 200_000)
    assert "line 1: the line is longer than 200,000" in error(write(tmp_path, content))
    path = write(tmp_path, f'["one",\n"{long}",\n"two"]', "a.json")
    assert "line 2: the value is longer than 200,000" in error(path)


def test_a_list_in_an_object_that_is_too_long_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt2_helpers.data.json_values.MAX_FIELD_CHARS", 50_000)
    texts = [f"text {number} " * 100 for number in range(1000)]
    rows = [{"text": text} for text in texts]
    about: dict[str, Any] = {"version": 1, "empty": [], "numbers": [1, 2]}
    content = json.dumps({**about, "rows": rows, "more": {"a": [1]}}, indent=1)
    assert read(write(tmp_path, content, "a.json"))[0] == texts
    content = json.dumps({"rows": rows, "other": rows})
    assert "a second list in the object" in error(write(tmp_path, content, "a.json"))
    content = json.dumps({"rows": rows})[:-1]
    assert "line 1: not valid JSON" in error(write(tmp_path, content, "a.json"))


def test_a_given_encoding_is_used(tmp_path: Path) -> None:
    path = write(tmp_path, '{"text": "Привет"}\n'.encode("cp1251"))
    assert read(path, encoding="cp1251")[0] == ["Привет"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff\0"))


@given(texts=st.lists(TEXT, min_size=1), indent=st.sampled_from([None, 1]), ascii=st.booleans())
def test_any_texts_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], indent: int | None, ascii: bool
) -> None:
    folder = tmp_path_factory.mktemp("json")
    rows = [{"text": text} for text in texts]
    listed = json.dumps(rows, indent=indent, ensure_ascii=ascii)
    assert read(write(folder, listed, "a.json"))[0] == texts
    lines = "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows)
    assert read(write(folder, lines))[0] == texts


def test_a_number_of_thousands_of_digits_is_named_in_a_large_file_too(tmp_path: Path) -> None:
    more = '{"text": "' + "a" * 1000 + '"},\n'
    content = '[\n{"n": ' + "9" * 5000 + "},\n" + more * 20_000 + '{"text": "b"}]'
    assert "line 2: not valid JSON (Exceeds the limit" in error(write(tmp_path, content, "a.json"))


def test_escaped_nul_characters_are_left_out(tmp_path: Path) -> None:
    texts, notes = read(write(tmp_path, '{"text": "a\\u0000b"}\n{"text": "é\\u0000"}\n'))
    assert texts == ["ab", "é"]
    assert "left out 2 characters that are not text" in notes
