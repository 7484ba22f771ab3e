"""Share of words that occur in the training text. If it is low, novel texts may be noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gpt2_helpers.evaluation.words import split_words

MIN_WORDS = 50  # with fewer words, the share says little
# Texts look like noise if their share of unknown words exceeds that of new text of the same kind by
# both this factor and this difference.
NOISE_FACTOR, NOISE_MARGIN = 3.0, 0.05

_MAX_COUNTED = 1_000_000  # different words, after which the share of new ones hardly changes


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

    Args:
        texts: The training text, or its beginning.
        wanted: The words that `compare` will be asked for. By default all words are remembered;
            with it, memory use does not grow with the training text.

    >>> overlap = WordIndex(["The cat sat on the mat."]).compare("The dog sat.")
    >>> overlap.words, overlap.known
    (3, 2)
    """

    def __init__(self, texts: Iterable[str] = (), wanted: Iterable[str] | None = None) -> None:
        self._counts: Counter[str] = Counter()
        self._wanted = None if wanted is None else frozenset(wanted)
        self._known: set[str] = set()
        self._expected: float | None = None
        for text in texts:
            self.add(split_words(text))

    def add(self, words: list[str]) -> None:
        """Add words of the training text, in lower case."""
        self._expected = None
        if self._wanted is None or len(self._counts) < _MAX_COUNTED:
            self._counts.update(words)
        if self._wanted is not None:
            self._known.update(self._wanted.intersection(words))

    @property
    def expected(self) -> float:
        """Share of known words to expect in new text by the same authors."""
        if self._expected is None:
            # Good and Turing's estimate of the probability of an unseen word: the share of words
            # that were seen once (Good, "The population frequencies of species", 1953).
            counts = [count for word, count in self._counts.items() if word[0].isalpha()]
            total = sum(counts)
            self._expected = 1 - counts.count(1) / total if total else 1.0
        return self._expected

    def contains(self, words: Iterable[str]) -> list[bool]:
        """Which of these words, in lower case, occur in the training text."""
        known = self._counts if self._wanted is None else self._known
        return [word in known for word in words]

    def compare(self, text: str) -> WordOverlap:
        """Count the words of a generated text, without a last word that may be truncated."""
        words = split_words(text)
        if words and text[-1:].isalpha():
            words.pop()
        words = [word for word in words if word[0].isalpha()]
        return WordOverlap(len(words), sum(self.contains(words)), self.expected)
