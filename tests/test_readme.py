"""The Python code of the README and the docs runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from paths import ROOT


def code_blocks(name: str) -> list[str]:
    """The Python blocks of a document that are meant to be run."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the sample data in it."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_code_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = code_blocks("README.md")
    assert "steps=200" in code
    exec(compile(code.replace("steps=200", "steps=2"), "README.md", "exec"), {})
    output = capsys.readouterr().out
    assert "[2 |" in output
    assert "saved: " in output
    title = output.split("step 2\n")[1]
    assert title.strip()
    assert "<|" not in title


def test_code_of_the_training_page_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = code_blocks("docs/training.md")
    assert "steps=20)" in blocks[0]
    for code in blocks:
        exec(compile(code.replace("steps=20)", "steps=2)"), "docs/training.md", "exec"), {})
    progress, *texts = capsys.readouterr().out.splitlines()
    assert progress.startswith("1 ")
    assert len(texts) >= 4


def test_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1500
