"""Files of prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.data.prompt_files import read_prompts
from gpt2_helpers.errors import DatasetError


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


def test_files_without_prompts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(DatasetError, match="contains no prompts: write one per line"):
        read_prompts(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("one")
    with pytest.raises(DatasetError, match="is 2 files"):
        read_prompts(tmp_path)
    with pytest.raises(DatasetError, match="does not exist"):
        read_prompts(tmp_path / "gone.txt")
