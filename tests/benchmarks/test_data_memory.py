"""The benchmark of reading large datasets, with small ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import data_memory
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.text_files import ReadReport


@pytest.mark.parametrize("kind", data_memory.FORMATS)
def test_each_format_has_the_same_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(data_memory, "_BATCH", 20)
    path = tmp_path / f"texts.{kind}"
    data_memory.write(path, 0.02)
    found = [text for (text,) in read_records(path, ReadReport(), DatasetConfig())]
    assert found == [text for batch in data_memory.texts(0.02) for text in batch]


def test_the_memory_of_a_process_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "one two"}\n{"text": "three"}\n')
    peak, documents, _ = data_memory.measure(path, tmp_path / "ids.npy")
    assert documents == 2
    assert 10 < peak < 1000, "of the new process, however large this one is"
