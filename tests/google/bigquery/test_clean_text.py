"""Cleaning of texts: entities, whitespace, and invisible characters."""

from __future__ import annotations

import pytest

from gpt2_helpers.google.bigquery.clean_text import clean

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
JUDGE = "\U0001f469\U0001f3fd\u200d\u2696\ufe0f"
PRIDE = "\U0001f3f3\ufe0f\u200d\U0001f308"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Tom &amp; Jerry&#39;s &quot;best&quot; film", 'Tom & Jerry\'s "best" film'),
        ("two\nlines, \r\n and   spaces\u2028", "two lines, and spaces"),
        ("&notes and &unknown; stay", "&notes and &unknown; stay"),
        ("A &#x200B; B", "A B"),
        ("A&#8203;B &amp;#x200B;", "AB"),
        ("&#x200B;", ""),
        ("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        ("\ufeffHi", "Hi"),
        ("H\ufeffi", "Hi"),
        ("Hi\u200e \u202eabc\u202c \u2066x\u2069", "Hi abc x"),
        ("blank \u3164\u115f\u1160\uffa0 letters", "blank letters"),
        ("a\x00\x07\x80\x9fb\ufffd\ufffe", "ab"),
        ("a\u200db", "ab"),
        ("\u200d\U0001f600\u200d", "\U0001f600"),
        ("&#55357;&#56832; &#xD83D;&#xDE00; &#xd83d;&#56832;", "\U0001f600 \U0001f600 \U0001f600"),
        ("&#55357; alone &#56832;", "alone"),
        ("\ud83d\ude00 and \ud83d", "\U0001f600 and"),
        ("&#99999999; &#x110000;", ""),
    ],
)
def test_texts_are_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        FAMILY,
        f"a {JUDGE}{PRIDE} b",
        SCOTLAND,
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Hindi
        "\u06dd1",
        "caf\u00e9 na\u00efve \u2665\ufe0f 1\ufe0f\u20e3",
    ],
)
def test_joiners_with_a_purpose_are_kept(text: str) -> None:
    assert clean(text) == text
    escaped = "".join(f"&#{ord(character)};" for character in text)
    assert clean(escaped) == text
