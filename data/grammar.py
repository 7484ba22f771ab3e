"""A small text grammar: templates whose slots are filled from word lists.

Shared by make_titles.py and make_stories.py.

Slots:

- `{pet}` draws an item of the word list `pet`; a second `{pet}` in a text draws another item.
- `{red|green|blue}` draws one of the alternatives.
- `{job.place}` draws a row of the table `job`, once per text, and inserts its field `place`;
  `{job}` inserts the field `name`.
- `{^pet}` capitalizes the first letter.
- `a(n)` becomes `a` or `an`, depending on the next word.

Items may contain slots themselves. A list is used up before any of its items is drawn again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = Mapping[str, str]

_SLOT = re.compile(r"\{(\^?)([^{}]*)\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) ([\"']?)(\w+)")
_VOWEL_SOUND = re.compile(r"(?!one\b|once\b|uni[^mn]|use|usu|eu)[aeiou]|hour|honest|heir", re.I)


def read_source(path: Path) -> str:
    """Read a source text without its comments, which are the lines that start with `#`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")).strip("\n")


def sections(text: str, separator: str) -> list[str]:
    """Split `text` at the lines that are equal to `separator`.

    >>> sections("one\\ntwo\\n--\\nthree", "--")
    ['one\\ntwo', 'three']
    """
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line == separator:
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def entries(text: str) -> list[str]:
    """Split `text` into entries, one per line; an indented line continues the entry above it.

    >>> entries('''
    ... What is your
    ...     favorite {color}?
    ... Why?
    ... ''')
    ['What is your favorite {color}?', 'Why?']
    """
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and found:
            gap = "" if found[-1].endswith("|") else " "
            found[-1] += gap + line.strip()
        elif line.strip():
            found.append(line.strip())
    return found


def mapping(text: str) -> dict[str, str]:
    """Parse entries of the form `key: value`.

    >>> mapping("title: Knots\\ncast: Oda,\\n    Bram")
    {'title': 'Knots', 'cast': 'Oda, Bram'}
    """
    return {key: value for key, _, value in (entry.partition(": ") for entry in entries(text))}


def word_lists(text: str) -> dict[str, list[str]]:
    """Parse entries of the form `name: item | item | item`.

    >>> word_lists("color: red | light blue")
    {'color': ['red', 'light blue']}
    """
    return {
        name: [item.strip() for item in items.split("|")] for name, items in mapping(text).items()
    }


def table(text: str) -> list[Row]:
    """Parse rows of the form `value; value` under a header with the names of the fields.

    >>> table('''
    ... one; many
    ... a mouse; mice
    ... ''')
    [{'one': 'a mouse', 'many': 'mice'}]
    """
    header, *rows = [[cell.strip() for cell in line.split(";")] for line in entries(text)]
    return [dict(zip(header, row, strict=True)) for row in rows]


def with_articles(text: str) -> str:
    """Replace each `a(n)` in `text`.

    >>> with_articles("A(n) owl, a(n) hour, a(n) unicorn")
    'An owl, an hour, a unicorn'
    """

    def article(match: re.Match[str]) -> str:
        letter, quote, word = match.groups()
        return f"{letter}{'n' if _VOWEL_SOUND.match(word) else ''} {quote}{word}"

    return _ARTICLE.sub(article, text)


class Grammar:
    """Expands templates from word lists and tables; deterministic for a seed and order of calls.

    Each list is a deck of cards: it is shuffled, dealt to its end, and shuffled again.
    """

    def __init__(
        self,
        lists: Mapping[str, Sequence[str]],
        tables: Mapping[str, Sequence[Row]],
        seed: int,
    ) -> None:
        self.lists = lists
        self.tables = tables
        # Only `random()` is called: Python guarantees its sequence for a seed across versions.
        self._random = random.Random(seed)
        self._decks: dict[str, list[int]] = {}

    def shuffled(self, size: int) -> list[int]:
        """Return the numbers below `size` in random order."""
        order = list(range(size))
        for last in range(size - 1, 0, -1):
            other = int(self._random.random() * (last + 1))
            order[last], order[other] = order[other], order[last]
        return order

    def deal(self, deck: str, size: int, avoid: Iterable[int] = ()) -> int:
        """Return the next number below `size` from the named deck, skipping those in `avoid`."""
        cards = self._decks.setdefault(deck, [])
        avoided = set(avoid)
        if avoided.issuperset(cards):
            cards[:0] = self.shuffled(size)
        card = next(card for card in reversed(cards) if card not in avoided)
        # A reshuffled deck can hold a card twice: remove the copy nearest to the end.
        del cards[len(cards) - 1 - cards[::-1].index(card)]
        return card

    def draw(self, deck: str, items: Sequence[str], avoid: Iterable[str] = ()) -> str:
        """Return the next of `items` from the named deck, skipping those in `avoid`."""
        avoided = set(avoid)
        numbers = [number for number, item in enumerate(items) if item in avoided]
        return items[self.deal(deck, len(items), numbers)]

    def expand(self, text: str, bound: Mapping[str, str | Row] | None = None) -> str:
        """Fill every slot of `text`; `bound` maps slot names to fixed values or rows."""
        names: dict[str, str | Row] = dict(bound or {})
        used: list[str] = []
        while match := _SLOT.search(text):
            capital, slot = match.groups()
            value = self._fill(slot, names, used)
            used.append(value)
            if capital:
                value = value[:1].upper() + value[1:]
            text = text[: match.start()] + value + text[match.end() :]
        return with_articles(text)

    def _fill(self, slot: str, names: dict[str, str | Row], used: list[str]) -> str:
        """Return the value of one slot; a row drawn for it is added to `names`."""
        if "|" in slot:
            return self.draw(slot, slot.split("|"))
        name, dot, field = slot.partition(".")
        if name not in names and dot:
            names[name] = self.tables[name][self.deal(name, len(self.tables[name]))]
        if name not in names:
            return self.draw(name, self.lists[name], avoid=used)
        value = names[name]
        return value if isinstance(value, str) else value[field or "name"]
