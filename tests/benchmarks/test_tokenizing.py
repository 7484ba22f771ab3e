"""The tokenizing benchmark: every variant gives the same ids, and the large file has its size."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import tokenizing
from gpt2_helpers.config import BUNDLED_FOLDER
from paths import ROOT

STORIES = ROOT / "data" / "stories.txt"
VARIANTS = ["gpt2-helpers", "without tiktoken", "tiktoken", "tokenizers"]


def test_all_variants_give_the_same_ids(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("tiktoken", reason="needs the package tiktoken")
    text = tmp_path / "text.txt"
    text.write_text(STORIES.read_text(encoding="utf-8")[:20_000], encoding="utf-8")
    names = [name for name in VARIANTS if name != "tokenizers" or find("tokenizers")]
    for name in names:
        tokenizing.measure(name, text, BUNDLED_FOLDER)
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len({result["digest"] for result in results}) == 1
    assert {result["bytes"] for result in results} == {text.stat().st_size}
    for result in results:
        assert result["cold"] > 0
        assert result["load"] > 0


def find(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def test_the_large_file_is_encoded_by_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("tiktoken", reason="needs the package tiktoken")
    path = tmp_path / "large.txt"
    tokenizing.write_large(STORIES, path, 1_200_000)
    assert 1_200_000 <= path.stat().st_size < 1_200_010
    for name in ("threads: 1", "threads: 2", "tiktoken"):
        tokenizing.measure_large(name, path, BUNDLED_FOLDER)
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counts = [result["tokens"] for result in results]
    assert counts[0] == counts[1]
    assert counts[2] == pytest.approx(counts[0], rel=0.01)  # its parts end elsewhere
    assert all(result["memory"] > 0 for result in results)
