"""Dividing datasets into parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.beam.parts import Part, plan_parts, read_part
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError


def divided(path: Path, size: int, config: DatasetConfig | None = None) -> list[str]:
    """The text of each part of a file."""
    config = config or DatasetConfig()
    parts = plan_parts([(str(path), path.stat().st_size)], config, size)
    return ["".join(read_part(part, config, ReadReport())) for part in parts]


@pytest.mark.parametrize("text", ["one two three\r\nfour " * 9, "\u6c34\u6c34\u3000\u6c34\n" * 30])
def test_a_text_file_is_divided_at_the_ends_of_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    for size in (1, 7, 40, 1000):
        texts = divided(path, size)
        assert "".join(texts) == text.replace("\r\n", "\n")
        for first, second in zip(texts, texts[1:], strict=False):
            if first and second:
                assert not first[-1].isspace()
                assert second[0].isspace()
    assert len(divided(path, 40)) > 2


def test_a_block_boundary_inside_a_character_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt2_helpers.beam.parts._BLOCK", 16)
    path = tmp_path / "a.txt"
    text = "\u6c34" * 100 + " end " + "word" * 30 + "\n" + "\u00a0\u6c34" * 20 + " x"
    path.write_text(text, encoding="utf-8")
    assert "".join(divided(path, 10)) == text


def test_with_deduplicate_documents_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "".join(f"This is document {n}.<|endoftext|>\n" for n in range(20)) + "The end"
    path.write_text(text, encoding="utf-8")
    texts = divided(path, 100, DatasetConfig(deduplicate=True))
    assert "".join(texts) == text
    assert len(texts) > 3
    assert all(part.endswith("<|endoftext|>") for part in texts[:-1] if part)


@pytest.mark.parametrize(
    ("name", "config", "content"),
    [
        ("a.csv", {}, "a,b\n" * 50),
        ("a.txt", {"unwrap": True}, "word " * 50),
        ("a.txt", {"encoding": "utf-16"}, "word " * 50),
        ("a", {}, '{"text": "a"}\n' * 50),
    ],
)
def test_files_that_need_all_their_text_stay_whole(
    tmp_path: Path, name: str, config: dict[str, object], content: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    (part,) = plan_parts([(str(path), 200)], DatasetConfig(**config), 20)  # type: ignore[arg-type]
    assert part == Part(0, (str(path),))


def test_errors_name_the_file_and_not_the_copy_of_a_range(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"word " * 20 + b"\xff\xfe bad " + b"word " * 20)
    with pytest.raises(DatasetError, match=rf"{path}, bytes \d+ to \d+, line 1: 0xff"):
        divided(path, 50)


def test_token_files_are_rejected() -> None:
    with pytest.raises(DatasetError, match="token ids"):
        plan_parts([("a.npz", 5)], DatasetConfig(), 10)


@pytest.mark.parametrize("start", ['{"a": 1, "b": 2}', '["a", "b"]'])
def test_a_range_is_text_whatever_it_begins_with(tmp_path: Path, start: str) -> None:
    path = tmp_path / "a.txt"
    text = "word " * 20 + start + " word" * 20
    path.write_text(text, encoding="utf-8")
    texts = divided(path, 1)  # a range begins with each word
    assert "".join(texts) == text
    documents = f"One.<|endoftext|>{start}<|endoftext|>Two."
    path.write_text(documents, encoding="utf-8")
    assert "".join(divided(path, 17, DatasetConfig(deduplicate=True))) == documents


def test_what_was_detected_in_a_range_is_reported_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one two three \ufefffour five", encoding="utf-8")
    report = ReadReport()
    parts = plan_parts([(str(path), path.stat().st_size)], DatasetConfig(), 10)
    for part in parts:
        assert list(read_part(part, DatasetConfig(), report))
    (note,) = report.notes()
    assert note == f"{path}: left out 1 byte order mark inside the text"
