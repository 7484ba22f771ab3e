"""The mutation test: which changes it makes, and what it reports."""

from __future__ import annotations

from collections import Counter

import pytest

from paths import ROOT

pytest.importorskip("cosmic_ray", reason="needs pip install cosmic-ray")

from mutation import __main__ as mutation
from mutation.mutants import changed_line, mutants_of, mutate

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


def test_outcomes_are_counted_until_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Fake:
        def __init__(self, *_: object) -> None:
            pass

        def outcome(self, mutant: object) -> tuple[str, str]:
            is_boundary = "Lt_LtE" in getattr(mutant, "operator")  # noqa: B009
            return ("survived", "a <= b") if is_boundary else ("killed", "")

    monkeypatch.setattr(mutation, "Runner", Fake)
    mutants = mutants_of("a.py", CODE)
    counts = mutation.try_mutants(mutants, None, processes=2)
    assert counts == {"a.py": Counter(killed=len(mutants) - 1, survived=1)}
    assert capsys.readouterr().out == "survived: a.py:7: a <= b\n"
    assert mutation.try_mutants(mutants, -1.0, processes=2) == {}


def test_the_rows_of_tried_modules_are_replaced() -> None:
    text = mutation.DOCS.read_text(encoding="utf-8")
    first = {"b.py": Counter(killed=3, survived=1), "a.py": Counter(killed=2, equal=4)}
    text = mutation.update_docs(text, mutation.rows(first))
    text = mutation.update_docs(text, mutation.rows({"b.py": Counter(killed=3, explained=1)}))
    assert "| `a.py` | 2 | 2 | 0 | 0 |\n| `b.py` | 4 | 3 | 1 | 0 |\n" in text
    assert text.count("`b.py`") == 1
