"""An index of generated texts, with which training text of any size is compared block by block.

Memory grows with the generated texts only. `search` may run in several threads; `add` takes its
results, one block after the other, so that the result does not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.evaluation.similarity import (
    MAX_COMPARED,
    NEAR_COPY_SIMILARITY,
    SHINGLE_WORDS,
    Evidence,
    Match,
    classify,
    count_shingles,
    distinct,
    normalize,
    without_markers,
)
from gpt2_helpers.evaluation.trigram_index import TrigramIndex
from gpt2_helpers.evaluation.word_overlap import WordIndex
from gpt2_helpers.evaluation.word_runs import CommonRuns, RunIndex
from gpt2_helpers.evaluation.words import GAP, split_texts
from gpt2_helpers.types import Indexes


@dataclass(frozen=True)
class ShortResults:
    """What a block of short training texts has in common with the generated ones.

    Attributes:
        copied: Generated texts that are equal to a training text, with that text.
        similar: Generated texts with a similar training text: numbers, similarities, and texts.
        runs: The longest run of each generated text.
        sources: The training texts with these runs.
    """

    copied: dict[int, str]
    similar: tuple[list[int], list[float], list[str]]
    runs: CommonRuns
    sources: list[str]


@dataclass(frozen=True)
class LongResults:
    """What a block of long training texts has in common with the generated ones: all runs."""

    runs: CommonRuns


class GeneratedIndex:
    """Generated texts, and what was found about each of them so far.

    >>> index = GeneratedIndex(["Why is the sky so blue?", "Who are you?"])
    >>> index.add(index.search_short(["Why is the sky blue?"]))
    >>> [match.kind for match in index.matches()]
    ['near copy', 'novel']
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        numbers = distinct(texts)
        self._order = {normalized: place for place, normalized in enumerate(numbers)}
        self._places = [self._order[normalize(text)] for text in texts]  # of each text
        count = len(numbers)
        self._evidence = [Evidence() for _ in range(count)]
        compared = [text if len(text) <= MAX_COMPARED else "" for text in numbers]
        self._trigrams = TrigramIndex(compared, NEAR_COPY_SIMILARITY)
        self._best = np.full(count, NEAR_COPY_SIMILARITY)
        self._runs = RunIndex([*numbers])
        self._shingles = np.zeros(len(self._runs.words), bool)  # that occur in long texts
        self._known = WordIndex(wanted=self._runs.vocabulary.words())
        self._lock = Lock()

    @property
    def longest_text(self) -> int:
        """The number of words of the longest text."""
        return int(self._runs.counts.max(initial=0))

    def search_short(self, texts: Sequence[str]) -> ShortResults:
        """Compare short training texts with the generated ones."""
        firsts = distinct(texts)
        firsts.pop("", None)
        normalized, originals = [*firsts], [texts[number] for number in firsts.values()]
        copied = {
            self._order[text]: original
            for text, original in zip(normalized, originals, strict=True)
            if text in self._order
        }
        pairs = self._trigrams.search(normalized, self._best)
        order = np.lexsort((pairs.rows, -pairs.similarity, pairs.indexed))
        order = order[np.diff(pairs.indexed[order], prepend=-1) != 0]
        similar = (
            pairs.indexed[order].tolist(),
            pairs.similarity[order].tolist(),
            [originals[row] for row in pairs.rows[order].tolist()],
        )
        words = split_texts(normalized)
        self._add_words(words)
        ids = self._runs.vocabulary.find(words)
        runs = self._runs.in_other(ids)
        runs = runs.longest(self._runs.text_of(runs.places))
        starts = np.flatnonzero(np.append(True, ids == GAP))
        sources = starts.searchsorted(runs.others, side="right") - 1
        return ShortResults(copied, similar, runs, [originals[row] for row in sources.tolist()])

    def search_long(self, texts: Sequence[str]) -> LongResults:
        """Compare long training texts, or parts of them, with the generated ones."""
        words = split_texts([without_markers(text) for text in texts])
        self._add_words(words)
        return LongResults(self._runs.in_other(self._runs.vocabulary.find(words)))

    def add(self, found: ShortResults | LongResults) -> None:
        """Keep what is better than what was found in the blocks before."""
        if isinstance(found, LongResults):
            self._add_long(found.runs)
            return
        for number, text in found.copied.items():
            if self._evidence[number].copied is None:
                self._evidence[number].copied = text
                self._best[number] = 1.0  # others need not be compared
        for number, similarity, text in zip(*found.similar, strict=True):
            evidence = self._evidence[number]
            if similarity > evidence.similarity:
                evidence.similarity, evidence.similar = similarity, text
                self._best[number] = max(self._best[number], similarity)
        for number, length, start, text in zip(
            *self._by_text(found.runs), found.sources, strict=True
        ):
            evidence = self._evidence[number]
            if length > evidence.short_run:
                evidence.short_run, evidence.short_start = length, start
                evidence.short_source = text

    def _add_long(self, runs: CommonRuns) -> None:
        self._shingles[runs.places[runs.lengths >= SHINGLE_WORDS]] = True
        best = runs.longest(self._runs.text_of(runs.places))
        for number, length, start in zip(*self._by_text(best), strict=True):
            evidence = self._evidence[number]
            if length > evidence.long_run:
                evidence.long_run, evidence.long_start = length, start

    def _by_text(self, runs: CommonRuns) -> tuple[list[int], list[int], list[int]]:
        """The number of the text, the length and the first word of each run."""
        texts = self._runs.text_of(runs.places)
        starts = runs.places - self._runs.starts[texts]
        return texts.tolist(), runs.lengths.tolist(), starts.tolist()

    def matches(self) -> list[Match]:
        """The closest match of each generated text."""
        self._finish()
        found = []
        for text, place in zip(self._texts, self._places, strict=True):
            evidence = self._evidence[place]
            evidence.words = self._known.compare(without_markers(text))
            found.append(classify(text, evidence))
        return found

    def _finish(self) -> None:
        """Compute the shares of shingles, and the similarity to the texts with the longest runs."""
        counts, starts = self._runs.counts, self._runs.starts
        total = np.append(0, np.cumsum(self._shingles))
        shingles = np.maximum(counts - SHINGLE_WORDS + 1, 0)
        known: Indexes = total[starts + shingles] - total[starts]
        numbers, texts = [], []
        for number, evidence in enumerate(self._evidence):
            evidence.share = int(known[number]) / max(1, count_shingles(int(counts[number])))
            if evidence.short_source:
                numbers.append(number)
                texts.append(normalize(evidence.short_source))
        similarity: NDArray[np.float64] = self._trigrams.similarity(texts, np.array(numbers, int))
        for number, value in zip(numbers, similarity.tolist(), strict=True):
            self._evidence[number].short_similarity = value

    def _add_words(self, words: list[str]) -> None:
        with self._lock:
            self._known.add(words)
