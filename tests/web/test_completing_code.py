"""The recipe for code completion in docs/training.md: finetune, serve, complete a line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import httpx
import pytest

from gpt2_helpers.cli.app import main
from paths import ROOT
from web_server import TIMEOUT, address_of, started

DOCUMENT = ROOT / "docs" / "training.md"
SHAPES = ("square", "circle", "house", "garden", "window", "table")


def recipe() -> tuple[list[str], list[str], str]:
    """Return the documented arguments of finetune and serve, and the path of the request."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text[text.index("## Finetuning on code") :]
    finetune, serve = (
        shlex.split(re.search(rf"gpt2-helpers {command} (.+)", section)[1])  # type: ignore[index]
        for command in ("finetune", "serve")
    )
    path = re.search(r"curl \S+?(/api/\S+)", section)
    assert path
    return finetune, serve, path[1]


def test_a_run_finetuned_on_python_completes_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SHAPES:
        code = f"def area_of_{name}({name}):\n    return {name}.width * {name}.height\n\n\n"
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / f"{name}.py").write_text(code * 20, encoding="utf-8")
    (folder, *finetune), serve, path = recipe()
    assert folder == "src"
    # So little code takes only a few, large steps.
    short = "--steps 100 --accumulate-gradients 1 --learning-rate 0.001 --sample-every 0 --seed 1"
    monkeypatch.chdir(tmp_path)
    assert main(["finetune", "src", *finetune, *short.split()]) == 0
    with started(tmp_path, *serve, "--port", "0", "--workers", "1") as process:
        address = address_of(process).rstrip("/")
        parameters = {"text": "def area_of_table(table):\n    return table.", "temperature": 0.0}
        response = httpx.post(f"{address}{path}", json=parameters, timeout=TIMEOUT).json()
        assert response["completions"] == ["width * table.height"]
        # At the end of a line, the completion is the next line with its indentation.
        parameters["text"] = "def area_of_house(house):"
        response = httpx.post(f"{address}{path}", json=parameters, timeout=TIMEOUT).json()
        assert response["completions"][0].startswith("\n    return house")
