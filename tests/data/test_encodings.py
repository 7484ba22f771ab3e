"""The encoding of a text: given, detected, or guessed from the words that it makes."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest

from gpt2_helpers.data.encodings import find_encoding
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError

POLISH = "Zażółć gęślą jaźń. Wpłynąłem na suchego przestwór oceanu.\n"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy.\n"
FRENCH = "Où est l’âne ? Il court à 3 m²s près du café, ça coûte 5 €.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга\n"


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.txt"
    path.write_bytes(data)
    return path


def text_and_notes(path: Path, encoding: str | None = None) -> tuple[str, str]:
    report = ReadReport()
    return "".join(read_text(path, report, encoding)), "; ".join(report.notes())


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (POLISH, "cp1250", "Windows-1250"),
        (POLISH, "iso8859-2", "Latin-2"),
        (CZECH, "cp1250", "Windows-1250"),
        (POLISH * 3 + FRENCH.replace("’", "'").replace("²", ""), "cp1250", "Windows-1250"),
        (FRENCH, "cp1252", "Windows-1252"),
        ("¿Qué? ¡Sí! 1ª señora, n.º 2, 20°C\n", "latin-1", "Latin-1"),
        ("Ærlig talt, Øystein så på sjøen\n", "latin-1", "Latin-1"),
    ],
)
def test_a_single_byte_encoding_is_guessed_by_its_words(
    tmp_path: Path, text: str, codec: str, name: str
) -> None:
    read, notes = text_and_notes(write(tmp_path, text.encode(codec, "replace")))
    assert read == text.encode(codec, "replace").decode(codec)
    assert f"read as {name}, a guess, since it is not UTF-8: check '" in notes
    assert "set encoding, such as encoding='cp1250'" in notes


def test_the_note_shows_words_to_check(tmp_path: Path) -> None:
    text = "Nothing special here.\nMěl jsem řeku.\n"  # too little to tell the encoding
    read, notes = text_and_notes(write(tmp_path, text.encode("cp1250")))
    assert read == text.encode("cp1250").decode("latin-1")
    assert "read as Latin-1, a guess, since it is not UTF-8: check 'Mìl øeku.'" in notes


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (CZECH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        ("日本語の本\n", "shift_jis"),
        ("幸福な家庭\n", "iso-2022-jp"),
        ("Grüße\n", "utf-16-le"),
        ("Grüße\n", "cp037"),
    ],
)
def test_the_given_encoding_is_used_without_a_guess(tmp_path: Path, text: str, codec: str) -> None:
    assert text_and_notes(write(tmp_path, text.encode(codec)), codec) == (text, "")


def test_a_byte_order_mark_takes_precedence_and_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path, codecs.BOM_UTF8 + CZECH.encode())
    text, notes = text_and_notes(path, "cp1250")
    assert text == CZECH
    assert "read as UTF-8, as its byte order mark says, not as cp1250" in notes
    assert text_and_notes(path, "utf-8-sig") == (CZECH, "")
    path = write(tmp_path, CZECH.encode("utf-16"))
    assert "not as" not in text_and_notes(path, "utf-16")[1]


def test_utf_16_without_a_mark_is_a_guess(tmp_path: Path) -> None:
    _, notes = text_and_notes(write(tmp_path, ("Grüße\n" * 9).encode("utf-16-le")))
    assert "read as UTF-16 (little-endian), a guess" in notes


@pytest.mark.parametrize(
    ("data", "codec", "message"),
    [
        (b"one\ncaf\xe9\n", "utf-8", "line 2: 0xe9 is not valid UTF-8, which encoding names"),
        (b"one\n\n\x81\n", "cp1250", "line 3: 0x81 is not valid Windows-1250"),
        (b"one\n\xff\xff\n", "shift_jis", "line 2: 0xff is not valid shift_jis"),
        (b"\x89PNG\r\n\x1a\n", "cp1250", "is a PNG image"),
        (b"one\ntw\0o\n", "cp1250", "line 2: contains a NUL byte"),
    ],
)
def test_what_is_not_in_the_given_encoding_is_an_error_with_its_line(
    tmp_path: Path, data: bytes, codec: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        text_and_notes(write(tmp_path, data), codec)


def test_an_encoding_that_is_not_detected_can_be_set(tmp_path: Path) -> None:
    path = write(tmp_path, RUSSIAN.encode("cp1251"))
    with pytest.raises(DatasetError, match="set encoding, such as encoding='cp1251' for Russian"):
        find_encoding(path)
