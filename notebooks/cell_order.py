"""Writes into each code cell what must have run before it.

A notebook's cells depend on each other. Without help, a cell that is run too early ends with `name
'form' is not defined`, which tells a beginner nothing. So each cell that needs another starts with
an assertion that names that cell. It works even in a new kernel, where nothing is installed yet.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PACKAGE = "gpt2_helpers"
_ASSERTIONS = re.compile(r"\A(?:assert \"\w+\" in dir\(\), .*\n)+")
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
_STEP = re.compile(r"^## (\d+)\. ", re.MULTILINE)
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


@dataclass
class _CodeCell:
    """A code cell: the names that it uses and defines, and how a reader finds it."""

    used: set[str]
    defined: dict[str, int]  # with their lines
    place: str  # such as "the second cell of step 3"
    needed: list[_CodeCell] = field(default_factory=list)

    def all_needed(self) -> list[_CodeCell]:
        return [cell for near in self.needed for cell in (near, *near.all_needed())]


def add_assertions(cells: Sequence[Any]) -> None:
    """Write the assertions of each code cell, in place of those of an earlier call.

    Args:
        cells: The cells of a notebook, as nbformat reads them. They are changed.

    Example:
        The cell `sess = form.run()` becomes

            assert "form" in dir(), "Run the first cell of step 3 first, then this one."
            sess = form.run()
    """
    places = _places(cells)
    earlier: list[_CodeCell] = []
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        source = _ASSERTIONS.sub("", "".join(cell["source"]))
        found = _CodeCell(*_names(source), places[index])
        assertions = _assertions(found, earlier)
        earlier.append(found)
        cell["source"] = assertions + source


def _assertions(cell: _CodeCell, earlier: Sequence[_CodeCell]) -> str:
    """Return the lines for a cell, and note in `cell` which cells it needs.

    A cell that another needed cell needs is left out, since that one asserts it already.
    """
    names: dict[int, list[str]] = {}  # by position of the cell that defines them
    for name in cell.used:
        defining = [number for number, other in enumerate(earlier) if name in other.defined]
        if defining:
            names.setdefault(defining[-1], []).append(name)
    cell.needed = [earlier[number] for number in sorted(names)]
    implied = {id(other) for near in cell.needed for other in near.all_needed()}
    lines = []
    for number, found in sorted(names.items()):
        other = earlier[number]
        if id(other) not in implied:
            # The name that is defined last, since the cell may have failed halfway.
            name = max(found, key=lambda name: other.defined[name])
            message = f"Run {other.place} first, then this one."
            lines.append(f'assert "{name}" in dir(), "{message}"\n')
    return "".join(lines)


def _names(source: str) -> tuple[set[str], dict[str, int]]:
    """Return the names that a cell uses without defining them, and those that it defines."""
    used, defined = set(), {}
    for node in ast.walk(ast.parse(_MAGIC.sub(r"\1pass", source))):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                used.add(node.id)
            else:
                defined[node.id] = node.lineno
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for item in node.names:
                defined[item.asname or item.name.partition(".")[0]] = node.lineno
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if (module or "").partition(".")[0] == PACKAGE:
                used.add("gpt2")  # the name that the install cell defines
    return used - defined.keys() - vars(builtins).keys(), defined


def _places(cells: Sequence[Any]) -> dict[int, str]:
    """Return by index where each code cell is: its step, and its number if there are several."""
    step, steps = "", {}
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            steps[index] = step
        elif headings := _STEP.findall("".join(cell["source"])):
            step = headings[-1]
    found = {}
    for index, step in steps.items():
        siblings = [other for other in steps if steps[other] == step]
        number = f"{_ORDINALS[siblings.index(index)]} " if len(siblings) > 1 else ""
        found[index] = f"the {number}cell of step {step}"
    return found
