"""The encoding of a text: given, detected, or guessed from the words that it makes."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest

from gpt2_helpers.data import encodings
from gpt2_helpers.data.encodings import Encoding, decode, find_encoding
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
    text, notes = text_and_notes(write(tmp_path, ("Grüße\n" * 9).encode("utf-16-le")))
    assert text == "Grüße\n" * 9
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


def codec_of(folder: Path, data: bytes) -> str | None:
    """The detected encoding; None if the file is refused."""
    try:
        return find_encoding(write(folder, data)).codec
    except DatasetError:
        return None


def utf_16(latin: int, other: int = 0, shifted: int = 0, suffix: str = "") -> bytes:
    """UTF-16 without a mark, of letters with an upper byte of 0, none, and a lower byte of 0."""
    return ("漢" * other + "Ā" * shifted + suffix + "a" * latin).encode("utf-16-le")


@pytest.mark.parametrize(
    ("data", "is_detected"),
    [
        (utf_16(11, 89), True),  # more than a tenth of the letters are Latin
        (utf_16(10, 90), False),
        (utf_16(99, 0, 1), True),  # at most one in a hundred looks like big-endian
        (utf_16(98, 0, 2), False),
        (utf_16(197, 0, 2), False),
        (utf_16(2), True),
        (utf_16(1), False),
        (b"ab", False),
        (utf_16(3) + b"\n", True),  # half a letter at the end
        (utf_16(3) + b"\0", True),
        (utf_16(98, suffix="\x01" * 2), True),  # 98 of 100 can be printed
        (utf_16(97, suffix="\x01" * 3), False),
        (utf_16(50) + b"\x41\xd8" * 50, False),  # halves of surrogate pairs
        (utf_16(50) + b"\x01\x00" * 50, False),
    ],
)
def test_utf_16_without_a_mark_is_detected_by_zeros_and_readable_text(
    tmp_path: Path, data: bytes, is_detected: bool
) -> None:
    assert (codec_of(tmp_path, data) == "utf-16-le") is is_detected


def test_big_endian_utf_16_without_a_mark_is_detected(tmp_path: Path) -> None:
    assert codec_of(tmp_path, "Grüße".encode("utf-16-be")) == "utf-16-be"
    assert codec_of(tmp_path, b"ab") == "utf-8"


def test_mostly_valid_utf_8_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path, b"caf\xe9 " * 5 + "é\n".encode())
    message = "line 1: 0xe9 is not valid UTF-8, unlike the rest of the file"
    with pytest.raises(DatasetError, match=re.escape(message)):
        find_encoding(path)
    assert codec_of(tmp_path, b"caf\xe9 " * 6 + "é\n".encode()) == "latin-1"  # by chance


@pytest.mark.parametrize(
    ("data", "is_text"),
    [
        (b"AZaz" * 2 + b"\xe9" * 8, True),  # no more accented letters than others
        (b"AZazAZa[{" + b"\xe9" * 8, False),
        (b"AZazAZa" + b"\xc0" + b"\xe9" * 7, False),
        (b"AZazAZa" + b"\xbf" + b"\xe9" * 7, True),  # 0xc0 is the first letter
        (b"AZazAZ" + b"\xe9" * 7, True),  # too few to tell
        (b"a b c d " + b"\xff" + b" \xe9" * 3, True),  # up to a quarter are 0xff
        (b"a b c d " + b"\xff" + b" \xe9" * 2, False),
        (b"caf\xe9 ~", True),
        (b"caf\xe9 \x1f", False),
        (b"caf\xe9 \x7f", False),
    ],
)
def test_only_european_texts_are_guessed(tmp_path: Path, data: bytes, is_text: bool) -> None:
    assert (codec_of(tmp_path, data) is not None) is is_text


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"a \x80", "cp1252"),  # Latin-1 has only control characters from 0x80 to 0x9f
        (b"a \x9f", "cp1252"),
        (b"a \xa0", "latin-1"),
        # A sign inside a word is a typo if it is rare:
        (b"pi\xb3y" + b" caf\xe9" * 10, "latin-1"),
        (b"pi\xb3y" + b" caf\xe9" * 9, "cp1250"),
        (b"pi\xb3y \x80" + b" caf\xe9" * 9, "cp1252"),
        # A Central European encoding must explain more than half of them:
        (b"pi\xb3y a\xd7b", "latin-1"),
        (b"pi\xb3y pi\xb3y a\xd7b", "cp1250"),
    ],
)
def test_a_central_european_encoding_must_fit_better(
    tmp_path: Path, data: bytes, codec: str
) -> None:
    assert codec_of(tmp_path, data) == codec


def test_a_byte_that_the_guessed_encoding_lacks_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, b"l\x92amour\ncaf\xe9 \x81\n")
    with pytest.raises(DatasetError, match="line 2: 0x81 is not valid Windows-1252, unlike"):
        find_encoding(path)


def test_the_note_shows_three_words_of_the_first_chunk_that_has_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "CHUNK_SIZE", 100)
    chunks = (b"plain", b"\xe9" + b"l" * 30 + b" \xe92 \xe93 \xe94", b"\xe8")
    encoding = find_encoding(write(tmp_path, b"".join(chunk.ljust(100) for chunk in chunks)))
    assert encoding.note is not None
    assert f"check 'é{'l' * 29} é2 é3';" in encoding.note


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"\n\0", 2), (b"\r\n\r\0", 3), (b"one\r\n\xff", 2), (b"one\r\xff", 2), (b"\xff", 1)],
)
def test_all_line_ends_are_counted(tmp_path: Path, data: bytes, line: int) -> None:
    with pytest.raises(DatasetError, match=rf"a\.txt, line {line}: "):
        list(decode(write(tmp_path, data), Encoding("utf-8")))


def test_all_line_ends_become_newlines(tmp_path: Path) -> None:
    path = write(tmp_path, b"one\r\ntwo\rthree\n")
    assert "".join(text for _, text in decode(path, Encoding("utf-8"))) == "one\ntwo\nthree\n"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    with pytest.raises(DatasetError) as caught:
        list(decode(path, Encoding("utf-8")))
    assert str(caught.value) == f"{path} cannot be read: No such file or directory"


def test_a_guess_about_a_very_long_word_takes_one_pass(tmp_path: Path) -> None:
    text = "Café " + "A" * (1 << 20) + " " + "B" * (1 << 20) + "é"
    read, notes = text_and_notes(write(tmp_path, text.encode("latin-1")))
    assert read == text
    assert "check 'Café';" in notes
