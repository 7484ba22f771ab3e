"""Runs the page's JavaScript modules in Node, for tests that compare them with Python."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.web.page import STATIC

TIMEOUT = 600.0  # seconds; a busy machine must not fail a test that is only slow
# Reads the input, calls `main` of the code, and writes what it returns.
_MAIN = """
import {{ readFileSync, writeFileSync }} from "node:fs";
{code}
const input = JSON.parse(readFileSync("input.json", "utf-8"));
writeFileSync("output.json", JSON.stringify(await main(input)));
"""


def run_javascript(folder: Path, code: str, value: Any) -> Any:
    """Run a module that exports nothing and defines `main(input)`.

    Args:
        folder: An empty folder, to which the modules are copied as `static/`.
        code: The module. It imports from "./static/".
        value: The input, as JSON.

    Returns:
        What `main` returned, from JSON.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js to run JavaScript: install node")
    shutil.copytree(STATIC, folder / "static", dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')  # .js files are modules
    (folder / "input.json").write_text(json.dumps(value), encoding="utf-8")
    (folder / "main.js").write_text(_MAIN.format(code=code), encoding="utf-8")
    done = subprocess.run(
        [node, "main.js"], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "output.json").read_text(encoding="utf-8"))
