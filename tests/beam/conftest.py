"""A small dataset for pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder of all formats, with copies, blank files and whitespace where files meet."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    story = "It was a dark night.\nThe rain fell on the roof of the old house by the sea.\n" * 20
    files = {
        "a.txt": story,
        "b.txt": "\n\nOne text.<|endoftext|>\n\n",
        "c.txt": "\n\nAnother text, with spaces at its end.  ",
        "d.txt": "\n\n\n",
        "e.csv": "title\n" + "".join(f"Why is the number {n % 40} odd?\n" for n in range(60)),
        "f.jsonl": "".join(f'{{"text": "A line about {n % 25} things"}}\n' for n in range(30)),
        "g.txt": "\u6c34\u3002\n" * 40 + story.replace("dark", "cold"),
        "h.txt": "One  TEXT.",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
