"""Files of generated texts, in each format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation.generated_files import read_generated
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter

TEXTS = ["One.\nTwo?", "", "Üben: 我们", '"Four", he said']


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_texts_are_read_as_they_were_written() -> None:
    with TextWriter("texts.txt", SAMPLE_DELIM) as writer:
        for text in TEXTS:
            writer.write(text)
    with TextWriter("one.txt", "") as writer:
        writer.write("One.\n\nTwo.")
    with TextWriter("dashes.txt", "--\n") as writer:
        for text in TEXTS:
            writer.write(text)
    expected = [text for text in TEXTS if text]
    assert read_generated("texts.txt") == read_generated("dashes.txt", delimiter="--\n") == expected
    assert read_generated("one.txt") == ["One.\n\nTwo."]
    assert read_generated(["one.txt", "texts.txt"]) == ["One.\n\nTwo.", *expected]


def test_records_are_read() -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"prompt": "p", "text": text, "title": text.upper()} for text in TEXTS]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    Path("texts.jsonl").write_text(lines, encoding="utf-8")
    parquet.write_table(pa.Table.from_pylist(rows), "texts.parquet")
    quoted = ('"{}","{}"\n'.format(n, text.replace('"', '""')) for n, text in enumerate(TEXTS))
    Path("texts.csv").write_text("number,text\n" + "".join(quoted), encoding="utf-8")
    expected = [text for text in TEXTS if text]
    for name in ("texts.jsonl", "texts.parquet"):
        assert read_generated(name) == expected
        assert read_generated(name, "title") == [text.upper() for text in expected]
    assert read_generated("texts.csv", "text") == expected


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("gone.txt", None, "gone.txt does not exist"),
        ("ids.npz", None, "contains token ids: pass generated texts"),
        ("blank.txt", None, "contains no texts: pass a file of generated texts"),
        ("blank.txt", "text", "generated_column='text' was given"),
    ],
)
def test_files_without_texts(name: str, column: str | None, message: str) -> None:
    np.savez("ids.npz", np.arange(3))
    Path("blank.txt").write_text(f"\n{SAMPLE_DELIM} \n{SAMPLE_DELIM}", encoding="utf-8")
    with pytest.raises((DatasetError, OptionError), match=message):
        read_generated(name, column)


def test_several_files_without_texts_are_named() -> None:
    for name in ("one.txt", "two.txt"):
        Path(name).write_text("\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"^one.txt contains no texts"):
        read_generated(["one.txt"])
    with pytest.raises(DatasetError, match=r"^one.txt, two.txt contain no texts"):
        read_generated(["one.txt", "two.txt"])
