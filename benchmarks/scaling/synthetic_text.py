"""Synthetic text of any size, in which new words appear at the rate of real text.

A repeated text would be tokenized from the word cache alone, random letters never. Words are drawn
with probabilities proportional to 1/rank up to rank 5,000 and 1/rank^2 beyond, as Ferrer i Cancho
and Sole (2001, "Two Regimes in the Frequency of Words") found for English. The most frequent ones
come from the sample stories; the others combine two or three of their beginnings and endings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from machine_info import ROOT

STORIES = ROOT / "data" / "stories.txt"
WORDS = 600_000
COMMON = 5_000  # rank where the second regime starts
BATCH = 200_000  # words drawn at once
LINE = 14  # words


def lexicon() -> list[str]:
    """All words, most frequent first."""
    known = Counter(re.findall(r"[A-Za-z]+", STORIES.read_text(encoding="utf-8")))
    words = dict.fromkeys(word for word, _ in known.most_common())
    pieces = sorted({word[:4].lower() for word in words} | {word[-3:].lower() for word in words})
    random = np.random.default_rng(0)
    while len(words) < WORDS:
        for parts in random.integers(0, len(pieces), (BATCH, 3)):
            count = 2 + parts[0] % 2
            words["".join(pieces[part] for part in parts[:count])] = None
    return list(islice(words, WORDS))


def lines(words: list[str]) -> Iterator[str]:
    """An endless series of lines, each a sentence."""
    random = np.random.default_rng(1)
    table = np.array(words, object)
    ranks = np.arange(1, len(words) + 1)
    cumulative = np.cumsum(1.0 / (ranks + 2) * np.minimum(1.0, COMMON / ranks))
    cumulative /= cumulative[-1]
    while True:
        drawn = table[np.searchsorted(cumulative, random.random(BATCH))].tolist()
        for start in range(0, len(drawn), LINE):
            first, *rest = drawn[start : start + LINE]
            rest[5] += ","
            yield f"{first.capitalize()} {' '.join(rest)}.\n"


def write_texts(folder: Path, sizes: list[int]) -> dict[int, Path]:
    """Write a text for each size in bytes, unless it exists."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {size: folder / f"{size}.txt" for size in sizes}
    missing = {
        size: path
        for size, path in paths.items()
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
    return paths
