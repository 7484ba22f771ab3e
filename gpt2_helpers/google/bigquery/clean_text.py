"""Cleaning of texts from the web: HTML entities, whitespace and invisible characters."""

from __future__ import annotations

import html
import html.entities

import regex

_ENTITY = regex.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
_NUMBER = regex.compile(r"&#(?:[0-9]{1,8}|[xX][0-9a-fA-F]{1,8});")
# Control characters, lone surrogates, and the replacement character.
_LOST = regex.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffd-\uffff\ud800-\udfff]")

_EMOJI = r"[\p{Extended_Pictographic}\ufe0f\U0001f3fb-\U0001f3ff]"
# Scripts in which joiners change the form of letters.
_JOINING = "".join(
    rf"\p{{{script}}}"
    for script in (
        *("Arabic", "Syriac", "Mongolian", "Devanagari", "Bengali", "Gurmukhi", "Gujarati"),
        *("Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Khmer", "Myanmar"),
    )
)
# Format characters without a shape of their own, such as zero-width spaces, byte order marks and
# direction marks, and letters that are blank. Kept: signs of Arabic, joiners inside emoji and in
# the scripts above, and the tags of flags.
_INVISIBLE = regex.compile(
    rf"(?:(?<={_EMOJI})\u200d(?=\p{{Extended_Pictographic}})|(?<=[{_JOINING}])[\u200c\u200d]"
    r"|(?<=[\U0001f3f4\U000e0020-\U000e007e])[\U000e0020-\U000e007f]"
    r"|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd])(*SKIP)(*FAIL)"
    r"|[\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0]"
)


def clean(text: str) -> str:
    """Normalize a text to one line.

    HTML entities are unescaped, whitespace is collapsed, and invisible characters are removed,
    except for joiners inside emoji and in the scripts that need them.

    >>> clean("Which &quot;bad&quot;  movie is\\ngood? &amp;#x200B;")
    'Which "bad" movie is good?'
    """
    text = _ENTITY.sub(_unescaped, text)
    text = _NUMBER.sub(_unescaped, text)  # Reddit escapes the & of such an entity once more
    # Some exports write a character as the entities of its two surrogates.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return " ".join(_INVISIBLE.sub("", _LOST.sub("", text)).split())


def _unescaped(entity: regex.Match[str]) -> str:
    name = entity[0][1:-1]
    if name.startswith("#"):
        code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
        return chr(code) if 0xD800 <= code <= 0xDFFF else html.unescape(entity[0])
    # html.unescape alone would also replace a prefix of a word: `&notes` would become `¬es`.
    return html.unescape(entity[0]) if f"{name};" in html.entities.html5 else entity[0]
