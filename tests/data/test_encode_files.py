"""Datasets written as files: token ids in an .npz, and tables as marked text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.dataset import Dataset, load_dataset
from gpt2_helpers.data.encode_files import encode_csv, encode_dataset
from gpt2_helpers.errors import DatasetError, OptionError
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def decoded(dataset: Dataset) -> str:
    return TOKENIZER.decode(dataset.tokens.tolist())


@pytest.mark.parametrize("legacy_tokens", [False, True])
def test_load_dataset_reads_what_encode_dataset_writes(tmp_path: Path, legacy_tokens: bool) -> None:
    path = write(tmp_path / "a.csv", "id,text\n" + "1,What is the best?\n" * 500)
    config = DatasetConfig(column="text", legacy_tokens=legacy_tokens)
    expected = load_dataset(path, TOKENIZER, config)
    out = tmp_path / "out" / "encoded"
    out.parent.mkdir()
    encoded = encode_dataset(path, TOKENIZER, out, column="text", legacy_tokens=legacy_tokens)
    assert encoded.describe(1024) == expected.describe(1024)
    assert [file.name for file in out.parent.iterdir()] == ["encoded.npz"]
    with np.load(out.with_name("encoded.npz")) as archive:  # as gpt-2-simple does
        (tokens,) = (archive[item] for item in archive.files)
    assert tokens.tolist() == expected.tokens.tolist()
    loaded = load_dataset(f"{out}.npz", TOKENIZER)
    assert loaded.tokens.tolist() == expected.tokens.tolist()
    assert legacy_tokens or loaded.documents == 500


def test_an_output_in_the_folder_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "the best thing")
    for _ in range(2):
        encode_dataset(tmp_path, TOKENIZER, tmp_path / "text_encoded.npz")
        dataset = load_dataset(tmp_path / "text_encoded.npz", TOKENIZER)
        assert decoded(dataset) == "the best thing"
    (tmp_path / "text_encoded.npz").unlink()
    for _ in range(2):
        dataset = load_dataset(tmp_path, TOKENIZER, cache=tmp_path / "ids.npy")
        assert decoded(dataset) == "the best thing"


def test_a_failed_encoding_keeps_the_old_archive(tmp_path: Path) -> None:
    out = write(tmp_path / "out.npz", "old")
    (tmp_path / "a.txt").write_bytes("schön\nschön\n".encode() + b"\xff")
    with pytest.raises(DatasetError, match="line 3"):
        encode_dataset(tmp_path / "a.txt", TOKENIZER, out)
    assert out.read_text() == "old"
    assert {file.name for file in tmp_path.iterdir()} == {"a.txt", "out.npz"}


def test_encode_csv_wraps_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'whatever\n"one, two"\n\ntwo é\n')
    out = tmp_path / "csv_encoded.txt"
    notes = encode_csv(path, out)
    expected = "<|startoftext|>one, two<|endoftext|>\n<|startoftext|>two é<|endoftext|>\n"
    assert out.read_bytes().decode() == expected
    assert "skipped 1 blank row" in "; ".join(notes)
    # With positional arguments, as in gpt-2-simple.
    encode_csv(str(path), str(out), False, "[", "]")
    assert out.read_text(encoding="utf-8") == "[whatever]\n[one, two]\n[two é]\n"
    assert load_dataset(path, TOKENIZER).documents == 2


def test_encode_csv_keeps_existing_files_on_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,title\n1,one\n")
    out = write(tmp_path / "out.txt", "old")
    with pytest.raises(DatasetError, match=r"2 columns \(id, title\)"):
        encode_csv(path, out)
    with pytest.raises(OptionError, match="out_path must differ from the table"):
        encode_csv(path, path)
    with pytest.raises(DatasetError, match=r"contains no texts \(.*a header but no texts"):
        encode_csv(write(tmp_path / "b.csv", "title\n"), out)
    with pytest.raises(DatasetError, match=r"does not exist.*did you mean 'a.csv'"):
        encode_csv(tmp_path / "a.cvs", out)
    assert out.read_text() == "old"
    encode_csv(path, out, column="title")
    assert out.read_text() == "<|startoftext|>one<|endoftext|>\n"
