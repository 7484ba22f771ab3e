"""Text files: detected encodings, reports, and errors with line numbers."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.data import encodings
from gpt2_helpers.data.encodings import find_encoding
from gpt2_helpers.data.text_files import ReadReport, limit_size, read_text
from gpt2_helpers.errors import DatasetError

WESTERN = "Grüße aus dem Café\nIt was naïve of him\n"
CURLY = "“Well”, she said – it’s 5 € a cup\n"
JAPANESE = "幸福な家庭は 1 つ\nどれも似たものだ 2\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга\n"


def write(folder: Path, data: bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def text_and_notes(path: Path) -> tuple[str, str]:
    report = ReadReport()
    return "".join(read_text(path, report)), "; ".join(report.notes())


@pytest.mark.parametrize(
    ("data", "text", "message"),
    [
        (b"plain\n", "plain\n", ""),
        (b"ID3 tags, RIFF chunks and BZh", "ID3 tags, RIFF chunks and BZh", ""),
        ((WESTERN + JAPANESE).encode(), WESTERN + JAPANESE, ""),
        (codecs.BOM_UTF8 + WESTERN.encode(), WESTERN, ""),
        (codecs.BOM_UTF16_LE + JAPANESE.encode("utf-16-le"), JAPANESE, "UTF-16 (little"),
        (codecs.BOM_UTF16_BE + JAPANESE.encode("utf-16-be"), JAPANESE, "UTF-16 (big"),
        (codecs.BOM_UTF32_LE + JAPANESE.encode("utf-32-le"), JAPANESE, "UTF-32 (little"),
        (codecs.BOM_UTF32_BE + JAPANESE.encode("utf-32-be"), JAPANESE, "UTF-32 (big"),
        (WESTERN.encode("utf-16-le"), WESTERN, "UTF-16 (little"),
        (RUSSIAN.encode("utf-16-be"), RUSSIAN, "UTF-16 (big"),
        (WESTERN.encode("latin-1"), WESTERN, "Latin-1"),
        (b"caf\xe9", "café", "Latin-1"),
        (CURLY.encode("cp1252"), CURLY, "Windows-1252"),
    ],
)
def test_encodings_are_detected_and_reported(
    tmp_path: Path, data: bytes, text: str, message: str
) -> None:
    path = write(tmp_path, data)
    read, notes = text_and_notes(path)
    assert read == text
    assert notes.startswith(f"{path}: read as {message}") if message else notes == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_line_ends_of_all_systems_are_converted(tmp_path: Path, encoding: str) -> None:
    data = "é one\r\ntwo\rthree\nfour\r\r\n".encode(encoding)
    assert text_and_notes(write(tmp_path, data))[0] == "é one\ntwo\nthree\nfour\n\n"


@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    size=st.integers(1, 9),
)
def test_the_text_does_not_depend_on_the_chunk_size(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = write(tmp_path_factory.getbasetemp(), b"\xef\xbb\xbf" + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "CHUNK_SIZE", size)
        read, _ = text_and_notes(path)
    assert read == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("text", "is_utf16"),
    [
        # More than a tenth of the characters have a zero byte, here the spaces,
        ("\u0444" * 17 + "   ", True),
        ("\u0444" * 18 + "  ", False),
        # and at least two.
        ("ab", True),
        ("a\u0444", False),
        # At most a hundredth have their zero byte on the other side, as in U+0400,
        ("a" * 99 + "\u0400", True),
        ("a" * 98 + "\u0400" * 2, False),
        # and at most two hundredths are unreadable.
        ("a" * 98 + "\x01" * 2, True),
        ("a" * 97 + "\x01" * 3, False),
    ],
)
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_detected_by_zero_bytes(
    tmp_path: Path, text: str, is_utf16: bool, codec: str
) -> None:
    path = write(tmp_path, text.encode(codec))
    if is_utf16:
        assert find_encoding(path).codec == codec
    else:
        with pytest.raises(DatasetError):
            "".join(read_text(path, ReadReport()))


def test_a_late_byte_decides_the_encoding_of_the_whole_file(tmp_path: Path) -> None:
    lines = b"one line like any other\n" * 100_000  # over 2 MB: several chunks
    read, notes = text_and_notes(write(tmp_path, lines + b"caf\xe9\n" + lines))
    assert "café\n" in read
    assert "Latin-1" in notes


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        ("höher\r\nläuft\r\nschön ".encode() + b"\xff\xfe\r\nmehr", 3, "0xff is not valid UTF-8"),
        ("Ein schöner Tag\nund ein schöner Mor".encode() + b"\xc3", 2, "0xc3 is not valid UTF-8"),
        (codecs.BOM_UTF8 + b"one\ntwo\n\xe9t\xe9", 3, "0xe9 is not valid UTF-8"),
        (
            codecs.BOM_UTF16_LE + "one\ntwo\nthree".encode("utf-16-le") + b"x",
            3,
            "0x78 is not valid UTF-16",
        ),
        (codecs.BOM_UTF16_BE + b"\0a\0\n\xd8\x00\0b", 2, "0xd8 0x00 is not valid UTF-16"),
        (b"one\nna\xefve\n\x81\n", 3, "0x81 is not valid Windows-1252"),
        (b"one\n\xff\xff\xff\xff\n", 2, "neither UTF-8 nor text in a Western"),
        (b"title\n" + RUSSIAN.encode("cp1251"), 2, "neither UTF-8 nor text in a Western"),
        (b"title\n\n" + RUSSIAN.encode("koi8-r"), 3, "neither UTF-8 nor text in a Western"),
        (
            b"title\n" + ("幸福的家庭都是相似的" * 3).encode("gbk"),
            2,
            "is not valid UTF-8",
        ),
        (b"title\n" + JAPANESE.encode("shift-jis"), 2, "neither UTF-8 nor text in a Western"),
        (
            "Über allen Gipfeln ist Ruh\n".encode("latin-1") + b"\n\x8d\n",
            3,
            "0x8d is not valid Windows",
        ),
        (b"one\n\x80\x02\x07\x90 \n", 2, "not text in any encoding that is detected"),
        (b"one\ntwo\nthr\0ee\n", 3, "contains a NUL byte"),
        (b"one\r\n" + b"\0" * 9, 2, "contains a NUL byte"),
    ],
)
def test_undecodable_bytes_are_an_error_with_their_line(
    tmp_path: Path, data: bytes, line: int, message: str
) -> None:
    path = write(tmp_path, data)
    with pytest.raises(DatasetError, match=re.escape(message)) as caught:
        text_and_notes(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert "\n" not in str(caught.value)


def test_the_line_number_is_right_beyond_the_first_chunk(tmp_path: Path) -> None:
    lines = "früher war alles früher\n".encode() * 100_000
    path = write(tmp_path, lines + b"\xff\n" + lines)
    with pytest.raises(DatasetError, match="line 100001: 0xff"):
        text_and_notes(path)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
        (b"GIF89a\1\0", "a GIF image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP image"),
        (b"PK\x03\x04\x14\0", "a zip archive or an Office document"),
        (b"BZh91AY&SY", "a bzip2 archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"SQLite format 3\0", "an SQLite database"),
    ],
)
def test_images_and_archives_are_recognized(tmp_path: Path, data: bytes, kind: str) -> None:
    with pytest.raises(DatasetError, match=f"is {kind}"):
        text_and_notes(write(tmp_path, data))


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        text_and_notes(tmp_path / "gone.txt")


def test_the_same_finding_about_many_files_is_one_note(tmp_path: Path) -> None:
    report = ReadReport()
    for number in range(5):
        path = write(tmp_path, b"caf\xe9 ", f"{number}.txt")
        list(read_text(path, report))
    (note,) = report.notes()
    assert note.startswith(f"{tmp_path / '0.txt'} and 4 more files: read as Latin-1")


def test_byte_order_marks_inside_the_text_are_left_out_and_reported(tmp_path: Path) -> None:
    data = codecs.BOM_UTF8 + b"First.\n" + codecs.BOM_UTF8 + b"Sec" + codecs.BOM_UTF8 + b"ond.\n"
    assert text_and_notes(write(tmp_path, data)) == (
        "First.\nSecond.\n",
        f"{tmp_path / 'a.txt'}: left out 2 byte order marks inside the text",
    )
    text, notes = text_and_notes(write(tmp_path, ("a\n" * 20).encode("utf-16") * 2))
    assert text == "a\n" * 40
    assert "left out 1 byte order mark inside" in notes


def test_control_characters_in_names_of_files_are_escaped_in_notes() -> None:
    report = ReadReport()
    report.add(Path("a\x1b[2J\n\udcff.txt"), "empty")
    report.add_for_all("two\nlines")
    assert report.notes() == (r"a\x1b[2J\n\udcff.txt: empty", r"two\nlines")


def test_texts_that_are_held_in_memory_are_limited(tmp_path: Path) -> None:
    chunks = ("a" * 10 for _ in range(1 << 40))
    with pytest.raises(DatasetError, match="more than 1,000 characters.*split it"):
        list(limit_size(chunks, tmp_path, limit=1000))
