"""Names of encodings, and text for streams that cannot show every character."""

from __future__ import annotations

import io
from typing import Any

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.text_encoding import check_encoding, printable


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("Windows-1250", "cp1250"),
        (" latin2 ", "iso8859-2"),
        ("Shift-JIS", "shift_jis"),
        ("utf-16", "utf-16"),
    ],
)
def test_names_of_encodings(name: str, codec: str) -> None:
    assert check_encoding(name) == codec


@pytest.mark.parametrize(
    "name",
    ["cp125", "", "base64", "hex", "rot13", "zlib", "idna", "punycode", "a\0b", "x" * 999, 5],
)
def test_what_is_not_a_text_encoding(name: Any) -> None:
    with pytest.raises(OptionError, match="unknown encoding") as caught:
        check_encoding(name)
    assert len(str(caught.value)) < 300


def test_a_similar_name_is_suggested() -> None:
    with pytest.raises(OptionError, match=r"did you mean 'cp1250'\?"):
        check_encoding("cp-1250x")


def stream(encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)


def test_characters_that_a_stream_cannot_show_are_escaped() -> None:
    text = "café 🎉 ―"
    assert printable(text, stream("utf-8")) == text
    assert printable(text, stream("cp1252")) == "café \\U0001f389 \\u2015"
    assert printable(text, stream("ascii")) == "caf\\xe9 \\U0001f389 \\u2015"
    assert printable(text, stream("cp1252", "replace")) == text  # the stream replaces them
    assert printable(text, io.StringIO()) == text
    assert printable("\ud800", stream("utf-8")) == "\\ud800"
    stream("cp1252").write(printable(text, stream("cp1252")))
