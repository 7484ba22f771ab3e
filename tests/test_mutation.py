"""The mutation test: which changes it makes, and what it reports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from paths import ROOT, SUPPORT

pytest.importorskip("cosmic_ray", reason="needs pip install cosmic-ray")
if not hasattr(os, "fork") or shutil.which("git") is None:
    pytest.skip("needs git, and an operating system that can fork", allow_module_level=True)

from mutation import __main__ as mutation
from mutation.mutants import changed_line, mutants_of, mutate
from mutation.trials import statement_lines

CODE = '''\
from __future__ import annotations

def shorten(words: list[str] | None, limit: int = 3) -> str | None:
    """Keep at most three words."""
    kept: list[str] | None = []
    for word in words or []:
        if len(kept) < limit:
            kept.append(word)
    return " ".join(kept)
'''


def test_mutants_change_one_line_each() -> None:
    mutants = mutants_of("a.py", CODE)
    changed = {mutant: mutate(mutant, CODE) for mutant in mutants}
    lines = {changed_line(CODE, code) for code in changed.values() if code}
    assert "if len(kept) <= limit:" in lines
    assert "def shorten(words: list[str] | None, limit: int = 4) -> str | None:" in lines
    assert "for word in words and []:" in lines
    assert "pass" in lines  # in place of kept.append(word)
    for mutant, code in changed.items():
        if code:
            before, after = CODE.splitlines(), code.splitlines()
            different = [
                number for number, line in enumerate(after, 1) if before[number - 1] != line
            ]
            assert different == [mutant.line]


def test_changes_that_only_a_type_checker_sees_are_left_out() -> None:
    annotations = [mutant for mutant in mutants_of("a.py", CODE) if "BitOr" in mutant.operator]
    assert len(annotations) == 2
    assert [mutate(mutant, CODE) for mutant in annotations] == [None] * 2


def test_every_module_of_the_configuration_has_a_test_file() -> None:
    for module in mutation.CONFIG["modules"]:
        assert (ROOT / mutation.module_path(module)).is_file()
        assert (ROOT / mutation.test_path(module)).is_file()
    assert {module for module, _ in mutation.EXPLAINED} <= set(mutation.CONFIG["modules"])


MODULE = """\
LIMIT = 3


def shorten(words: list[str]) -> list[str]:
    kept = []
    while True:
        if not words or len(kept) >= LIMIT:
            break
        kept.append(words.pop(0))
    return kept


def unused(number: int) -> bool:
    return number > 7
"""
TESTS = """\
import sys

from gpt2_helpers.a import shorten


def test_that_ends_tracing() -> None:
    sys.settrace(None)


def test_at_most_three_words_are_kept() -> None:
    assert shorten(["a", "b", "c", "d"]) == ["a", "b", "c"]
    assert shorten(["a"]) == ["a"]


def test_something_else() -> None:
    pass
"""
SCRIPT = """\
import sys
from pathlib import Path
from mutation import __main__ as mutation, trials
mutation.ROOT = Path(sys.argv.pop(1))
mutation.EXPLAINED = {("a.py", "return number > 8"): "a reason"}
trials.CPU_LIMIT = 1
raise SystemExit(mutation.main())
"""


def run_mutation(tmp_path: Path, tests: str) -> tuple[int, list[str]]:
    """Run all mutants of MODULE with a test file; returns the exit code and the printed lines."""
    for name, text in (("gpt2_helpers/a.py", MODULE), ("tests/test_a.py", tests)):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "--module", "a.py", "--processes", "2"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(SUPPORT)}, stdout=subprocess.PIPE, text=True
    )
    assert (tmp_path / "gpt2_helpers" / "a.py").read_text(encoding="utf-8") == MODULE
    return done.returncode, done.stdout.splitlines()


def test_mutants_are_killed_by_the_tests_that_reach_them(tmp_path: Path) -> None:
    code, lines = run_mutation(tmp_path, TESTS)
    survived = sorted(line for line in lines if line.startswith("survived"))
    assert survived == [
        "survived: a.py:14: return number <= 7",
        "survived: a.py:14: return number > 6",
        "survived: a.py:14: return number >= 7",
    ]
    assert "timeout: a.py:8: continue" in lines
    total = next(line for line in lines if line.startswith("| `a.py`"))
    _, _, tried, killed, explained, left, _ = total.split("|")
    assert (int(explained), int(left)) == (1, 3)
    assert int(tried) == int(killed) + 4
    assert code == 0


def test_tests_that_fail_without_a_change_are_an_error(tmp_path: Path) -> None:
    code, lines = run_mutation(tmp_path, TESTS.replace("pass", "assert False"))
    assert "tests/test_a.py fails without a change: mend it first" in lines
    assert code == 1


def test_a_statement_is_all_its_lines_without_the_block_that_it_starts() -> None:
    code = "def add(\n    a,\n    b=1,\n):\n    return sum(\n        [a, b],\n    )\n"
    assert statement_lines(code, 3) == {1, 2, 3, 4}
    assert statement_lines(code, 6) == {5, 6, 7}


def test_the_rows_of_tried_modules_are_replaced() -> None:
    text = mutation.DOCS.read_text(encoding="utf-8")
    first = {"b.py": Counter(killed=3, survived=1), "a.py": Counter(killed=2, equal=4)}
    text = mutation.update_docs(text, mutation.rows(first))
    text = mutation.update_docs(text, mutation.rows({"b.py": Counter(killed=3, explained=1)}))
    assert "| `a.py` | 2 | 2 | 0 | 0 |\n| `b.py` | 4 | 3 | 1 | 0 |\n" in text
    assert text.count("`b.py`") == 1
