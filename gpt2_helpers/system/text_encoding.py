"""Names of text encodings, and text for streams that cannot show every character."""

from __future__ import annotations

import codecs
import encodings.aliases
from typing import Any

from gpt2_helpers.errors import OptionError, nearest

# Decoders of Python that do not take text from files.
_NOT_FOR_FILES = {"idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined"}


def check_encoding(name: object) -> str:
    """Python's name of a text encoding.

    Raises:
        OptionError: The encoding is unknown.

    >>> check_encoding("Windows-1250")
    'cp1250'
    """
    known = {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}
    known = {alias.replace("_", "-") for alias in known} | known
    try:
        info = codecs.lookup(str(name).strip())
        # Python marks codecs such as base64, which do not encode text, only by this attribute.
        is_text = getattr(info, "_is_text_encoding", True) and info.incrementaldecoder
    except (LookupError, ValueError):
        is_text = None
    if not is_text or info.name.replace("-", "_") in _NOT_FOR_FILES:
        raise OptionError(
            f"unknown encoding {str(name)[:80]!r}{nearest(str(name), known)}: use a name such as "
            "utf-8, cp1250 or shift_jis, or leave it out to detect the encoding"
        )
    return info.name


def printable(text: str, stream: Any) -> str:
    r"""A text with escapes such as \u2015 for the characters that a stream cannot show.

    >>> import io
    >>> printable("café ―", io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict"))
    'café \\u2015'
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding, getattr(stream, "errors", None) or "strict")
    except (UnicodeError, LookupError):
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text
