"""Keywords of texts, by TF-IDF: words that are frequent in a text and rare in the others.

Takes texts and knows no files.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable

import regex

MAX_KEYWORDS = 3
_SEED = 0  # the same keywords in every run, so that training resumes with the same data
_MAX_WORDS = 1_000_000  # counted at a time; the rarest are dropped beyond that
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}\p{N}'’-]*\p{L}")


class KeywordExtractor:
    """Draws keywords from texts whose words were counted before.

    >>> texts = ["the red fox", "the old barn", "the red barn"]
    >>> extractor = KeywordExtractor(texts)
    >>> extractor.ranked("the fox and the fox cub")
    ['fox', 'and', 'cub']
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Count in how many of the texts each word occurs."""
        self._random = random.Random(_SEED)
        self._documents, self._count = Counter[str](), 0
        for text in texts:
            self._count += 1
            self._documents.update(set(_words(text)))
            if len(self._documents) > _MAX_WORDS:
                self._documents = Counter(
                    {word: number for word, number in self._documents.items() if number > 1}
                )

    def ranked(self, text: str) -> list[str]:
        """The words of a text with the highest TF-IDF, at most `MAX_KEYWORDS`, the best first."""
        frequency = Counter(_words(text))

        def score(word: str) -> float:
            return frequency[word] * math.log((1 + self._count) / (1 + self._documents[word]))

        # Sorting is stable: equal words stay in the order of the text.
        return sorted(frequency, key=score, reverse=True)[:MAX_KEYWORDS]

    def draw(self, text: str) -> str:
        """Some of the keywords of a text in random order, separated by commas.

        The number is random too, so that a model learns to write with one keyword or with several.
        """
        words = self.ranked(text)
        self._random.shuffle(words)
        return ", ".join(words[: self._random.randint(1, MAX_KEYWORDS)])


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
