"""Files of prompts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gpt2_helpers.data import text_files
from gpt2_helpers.data.prompt_files import given_prompts, read_prompts
from gpt2_helpers.errors import DatasetError, OptionError


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "What is 1+1?\n\n  And 1+2?\n"),
        ("a.csv", "prompt,n\nWhat is 1+1?,1\nAnd 1+2?,2\n"),
        ("a.csv", "question\nWhat is 1+1?\nAnd 1+2?\n"),
        ("a.jsonl", '{"prompt": "What is 1+1?", "completion": "2"}\n{"prompt": "And 1+2?"}\n'),
        ("a.json", '["What is 1+1?", "And 1+2?"]'),
    ],
)
def test_a_prompt_per_line_or_record(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_prompts(tmp_path / name) == ["What is 1+1?", "And 1+2?"]


def test_the_column_of_prompts_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,question\nMath,What is 1+1?\nMath,And 1+2?\n")
    (tmp_path / "a.jsonl").write_text('{"q": "What is 1+1?", "prompt": "no"}\n')
    (tmp_path / "a.txt").write_text("What is 1+1?\n")
    assert read_prompts(tmp_path / "a.csv", "question") == ["What is 1+1?", "And 1+2?"]
    assert given_prompts(None, tmp_path / "a.jsonl", column="q") == ["What is 1+1?"]
    with pytest.raises(DatasetError, match="title"):
        read_prompts(tmp_path / "a.csv", "q")
    with pytest.raises(OptionError, match="has no columns"):
        read_prompts(tmp_path / "a.txt", "q")
    with pytest.raises(OptionError, match="prompts_column='q' needs prompts"):
        given_prompts("What", column="q")


def test_files_without_prompts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(DatasetError, match="contains no prompts: write one per line"):
        read_prompts(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("one")
    with pytest.raises(DatasetError, match="is 2 files"):
        read_prompts(tmp_path)
    with pytest.raises(DatasetError, match="does not exist"):
        read_prompts(tmp_path / "gone.txt")


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_too_much_text_to_hold_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(text_files, "MAX_IN_MEMORY", 1 << 20)
    line = '{"prompt": "What is 1+1?"}\n' if name == "a.jsonl" else "What is 1+1?\n"
    (tmp_path / name).write_bytes(gzip.compress(line.encode() * 200_000))
    with pytest.raises(DatasetError, match="more than 1,048,576 characters"):
        read_prompts(tmp_path / name)
