"""Writes titles.csv: questions in the manner of r/AskReddit, made by the grammar beside this file.

    python data/make_titles.py

The same code writes the same bytes, on every Python from 3.10 on.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

from grammar import Grammar
from title_templates import SINGLE, TEMPLATES
from title_words import TABLES, WORDS

SEED = 20
ROWS = 2000
LONGEST = 200  # characters
CONTRACTED = 2, 5  # two titles of five are written as people speak
SPOKEN = {
    r"hat is (?!it\b)": "hat's ",
    r"\b(do|did|does|is|would|could|was|has|had) not\b": r"\1n't",
    r"\bcannot\b": "can't",
    r"\b([Yy]ou|they) have (?=(ever|never|always)\b)": r"\1've ",
}
TRIES = 30  # draws of one template before it is held to have nothing new to say


def titles() -> list[str]:
    """The titles, distinct, in random order.

    The templates take turns, so that none has more rows than the next while it has any left.
    """
    grammar = Grammar(WORDS, TABLES, SEED)
    found = dict.fromkeys(SINGLE)
    templates = list(TEMPLATES)
    while len(found) < ROWS:
        fruitful = []
        for number in grammar.shuffled(len(templates)):
            title = _new_title(grammar, templates[number], found)
            if title is not None and len(found) < ROWS:
                found[title] = None
                fruitful.append(templates[number])
        templates = fruitful
    rows = list(found)
    spoken, of = CONTRACTED
    return [
        _spoken(rows[number]) if grammar.deal("spoken", of) < spoken else rows[number]
        for number in grammar.shuffled(len(rows))
    ]


def _spoken(title: str) -> str:
    """`title` with contractions.

    >>> _spoken("What is the oddest thing you have ever bought and did not need?")
    "What's the oddest thing you've ever bought and didn't need?"
    """
    for written, spoken in SPOKEN.items():
        title = re.sub(written, spoken, title)
    return title


def _new_title(grammar: Grammar, template: str, found: dict[str, None]) -> str | None:
    """An expansion of `template` that is not among those found, or None."""
    for _ in range(TRIES):
        title = grammar.expand(template)
        if title not in found and len(title) <= LONGEST:
            return title
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the titles, one a row, under `title`.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("titles.csv"))
    out: Path = parser.parse_args().out
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["title"])
        writer.writerows([title] for title in titles())


if __name__ == "__main__":
    main()
