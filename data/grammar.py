"""A small text grammar: texts with slots, filled from word lists dealt like cards.

Shared by make_titles.py and make_stories.py; knows nothing of titles or stories.

- `{pet}` draws an item of the list `pet`; twice in one text gives two different items.
- `{red|green|blue}` draws one of the words written there.
- `{job.place}` draws a row of the table `job` once for the whole text, and shows that field;
  `{job}` alone shows the field `name`.
- `{^pet}` begins with a capital letter. `a(n)` becomes `a` or `an` by the word that follows.

Items may hold slots themselves. Each list is dealt to its end before any item comes again.
Only `Random.random()` is called: its sequence is the one that Python promises to keep.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence

Row = Mapping[str, str]

_SLOT = re.compile(r"\{(\^?)([^{}]*)\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) ([\"']?)(\w+)")
_VOWEL_SOUND = re.compile(r"(?!one\b|once\b|uni[^mn]|use|usu|eu)[aeiou]|hour|honest|heir", re.I)


def entries(block: str) -> list[str]:
    """The lines of a block of text; an indented line goes on with the line before it.

    >>> entries('''
    ... What is your
    ...     favorite {color}?
    ... Why?
    ... ''')
    ['What is your favorite {color}?', 'Why?']
    """
    found: list[str] = []
    for line in block.splitlines():
        if line.startswith(" ") and found:
            gap = "" if found[-1].endswith("|") else " "
            found[-1] += gap + line.strip()
        elif line.strip():
            found.append(line.strip())
    return found


def word_lists(block: str) -> dict[str, list[str]]:
    """Lists written as `name: item | item | item`.

    >>> word_lists("color: red | light blue")
    {'color': ['red', 'light blue']}
    """
    lists: dict[str, list[str]] = {}
    for entry in entries(block):
        name, _, items = entry.partition(": ")
        lists[name] = [item.strip() for item in items.split("|")]
    return lists


def table(block: str) -> list[Row]:
    """Rows written as `value; value`, under a first line with the names of the fields.

    >>> table('''
    ... one; many
    ... a mouse; mice
    ... ''')
    [{'one': 'a mouse', 'many': 'mice'}]
    """
    header, *rows = [[cell.strip() for cell in line.split(";")] for line in entries(block)]
    return [dict(zip(header, row, strict=True)) for row in rows]


def with_articles(text: str) -> str:
    """`text` with each `a(n)` settled.

    >>> with_articles("A(n) owl, a(n) hour, a(n) unicorn")
    'An owl, an hour, a unicorn'
    """

    def settle(match: re.Match[str]) -> str:
        article, quote, word = match.groups()
        return f"{article}{'n' if _VOWEL_SOUND.match(word) else ''} {quote}{word}"

    return _ARTICLE.sub(settle, text)


class Grammar:
    """Fills texts from `lists` and `tables`; the same seed and calls give the same texts."""

    def __init__(
        self,
        lists: Mapping[str, Sequence[str]],
        tables: Mapping[str, Sequence[Row]],
        seed: int,
    ) -> None:
        self.lists = lists
        self.tables = tables
        self._random = random.Random(seed)
        self._decks: dict[str, list[int]] = {}

    def shuffled(self, size: int) -> list[int]:
        """The numbers below `size` in random order."""
        order = list(range(size))
        for last in range(size - 1, 0, -1):
            other = int(self._random.random() * (last + 1))
            order[last], order[other] = order[other], order[last]
        return order

    def deal(self, deck: str, size: int, avoid: Iterable[int] = ()) -> int:
        """The next card, a number below `size`, of the deck of that name, but none of `avoid`."""
        cards = self._decks.setdefault(deck, [])
        avoided = set(avoid)
        if avoided.issuperset(cards):
            cards[:0] = self.shuffled(size)
        card = next(card for card in reversed(cards) if card not in avoided)
        # The last one found stands nearest to the end: remove that one and no earlier copy.
        del cards[len(cards) - 1 - cards[::-1].index(card)]
        return card

    def draw(self, deck: str, items: Sequence[str], avoid: Iterable[str] = ()) -> str:
        """The next of `items` in the deck of that name, but none of `avoid`."""
        avoided = set(avoid)
        numbers = [number for number, item in enumerate(items) if item in avoided]
        return items[self.deal(deck, len(items), numbers)]

    def expand(self, text: str, bound: Mapping[str, str | Row] | None = None) -> str:
        """`text` with every slot filled; `bound` gives names a value that stays the same."""
        names: dict[str, str | Row] = dict(bound or {})
        shown: list[str] = []
        while match := _SLOT.search(text):
            capital, slot = match.groups()
            value = self._value(slot, names, shown)
            shown.append(value)
            if capital:
                value = value[:1].upper() + value[1:]
            text = text[: match.start()] + value + text[match.end() :]
        return with_articles(text)

    def _value(self, slot: str, names: dict[str, str | Row], shown: list[str]) -> str:
        """What stands in one slot."""
        if "|" in slot:
            return self.draw(slot, slot.split("|"))
        name, dot, field = slot.partition(".")
        if name not in names and dot:
            names[name] = self.tables[name][self.deal(name, len(self.tables[name]))]
        if name not in names:
            return self.draw(name, self.lists[name], avoid=shown)
        value = names[name]
        return value if isinstance(value, str) else value[field or "name"]
