"""Readers of files are fed what once made one fail, and for some seconds what atheris makes up."""

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
def test_what_was_found_is_mended(path: Path) -> None:
    assert feed(path.parent.name, path.read_bytes())  # each is damaged, and told so in a line


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_right_is_read(target: str, tmp_path: Path) -> None:
    seeds(target, tmp_path)
    assert (paths := list(tmp_path.iterdir()))
    for path in paths:
        TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found_in_a_moment(target: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs the package atheris, which is made for some systems only")
    tried, failure = fuzz(target, SECONDS, tmp_path / "corpus", tmp_path / "findings")
    assert not failure
    assert tried > 100
