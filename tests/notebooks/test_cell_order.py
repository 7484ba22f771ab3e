"""Cells that are run too early say which cell to run first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cell_order import add_assertions
from notebook_runner import NOTEBOOKS, sources

EARLY = r"Run (the (?:\w+ )?cell of step \d+) first, then this one\."


def text(step: int) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": f"## {step}. Do it\n\nNow."}


def code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "source": source}


def error_in_new_kernel(source: str) -> str:
    """Run a cell where nothing has run yet, and return what it says."""
    with pytest.raises(AssertionError) as caught:
        exec(source, {})
    return str(caught.value)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_names_an_earlier_one(path: Path) -> None:
    install, *others = sources(path).items()
    assert install[0] == "install-package"
    assert not install[1].startswith("assert")
    named = [re.fullmatch(EARLY, error_in_new_kernel(source)) for _, source in others]
    assert all(named)
    # The cell that uses only the package is preceded by the install cell alone.
    assert named[0] is not None
    assert named[0][1] == "the cell of step 1"


def test_following_the_messages_leads_to_the_cell() -> None:
    cells = [text(1), code("import gpt2_helpers as gpt2"), text(2), code("form = gpt2.Form()")]
    cells += [code("sess = form.run()"), text(3), code("gpt2.plot(sess)")]
    add_assertions(cells)
    assert error_in_new_kernel(cells[6]["source"]) == (
        "Run the second cell of step 2 first, then this one."
    )
    assert error_in_new_kernel(cells[4]["source"]) == (
        "Run the first cell of step 2 first, then this one."
    )
    assert error_in_new_kernel(cells[3]["source"]) == "Run the cell of step 1 first, then this one."
    assert cells[1]["source"] == "import gpt2_helpers as gpt2"


def test_a_cell_that_has_what_it_needs_runs() -> None:
    cells = [text(1), code("a = 1"), code("b = a + 1")]
    add_assertions(cells)
    namespace: dict[str, Any] = {"a": 1}
    exec(cells[2]["source"], namespace)
    assert namespace["b"] == 2


def test_the_first_of_two_independent_cells_is_named_first() -> None:
    cells = [text(1), code("a = 1"), text(2), code("b = 2"), text(3), code("print(b, a)")]
    add_assertions(cells)
    assert "step 1 first" in error_in_new_kernel(cells[-1]["source"])
    assert cells[-1]["source"].count("assert ") == 2


def test_the_name_defined_last_is_checked_since_a_cell_may_fail_halfway() -> None:
    cells = [text(1), code("z = 1\na = z"), text(2), code("print(a, z)")]
    add_assertions(cells)
    assert cells[-1]["source"].startswith('assert "a" in dir(), ')


def test_assertions_are_replaced_and_removed() -> None:
    cells = [text(1), code("a = 1"), text(2), code("print(a)")]
    add_assertions(cells)
    once = cells[-1]["source"]
    add_assertions(cells)
    assert cells[-1]["source"] == once
    cells[-1]["source"] = once.replace("print(a)", "print()")
    add_assertions(cells)
    assert cells[-1]["source"] == "print()"


def test_magics_and_imports_of_the_package_are_understood() -> None:
    cells = [text(1), code("%pip install x\nif True:\n    !ls\nimport gpt2_helpers as gpt2")]
    cells += [text(2), code("from gpt2_helpers import forms")]
    add_assertions(cells)
    assert cells[-1]["source"].startswith('assert "gpt2" in dir(), "Run the cell of step 1 first')
