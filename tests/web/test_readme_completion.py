"""The README's recipe for an editor: finetune on a folder of Python, serve, complete a line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx

from paths import ROOT
from web_server import address_of, started

README = ROOT / "README.md"
SHAPES = ("square", "circle", "house", "garden", "window", "table")


def recipe() -> tuple[list[str], list[str], str]:
    """The README's options of finetune and of serve, and the path that is asked."""
    text = README.read_text(encoding="utf-8")
    part = text[text.index("### Completing code") :]
    trained, served = (
        shlex.split(re.search(rf"gpt2-helpers {command} (.+)", part)[1])  # type: ignore[index]
        for command in ("finetune", "serve")
    )
    path = re.search(r"curl \S+?(/api/\S+)", part)
    assert path
    return trained, served, path[1]


def test_a_run_finetuned_on_python_completes_a_line(tmp_path: Path) -> None:
    for name in SHAPES:
        code = f"def area_of_{name}({name}):\n    return {name}.width * {name}.height\n\n\n"
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / f"{name}.py").write_text(code * 20, encoding="utf-8")
    (folder, *trained), served, path = recipe()
    assert folder == "src"
    # Little code is soon learned, by longer steps of fewer passes.
    short = "--steps 50 --accumulate-gradients 1 --learning-rate 0.001 --sample-every 0 --seed 1"
    command = [sys.executable, "-m", "gpt2_helpers", "finetune", "src", *trained, *short.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with started(tmp_path, *served, "--port", "0") as process:
        address = address_of(process).rstrip("/")
        asked = {"text": "def area_of_table(table):\n    return table.", "temperature": 0.0}
        answer = httpx.post(f"{address}{path}", json=asked, timeout=60).json()
        assert answer["completions"] == ["width * table.height"]
        # At the end of a line the next one is offered, with what it is indented by.
        asked["text"] = "def area_of_house(house):"
        answer = httpx.post(f"{address}{path}", json=asked, timeout=60).json()
        assert answer["completions"][0].startswith("\n    return house")
