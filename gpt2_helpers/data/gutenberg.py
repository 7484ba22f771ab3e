"""Removes what Project Gutenberg adds to its books: the header, the credits and the license."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from gpt2_helpers.tokenizer import END_OF_TEXT

# Today's markers and those of the 1990s. A long title continues on the following lines.
START = re.compile(r"\*{3} ?START OF (THE|THIS) PROJECT GUTENBERG|\*END\*? ?THE SMALL PRINT", re.I)
_END = re.compile(
    r"\*{3} ?END OF (THE|THIS) PROJECT GUTENBERG|^\s*End of (the |this )?Project Gutenberg", re.I
)
_CREDITS = re.compile(
    r"\s*\[?(Transcribed|Produced|E-?text prepared|HTML version|Credits?|Proofread)\b"
    r"|\s*This e-?(text|book) was (prepared|produced)\b",
    re.I,
)
_ENDS = re.compile(f"(?<={re.escape(END_OF_TEXT)})")
_MAX_HEADER = 50_000  # characters
_MAX_MARKER = 4  # lines


class Boilerplate:
    """Removes Project Gutenberg's boilerplate from a text, and counts what was removed.

    Several books in one text are treated one by one. A text without the markers is not changed.

    Attributes:
        removed: Characters removed so far.
    """

    def __init__(self) -> None:
        self.removed = 0
        self._held: list[str] = []  # lines that are kept or removed, depending on what follows
        self._held_size = 0  # characters
        self._part: Callable[[str], Iterable[str]] = self._header
        self._marker_lines = 0
        self._in_credits = False

    def strip(self, lines: Iterable[str]) -> Iterator[str]:
        r"""Pass the lines of the books through.

        Args:
            lines: Lines with their line ends, see `iter_lines`.

        Yields:
            The lines to keep. Holds a header of at most 50,000 characters.

        Example:
            >>> start = "*** START OF THE PROJECT GUTENBERG EBOOK ***\n"
            >>> lines = ["Title: Once\n", start, "\n", "Once\n"]
            >>> list(Boilerplate().strip(lines))
            ['Once\n']
        """
        for line in lines:
            for part in _ENDS.split(line):
                if part:
                    yield from self._part(part)
        yield from self._release()

    def _header(self, line: str) -> Iterable[str]:
        if START.search(line):
            return self._begin_marker(line)
        if _END.search(line):  # the header was removed already
            while self._held and not self._held[-1].strip():
                blank = len(self._held.pop())
                self._held_size -= blank
                self.removed += blank
            return [*self._release(), *self._book(line)]
        self._hold(line)
        if line.endswith(END_OF_TEXT):
            return self._release()
        if self._held_size > _MAX_HEADER:
            self._part = self._book
            return self._release()
        return []

    def _begin_marker(self, line: str) -> Iterable[str]:
        self._part, self._marker_lines = self._marker, 0
        return self._marker(line)

    def _marker(self, line: str) -> Iterable[str]:
        """The start marker, which ends with asterisks, at the latest before a blank line."""
        self._marker_lines += 1
        self._remove(line)
        is_blank = not line.strip()
        if line.rstrip().endswith("*") or is_blank or self._marker_lines == _MAX_MARKER:
            self._part, self._in_credits = self._credits, False
        return []

    def _credits(self, line: str) -> Iterable[str]:
        """Blank lines and paragraphs about who made the text."""
        is_blank = not line.strip()
        self._in_credits = not is_blank and (self._in_credits or bool(_CREDITS.match(line)))
        if is_blank or self._in_credits:
            self._remove(line)
            return []
        self._part = self._book
        return self._book(line)

    def _book(self, line: str) -> Iterable[str]:
        if _END.search(line):
            self._remove("")
            self._part = self._licence
            return self._licence(line)
        self._hold(line)
        # Blank lines are removed if they are the last ones of the book.
        if not line.strip() and self._held_size <= _MAX_HEADER:
            return []
        if line.endswith(END_OF_TEXT):
            self._part = self._header
        return self._release()

    def _licence(self, line: str) -> Iterable[str]:
        if START.search(line):  # of another book
            return self._begin_marker(line)
        before, end, _ = line.partition(END_OF_TEXT)
        self._remove(before)
        if not end:
            return []
        self._part = self._header
        return [end]

    def _hold(self, line: str) -> None:
        self._held.append(line)
        self._held_size += len(line)

    def _remove(self, line: str) -> None:
        self.removed += self._held_size + len(line)
        self._release()

    def _release(self) -> list[str]:
        lines, self._held, self._held_size = self._held, [], 0
        return lines
