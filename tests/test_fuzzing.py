"""Readers of files with inputs that once made them fail, and a short fuzz run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fuzzing.__main__ import fuzz
from fuzzing.targets import TARGETS, feed, seeds
from paths import SUPPORT

FINDINGS = sorted(SUPPORT.glob("fuzzing/findings/*/*"))
SECONDS = 2


@pytest.mark.parametrize(
    "path", FINDINGS, ids=[f"{path.parent.name}-{path.name[:16]}" for path in FINDINGS]
)
def test_earlier_findings_are_rejected(path: Path) -> None:
    assert feed(path.parent.name, path.read_bytes())  # all are damaged


@pytest.mark.parametrize("target", TARGETS)
def test_valid_files_are_read(target: str, tmp_path: Path) -> None:
    seeds(target, tmp_path)
    assert (paths := list(tmp_path.iterdir()))
    for path in paths:
        TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_fuzz_run_finds_nothing(target: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs the package atheris, which is not available on all systems")
    tried, failure = fuzz(target, SECONDS, tmp_path / "corpus", tmp_path / "findings")
    assert not failure
    assert tried > 100
