"""Generate titles.csv: questions in the style of r/AskReddit, from the templates in titles/.

    python data/make_titles.py

The output is the same, byte for byte, on every supported Python version.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

from grammar import Grammar, entries, read_source, table, word_lists

FOLDER = Path(__file__).parent
SOURCES = FOLDER / "titles"
SEED = 20
ROWS = 2000
MAX_LENGTH = 200  # characters
CONTRACTED = 2, 5  # two titles of five use contractions
CONTRACTIONS = {
    r"hat is (?!it\b)": "hat's ",
    r"\b(do|did|does|is|would|could|was|has|had) not\b": r"\1n't",
    r"\bcannot\b": "can't",
    r"\b([Yy]ou|they) have (?=(ever|never|always)\b)": r"\1've ",
}
MAX_TRIES = 30  # expansions of a template before it counts as exhausted

TEMPLATES = entries(read_source(SOURCES / "templates.txt"))
QUESTIONS = entries(read_source(SOURCES / "questions.txt"))
WORDS = word_lists(read_source(SOURCES / "words.txt"))
TABLES = {path.stem: table(read_source(path)) for path in sorted(SOURCES.glob("tables/*.txt"))}


def titles() -> list[str]:
    """Return distinct titles in random order.

    The templates take turns, so each contributes about the same number of titles until it is
    exhausted.
    """
    grammar = Grammar(WORDS, TABLES, SEED)
    found = dict.fromkeys(QUESTIONS)
    templates = list(TEMPLATES)
    while len(found) < ROWS:
        remaining = []
        for number in grammar.shuffled(len(templates)):
            title = _new_title(grammar, templates[number], found)
            if title is not None and len(found) < ROWS:
                found[title] = None
                remaining.append(templates[number])
        templates = remaining
    rows = list(found)
    contracted, of = CONTRACTED
    return [
        _contract(rows[number]) if grammar.deal("contracted", of) < contracted else rows[number]
        for number in grammar.shuffled(len(rows))
    ]


def _contract(title: str) -> str:
    """Return `title` with contractions.

    >>> _contract("What is the oddest thing you have ever bought and did not need?")
    "What's the oddest thing you've ever bought and didn't need?"
    """
    for pattern, replacement in CONTRACTIONS.items():
        title = re.sub(pattern, replacement, title)
    return title


def _new_title(grammar: Grammar, template: str, found: dict[str, None]) -> str | None:
    """Expand `template` to a title that is not in `found`; None if it seems exhausted."""
    for _ in range(MAX_TRIES):
        title = grammar.expand(template)
        if title not in found and len(title) <= MAX_LENGTH:
            return title
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate a CSV file with the column `title`.")
    parser.add_argument("--out", type=Path, default=FOLDER / "titles.csv", help="output file")
    out: Path = parser.parse_args().out
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["title"])
        writer.writerows([title] for title in titles())


if __name__ == "__main__":
    main()
