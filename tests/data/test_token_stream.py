"""The token stream of text and token files: separators, counts, progress and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_stream import TokenStream, total_size
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()


def write(path: Path, content: str) -> Path:
    """Write a text, or its ids if the file is an .npy file."""
    if path.suffix == ".npy":
        np.save(path, np.array(TOKENIZER.encode(content, special=True)))
    else:
        path.write_text(content, encoding="utf-8")
    return path


def read(files: list[Path], legacy_tokens: bool = False) -> tuple[str, TokenStream]:
    stream = TokenStream(
        TOKENIZER, DatasetConfig(legacy_tokens=legacy_tokens), processes=1, report=ReadReport()
    )
    ids = [index for chunk in stream.read("data", files) for index in chunk.tolist()]
    return TOKENIZER.decode(ids), stream


@pytest.mark.parametrize("legacy_tokens", [False, True])
@pytest.mark.parametrize("names", [("a.txt", "b.txt"), ("a.npy", "b.npy"), ("a.txt", "b.npy")])
def test_an_end_of_text_separates_files(
    tmp_path: Path, names: tuple[str, str], legacy_tokens: bool
) -> None:
    files = [write(tmp_path / name, name[0]) for name in names]
    text, stream = read(files, legacy_tokens)
    assert text == f"a{END_OF_TEXT}b"
    assert stream.documents == 2


@pytest.mark.parametrize("names", [("a.txt", "b.txt"), ("a.npy", "b.npy"), ("a.npy", "b.txt")])
def test_no_second_end_of_text_is_inserted(tmp_path: Path, names: tuple[str, str]) -> None:
    files = [write(tmp_path / name, f"{name[0]}{END_OF_TEXT}\n") for name in names]
    text, stream = read(files)
    assert text == f"a{END_OF_TEXT}\nb{END_OF_TEXT}\n"
    assert stream.documents == 2


@pytest.mark.parametrize("name", ["a.txt", "a.npy"])
@pytest.mark.parametrize(
    ("content", "documents"),
    [
        ("one", 1),
        (f"one{END_OF_TEXT}", 1),
        (f"one{END_OF_TEXT}\n", 1),
        (f"one{END_OF_TEXT}two", 2),
        (f"one{END_OF_TEXT}two{END_OF_TEXT}", 2),
    ],
)
def test_documents_are_counted(tmp_path: Path, name: str, content: str, documents: int) -> None:
    text, stream = read([write(tmp_path / name, content)])
    assert text == content
    assert stream.documents == documents


def test_characters_of_text_files_are_counted(tmp_path: Path) -> None:
    _, stream = read([write(tmp_path / "a.txt", "one é"), write(tmp_path / "b.npy", "two")])
    assert stream.characters == 5


def test_progress_ends_with_the_total_size(tmp_path: Path) -> None:
    files = [write(tmp_path / name, "one two") for name in ("a.txt", "b.npy", "c.txt")]
    stream = TokenStream(TOKENIZER, DatasetConfig(), processes=1, report=ReadReport())
    bytes_read = [stream.report.bytes_read for _ in stream.read("data", files)]
    assert bytes_read == sorted(bytes_read)
    assert bytes_read[-1] == total_size(files)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"data contains no text to train on \(.*a\.txt: empty\)"),
        (" \n", r"data contains no text to train on \(only whitespace, or no files\)"),
        ("x", "data contains a single token: training needs at least two"),
    ],
)
def test_nothing_to_train_on_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read([write(tmp_path / "a.txt", content)])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.txt cannot be read"):
        total_size([tmp_path / "gone.txt"])
