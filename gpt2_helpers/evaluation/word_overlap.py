"""Share of words that occur in the training text. If it is low, novel texts may be noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import regex

MIN_WORDS = 50  # with fewer words, the share says little
# Texts look like noise if their share of unknown words exceeds that of new text of the same kind by
# both this factor and this difference.
NOISE_FACTOR, NOISE_MARGIN = 3.0, 0.05

_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*")


@dataclass(frozen=True)
class WordOverlap:
    """How many words of generated texts occur in the training text.

    Attributes:
        words: Number of words in the texts.
        known: How many of them occur in the training text.
        expected: Share of known words to expect in new text by the same authors.
    """

    words: int
    known: int
    expected: float

    def __add__(self, other: WordOverlap) -> WordOverlap:
        return WordOverlap(self.words + other.words, self.known + other.known, self.expected)

    @property
    def share(self) -> float:
        """Share of the words that are known; 1 for a text without words."""
        return self.known / self.words if self.words else 1.0

    @property
    def is_significant(self) -> bool:
        """Whether there are enough words to judge."""
        return self.words >= MIN_WORDS

    @property
    def looks_like_noise(self) -> bool:
        """Whether far more words are unknown than in new text by the same authors.

        >>> WordOverlap(words=100, known=70, expected=0.97).looks_like_noise
        True
        """
        unknown, expected = 1 - self.share, 1 - self.expected
        limit = max(NOISE_FACTOR * expected, expected + NOISE_MARGIN)
        return self.is_significant and unknown > limit

    def __str__(self) -> str:
        """Return the share as a sentence."""
        if not self.looks_like_noise:
            return f"{self.share:.0%} of their words occur in the training text."
        return (
            f"Only {self.share:.0%} of their words occur in the training text (about "
            f"{self.expected:.0%} would in new text of its kind), so many may be noise."
        )


class WordIndex:
    """The words of a training text. Case is ignored.

    >>> overlap = WordIndex(["The cat sat on the mat."]).compare("The dog sat.")
    >>> overlap.words, overlap.known
    (3, 2)
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_words(text))
        self._known = frozenset(counts)
        # Good and Turing's estimate of the probability of an unseen word: the share of words that
        # were seen once (Good, "The population frequencies of species", 1953).
        once, total = sum(count == 1 for count in counts.values()), counts.total()
        self.expected = 1 - once / total if total else 1.0

    def compare(self, text: str) -> WordOverlap:
        """Count the words of a generated text, without a last word that may be truncated."""
        words = _words(text)
        if words and text[-1:].isalpha():
            words.pop()
        return WordOverlap(len(words), sum(word in self._known for word in words), self.expected)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
