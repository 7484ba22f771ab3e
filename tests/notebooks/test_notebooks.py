"""The notebook files: structure, names and links. test_notebook_runs tests running them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from notebook_runner import NOTEBOOKS, sources
from paths import ROOT
from publish import BADGE, COLAB, COLAB_LINK

MAX_CELLS = 20  # later features go into the existing forms, or into one cell each
MAX_LINES = 5  # of code per cell without assertions, except for the install cell

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


@each_notebook
def test_a_notebook_has_few_cells(path: Path) -> None:
    assert len(cells(path)) <= MAX_CELLS


@each_notebook
def test_a_notebook_starts_with_title_promise_and_badge(path: Path) -> None:
    first = next(iter(sources(path, "markdown").values()))
    title, empty, *promise = first.partition("[![")[0].splitlines()
    assert re.fullmatch(r"# \S.*[^.]", title)
    assert not empty
    assert len(re.findall(r"[.!](?:\s|$)", " ".join(promise))) == 2, "two sentences"
    assert f"\n\n[![Open in Colab]({BADGE})]" in first
    assert cells(path)[0]["cell_type"] == "markdown"


@each_notebook
def test_code_cells_are_short_and_contain_no_logic(path: Path) -> None:
    code = sources(path)
    del code["install-package"]
    for cell, source in code.items():
        lines = [line for line in source.splitlines() if line and not line.startswith("assert ")]
        assert 0 < len(lines) <= MAX_LINES, f"{cell} has {len(lines)} lines"
        logic = re.search(r"^\s*(def|class|for|while|if|try|with)\b|\blambda\b", source, re.M)
        assert not logic, f"{cell}: {logic}"


@each_notebook
def test_code_cells_follow_an_explanation(path: Path) -> None:
    kinds = "".join(cell["cell_type"][0] for cell in cells(path))
    assert "cccc" not in kinds, "only a form and the cells that run it share an explanation"
    closing = list(sources(path, "markdown").values())[-1]
    assert kinds.endswith("m")
    assert closing.startswith("## What you have now\n")
    assert "\n**What to do next**\n" in closing


@each_notebook
def test_steps_are_numbered_and_referenced_steps_exist(path: Path) -> None:
    text = "\n".join(sources(path, "markdown").values())
    steps = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    named = {int(number) for number in re.findall(r"\bstep (\d+)", text)}
    assert named <= set(steps)


@each_notebook
def test_cells_have_readable_unique_ids(path: Path) -> None:
    names = [cell["id"] for cell in cells(path)]
    assert not [name for name in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "path", [*NOTEBOOKS, *ROOT.glob("notebooks/*.md")], ids=lambda path: path.name
)
def test_links_point_to_existing_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    beside = {path.parent / link for link in re.findall(r"\]\(([\w./-]+)\)", text)}
    links = re.findall(re.escape(COLAB) + r"[^\s)\"\\]+", text)
    published = {ROOT / COLAB_LINK.sub("", link) for link in links}
    assert published
    assert not [place for place in beside | published if not place.is_file()]
