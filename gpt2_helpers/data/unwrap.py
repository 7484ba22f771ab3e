"""Joins the hard-wrapped lines of plain-text books into paragraphs.

A line break is removed if the first word of the next line would hardly have fit, or starts with a
lowercase letter. So verse, lists and tables of contents keep their lines, as do blank lines and
indented lines.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

_BLOCK = 1000  # lines whose width is measured together
_MIN_LINES = 20  # that many tell whether a text is wrapped
_WIDTHS = range(50, 101)  # characters of a full line
_SLACK = 8  # characters
_TYPICAL = range(60, 81)
_HYPHEN = re.compile(r"\S-$")  # a compound word or a dash


class Unwrapper:
    """Joins lines, and counts them.

    Attributes:
        joined: Number of line breaks removed so far.
    """

    def __init__(self) -> None:
        self.joined = 0

    def unwrap(self, lines: Iterable[str]) -> Iterator[str]:
        r"""Pass lines through, with a space instead of the line break where a line was wrapped.

        Args:
            lines: Lines with their line ends, see `iter_lines`.

        Yields:
            The lines, some without line end.

        Example:
            text = "".join(Unwrapper().unwrap(iter_lines(chunks)))
        """
        lines = iter(lines)
        previous, width = "", None
        while block := list(itertools.islice(lines, _BLOCK)):
            width = _wrap_width([previous, *block], width)
            for line in block:
                yield self._join(previous, line, width)
                previous = line
        yield previous

    def _join(self, line: str, following: str, width: int | None) -> str:
        if width is None or not _is_within_paragraph(line, following):
            return line
        text = line.rstrip()
        # Some books have shorter lines than would fit, to make their lengths more even.
        slack = width // 2 if following[0].islower() else _SLACK
        if not _is_full(text, following, width - slack):
            return line
        self.joined += 1
        return text if _HYPHEN.search(text) else text + " "


def is_hard_wrapped(sample: str) -> bool:
    """Whether most lines within paragraphs end between 60 and 80 characters."""
    lines = sample.splitlines(keepends=True)[:_BLOCK]
    pairs = _pairs_within_paragraphs(lines)
    typical = sum(len(text) in _TYPICAL for text, _ in pairs)
    return len(pairs) >= _MIN_LINES and typical > len(pairs) / 2 and _is_prose(pairs)


def _is_within_paragraph(line: str, following: str) -> bool:
    """Whether the line break is neither next to a blank line nor before an indented one."""
    if not line.endswith("\n") or not following:
        return False
    return not line.isspace() and not following[0].isspace()


def _is_full(text: str, following: str, width: int) -> bool:
    """Whether the first word of the next line would not have fit."""
    return len(text) + 1 + len(following.split(maxsplit=1)[0]) > width


def _wrap_width(lines: list[str], default: int | None) -> int | None:
    """The width at which most lines were wrapped; None if they were not.

    `default` is returned if there are too few lines to tell. The longest twentieth may be
    exceptions, such as headings or tables.
    """
    pairs = _pairs_within_paragraphs(lines)
    if len(pairs) < _MIN_LINES:
        return default
    width = sorted(len(text) for text, _ in pairs)[len(pairs) * 19 // 20]
    full = sum(_is_full(text, following, width) for text, following in pairs)
    return width if width in _WIDTHS and full > len(pairs) / 2 and _is_prose(pairs) else None


def _pairs_within_paragraphs(lines: list[str]) -> list[tuple[str, str]]:
    """Lines without their end, each with the next line, which continues the paragraph."""
    return [
        (line.rstrip(), following)
        for line, following in itertools.pairwise(lines)
        if _is_within_paragraph(line, following)
    ]


def _is_prose(pairs: list[tuple[str, str]]) -> bool:
    """Whether lines start in the middle of sentences, unlike those of verse and of logs."""
    inside = sum(text[0].isalpha() and not text[0].isupper() for _, text in pairs)
    return inside > len(pairs) / 4
