"""The text stream that the files of a dataset are read as."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.documents import iter_text, wrap_pair
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, column: str | None = None) -> tuple[str, str]:
    report = ReadReport()
    return "".join(iter_text(find_files(folder), report, DatasetConfig(column=column))), "; ".join(
        report.notes()
    )


def test_an_end_of_text_separates_files(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": "one\n", "2.md": "two", "3.txt": "three"})
    assert read(tmp_path)[0] == "one\n<|endoftext|>two<|endoftext|>three"


def test_no_second_end_of_text_is_inserted(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"1.txt": "one<|endoftext|>", "2.txt": "two<|endoftext|>\n", "3.txt": "three"}
    )
    assert read(tmp_path)[0] == "one<|endoftext|>two<|endoftext|>\nthree"


def test_rows_of_tables_are_wrapped(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": "one", "2.csv": 'title\n"a, b"\nc\n', "3.tsv": "d, e\nf\n"})
    assert read(tmp_path)[0] == (
        "one<|endoftext|>"
        "<|startoftext|>a, b<|endoftext|>\n<|startoftext|>c<|endoftext|>\n"
        "<|startoftext|>d, e<|endoftext|>\n<|startoftext|>f<|endoftext|>\n"
    )


def test_the_column_is_read_from_every_table(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.csv": "id,text\n1,one\n", "2.csv": "text\ntwo\n", "3.txt": "three"})
    assert read(tmp_path, "text")[0] == (
        "<|startoftext|>one<|endoftext|>\n<|startoftext|>two<|endoftext|>\nthree"
    )


def test_empty_files_are_skipped_and_reported(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"0.txt": "", "1.txt": "one", "2.txt": "", "3.csv": "title\n", "4.txt": "four"}
    )
    text, notes = read(tmp_path)
    assert text == "one<|endoftext|>four"
    assert "0.txt and 1 more file: empty" in notes
    assert "3.csv: a header but no texts" in notes


def test_an_image_among_the_texts_is_an_error(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": "one"})
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(DatasetError, match=r"2\.png is a PNG image"):
        read(tmp_path)


def test_prompts_and_completions(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"1.jsonl": '{"prompt": " 1+1? ", "completion": "\\n2 "}\n', "2.txt": "x"}
    )
    marker = "\n<|completion|>\n"
    assert read(tmp_path)[0] == f"<|startoftext|>1+1?{marker}2<|endoftext|>\nx"


def test_a_prompt_cannot_contain_the_markers() -> None:
    marker = "\n<|completion|>\n"
    wrapped = wrap_pair(f"a{marker}b<|endoftext|>c", f"d{marker}e")
    assert wrapped == f"<|startoftext|>a\nb c{marker}d{marker}e<|endoftext|>\n"
