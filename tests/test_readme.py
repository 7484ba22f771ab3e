"""The README's Python runs as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from paths import ROOT


def test_readme_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert "steps=200" in code
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("steps=200", "steps=2"), "README.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "[2 |" in shown
    assert "saved: " in shown
    title = shown.split("step 2\n")[1]
    assert title.strip()
    assert "<|" not in title
