"""The Python code of the README and the docs runs, and their commands have valid options."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
from pathlib import Path

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.cli.app import COMMANDS
from paths import ROOT

PAGES = (
    "README.md",
    "docs/command-line.md",
    "docs/evaluation.md",
    "docs/exchange.md",
    "docs/from-gpt-2-simple.md",
    "docs/generating.md",
    "docs/scaling.md",
    "docs/training.md",
    "docs/web-app.md",
    "deploy/README.md",
    "gpt2_helpers/models/tiny/README.md",
)


def code_blocks(name: str) -> list[str]:
    """The Python blocks of a document that are meant to be run."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)


def command_lines(name: str) -> list[list[str]]:
    """The words of each `gpt2-helpers` command in the code blocks of a document."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"^ {4}(?:\w+=\S+ )*gpt2-helpers (.*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("name", PAGES)
def test_commands_have_valid_options(name: str) -> None:
    for command, *arguments in command_lines(name):
        COMMANDS[command].parser().parse(arguments)


def test_commands_are_found() -> None:
    assert ["info"] in command_lines("README.md")
    assert sum(len(command_lines(name)) for name in PAGES) >= 15


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow_tiny: None) -> Path:
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


def test_the_migration_guide_lists_every_new_argument() -> None:
    text = (ROOT / "docs" / "from-gpt-2-simple.md").read_text("utf-8")
    parameters = inspect.signature(gpt2.finetune).parameters.values()
    new = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    assert new
    missing = [name for name in new if f"`{name}`" not in text]
    assert not missing, f"docs/from-gpt-2-simple.md does not mention {', '.join(missing)}"


def test_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1500


def test_code_of_the_evaluation_page_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = code_blocks("docs/evaluation.md")
    exec(compile(code, "docs/evaluation.md", "exec"), {})
    first, *tokens = capsys.readouterr().out.splitlines()
    assert first.startswith("perplexity ")
    assert len(tokens) >= 5
