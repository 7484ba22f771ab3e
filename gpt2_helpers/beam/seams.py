"""Joins the token ids of parts of a text, so that they are those of the whole text.

Where two parts meet, whitespace of both can be one token, an end of text may be missing between two
files, and a document that is a copy can begin in one part and end in the next. So the first word of
a part and the newlines at its end are kept as text; `join_parts` encodes them when all parts are
known. The rest of a part is encoded where it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import regex

from gpt2_helpers.data.documents import TAIL, needs_end, split_documents
from gpt2_helpers.tokenizer import END_OF_TEXT

# No token contains whitespace after another character.
_FIRST_WORD_END = regex.compile(r"\S(?=\s)")


@dataclass(frozen=True)
class Edges:
    """What is known about a part besides the ids of its middle.

    Attributes:
        starts_file: Whether the part begins with a file rather than in the middle of one.
        head: The text before the middle: the first word with what is before it.
        tail: The newlines after the last document, if the part ends with one.
        end: The last characters of the part, including those of copies.
        drops_first: Whether its first document is left out.
        drops_last: Whether its last document is left out and does not end in this part.
        has_middle: Whether there is text between head and tail.
    """

    starts_file: bool
    head: str = ""
    tail: str = ""
    end: str = ""
    drops_first: bool = False
    drops_last: bool = False
    has_middle: bool = False


class EdgeSplitter:
    """Splits the text of a part into head, middle and tail.

    Args:
        starts_file: See `Edges`.
        dropped: Numbers of the documents of the part to leave out.

    Attributes:
        edges: The edges, once the text was read.

    >>> splitter = EdgeSplitter(starts_file=True)
    >>> "".join(splitter.split(["One two<|endof", "text|>", "\\n"]))
    ' two<|endoftext|>'
    >>> splitter.edges.head, splitter.edges.tail
    ('One', '\\n')
    """

    def __init__(self, starts_file: bool, dropped: Collection[int] = ()) -> None:
        self._dropped = frozenset(dropped)
        self._end = ""
        self._last_number = 0
        self.edges = Edges(starts_file)

    def split(self, chunks: Iterable[str]) -> Iterator[str]:
        """Yield the middle of the part in chunks of any length, none of them empty."""
        texts = self._remember_end(chunks)
        if self._dropped:
            texts = self._without_dropped(texts)
        head, rest = _first_word(texts)
        held = ""  # newlines that may be the tail
        written = head[-TAIL:]
        has_middle = False
        for chunk in rest:
            text = held + chunk
            middle = text.rstrip("\n")
            held = text[len(middle) :]
            if middle:
                written = (written + middle[-TAIL:])[-TAIL:]
                has_middle = True
                yield middle
        is_ended = written.endswith(END_OF_TEXT)
        if held and not is_ended:
            has_middle = True
            yield held
        self.edges = Edges(
            self.edges.starts_file,
            head,
            held if is_ended else "",
            self._end,
            drops_first=0 in self._dropped,
            drops_last=self._last_number in self._dropped,
            has_middle=has_middle,
        )

    def _remember_end(self, chunks: Iterable[str]) -> Iterator[str]:
        for chunk in chunks:
            self._end = (self._end + chunk[-TAIL:])[-TAIL:]
            yield chunk

    def _without_dropped(self, chunks: Iterable[str]) -> Iterator[str]:
        number = 0
        for piece, is_end in split_documents(chunks):
            if number not in self._dropped:
                yield piece + END_OF_TEXT if is_end else piece
            number += is_end
        self._last_number = number


def _first_word(chunks: Iterable[str]) -> tuple[str, Iterator[str]]:
    """The text up to the first whitespace after another character, and the rest."""
    iterator = iter(chunks)
    text = ""
    for chunk in iterator:
        # The character before the chunk and the chunk, so that long words are searched once.
        start = max(0, len(text) - 1)
        text += chunk
        if found := _FIRST_WORD_END.search(text, start):
            return text[: found.end()], _chain(text[found.end() :], iterator)
    return text, iter(())


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def join_parts(
    parts: Sequence[Edges], encode: Callable[[str], Sequence[int]]
) -> tuple[list[list[int]], list[int]]:
    """Encode what is between the middles of the parts of a dataset.

    Args:
        parts: All parts, in order.
        encode: Returns the ids of a text.

    Returns:
        The ids before the middle of each part, and those after the last one. A part without a
        middle has none before it: its text is before the next part that has one.

    >>> one = Edges(True, "One", end="One day", has_middle=True)
    >>> join_parts([one, Edges(True, "Two", end="Two")], lambda text: [*text.encode()][:4])
    ([[79, 110, 101], []], [60, 124, 101, 110])
    """
    before: list[list[int]] = []
    text = tail = ""
    drops_open = False  # whether the document that did not end in an earlier part is left out
    for part in parts:
        if not part.end:  # an empty part
            before.append([])
            continue
        if part.starts_file and needs_end(tail):
            text += "" if drops_open else END_OF_TEXT
            tail += END_OF_TEXT
        tail = (tail + part.end)[-TAIL:]
        if part.drops_first:
            text = text[: text.rfind(END_OF_TEXT) + len(END_OF_TEXT)] if END_OF_TEXT in text else ""
        drops_open = part.drops_last
        text += part.head
        if part.has_middle:
            before.append(list(encode(text)))
            text = ""
        else:
            before.append([])
        text += part.tail
    return before, list(encode(text))
