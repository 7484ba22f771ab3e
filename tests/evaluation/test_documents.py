"""Files as documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation.documents import Document, read_documents

TWO = "First.\nStill it.\n<|endoftext|>\n<|startoftext|>Second.<|endoftext|>\n \n"
TABLE = "title,score\nWhy?,3\n   ,4\nHow?,5\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("two.txt").write_text(TWO, encoding="utf-8")
    Path("table.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path


def test_a_text_is_split_at_its_ends_of_text() -> None:
    assert list(read_documents("two.txt")) == [
        Document("two.txt", 1, "First.\nStill it.\n"),
        Document("two.txt", 2, "Second."),
    ]


def test_each_row_of_a_table_is_a_document() -> None:
    report = ReadReport()
    config = DatasetConfig(column="title")
    found = list(read_documents("table.csv", config, report=report))
    assert [(document.number, document.text) for document in found] == [(1, "Why?"), (2, "How?")]
    assert "reading column 1, 'title'" in " ".join(report.notes())


def test_each_record_of_json_is_a_document() -> None:
    Path("texts.jsonl").write_text('{"text": "Why?"}\n{"text": "How?"}\n', encoding="utf-8")
    assert [document.text for document in read_documents("texts.jsonl")] == ["Why?", "How?"]


def test_whole_files_are_what_a_model_is_trained_on() -> None:
    config = DatasetConfig(column="title")
    texts = [d.text for d in read_documents(["two.txt", "table.csv"], config, whole_files=True)]
    rows = [f"<|startoftext|>{title}<|endoftext|>\n" for title in ("Why?", "How?")]
    assert texts == [TWO, "".join(rows)]


def test_a_folder_has_the_documents_of_all_its_files(folder: Path) -> None:
    Path("table.csv").write_text("Why?\nHow?\n", encoding="utf-8")
    found = list(read_documents(folder))
    assert [(Path(document.file).name, document.number) for document in found] == [
        ("table.csv", 1),
        ("table.csv", 2),
        ("two.txt", 1),
        ("two.txt", 2),
    ]


def test_token_files_are_rejected() -> None:
    np.save("ids.npy", np.arange(9))
    with pytest.raises(DatasetError, match="ids.npy contains token ids"):
        next(read_documents("ids.npy"))


def test_files_without_documents_are_rejected() -> None:
    Path("blank.txt").write_text(" \n<|endoftext|>\n", encoding="utf-8")
    for whole in (False, True):
        with pytest.raises(DatasetError, match="blank.txt contains no text to evaluate on"):
            list(read_documents("blank.txt", whole_files=whole))
    with pytest.raises(OptionError, match="the dataset has no table"):
        list(read_documents("two.txt", DatasetConfig(column="title")))
