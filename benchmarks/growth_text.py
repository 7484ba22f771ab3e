"""Text of any size whose new words come as slowly as in real text. Standard library and NumPy only.

A text repeated would be encoded from the memory of words alone, and letters by chance never would.
Here words are drawn with odds of 1 over their rank up to the 5,000th and over its square from there
on, as Ferrer i Cancho and Sole (2001, "Two Regimes in the Frequency of Words") found for English:
those of the stories first, then made-up ones of two or three of their beginnings and ends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from rounds import ROOT

STORIES = ROOT / "data" / "stories.txt"
WORDS = 600_000
COMMON = 5_000  # ranks of the first regime
AT_ONCE = 200_000  # words drawn together
LINE = 14  # words


def lexicon() -> list[str]:
    """All words, the most frequent first."""
    known = Counter(re.findall(r"[A-Za-z]+", STORIES.read_text(encoding="utf-8")))
    words = dict.fromkeys(word for word, _ in known.most_common())
    pieces = sorted({word[:4].lower() for word in words} | {word[-3:].lower() for word in words})
    random = np.random.default_rng(0)
    while len(words) < WORDS:
        for parts in random.integers(0, len(pieces), (AT_ONCE, 3)):
            count = 2 + parts[0] % 2
            words["".join(pieces[part] for part in parts[:count])] = None
    return list(islice(words, WORDS))


def lines(words: list[str]) -> Iterator[str]:
    """Lines of prose without end, each a sentence."""
    random = np.random.default_rng(1)
    table = np.array(words, object)
    ranks = np.arange(1, len(words) + 1)
    odds = np.cumsum(1.0 / (ranks + 2) * np.minimum(1.0, COMMON / ranks))
    odds /= odds[-1]
    while True:
        drawn = table[np.searchsorted(odds, random.random(AT_ONCE))].tolist()
        for start in range(0, len(drawn), LINE):
            first, *rest = drawn[start : start + LINE]
            rest[5] += ","
            yield f"{first.capitalize()} {' '.join(rest)}.\n"


def write_texts(folder: Path, sizes: list[int]) -> dict[int, Path]:
    """A text for each size in bytes; those that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {size: folder / f"{size}.txt" for size in sizes}
    missing = {
        size: path
        for size, path in places.items()
        if not path.is_file() or path.stat().st_size < size
    }
    words = lexicon() if missing else []
    for size, path in missing.items():
        written = 0
        with path.open("w", encoding="ascii") as file:
            for line in lines(words):
                file.write(line)
                written += len(line)
                if written >= size:
                    break
    return places
