"""An index of generated texts, with which training text of any size is compared block by block.

Memory grows with the generated texts only. The `find` methods may run in several threads; `add`
takes their results, one block after the other, so that the result does not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

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
from gpt2_helpers.evaluation.trigram_processes import TrigramProcesses
from gpt2_helpers.evaluation.word_overlap import WordIndex, WordOverlap
from gpt2_helpers.evaluation.word_runs import CommonRuns, RunIndex
from gpt2_helpers.evaluation.words import GAP, split_texts
from gpt2_helpers.system.worker_processes import WorkerError
from gpt2_helpers.types import Indexes


@dataclass(frozen=True)
class ShortTexts:
    """A block of different short training texts.

    Attributes:
        normalized: The texts, normalized.
        originals: As they are in the training text.
    """

    normalized: list[str]
    originals: list[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> ShortTexts:
        """Leave out empty texts and those that are equal to an earlier one.

        >>> ShortTexts.of(["Who?", "WHO", "..."]).originals
        ['Who?', '...']
        """
        numbers = distinct(texts)
        numbers.pop("", None)
        return cls([*numbers], [texts[number] for number in numbers.values()])


@dataclass(frozen=True)
class SimilarTexts:
    """Short training texts that are equal or similar to generated ones.

    Attributes:
        copied: Generated texts that are equal to a training text, with that text.
        similar: Generated texts with a similar training text: numbers, similarities, and texts.
    """

    copied: dict[int, str]
    similar: tuple[list[int], list[float], list[str]]


@dataclass(frozen=True)
class ShortRuns:
    """What a block of short training texts has in common with the generated ones.

    Attributes:
        runs: The longest run of each generated text.
        sources: The training texts with these runs.
    """

    runs: CommonRuns
    sources: list[str]


@dataclass(frozen=True)
class LongRuns:
    """What a block of long training texts has in common with the generated ones: all runs."""

    runs: CommonRuns


Found: TypeAlias = SimilarTexts | ShortRuns | LongRuns


class GeneratedIndex:
    """Generated texts, and what was found about each of them so far.

    >>> index = GeneratedIndex(["Why is the sky so blue?", "Who are you?"])
    >>> index.add(index.find_similar(ShortTexts.of(["Why is the sky blue?"])))
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
        self._compared = [text if len(text) <= MAX_COMPARED else "" for text in numbers]
        self._trigrams = TrigramIndex(self._compared, NEAR_COPY_SIMILARITY)
        self._processes: TrigramProcesses | None = None
        self._best = np.full(count, NEAR_COPY_SIMILARITY)
        self._runs = RunIndex([*numbers])
        self._shingles = np.zeros(len(self._runs.words), bool)  # that occur in long texts
        # "_" is part of a word, but `normalize` strips it from both ends of a text.
        others = split_texts(without_markers(text) for text in texts if "_" in text)
        self._known = WordIndex(wanted=[*self._runs.vocabulary.words(), *others])
        self._lock = Lock()

    @property
    def longest_text(self) -> int:
        """The number of words of the longest text."""
        return int(self._runs.counts.max(initial=0))

    def start_processes(self, count: int) -> None:
        """Search for similar texts in other processes from now on, if they can be started."""
        if self._compared:
            with suppress(WorkerError):
                self._processes = TrigramProcesses(self._compared, NEAR_COPY_SIMILARITY, count)

    def close(self) -> None:
        """End the processes; searches that wait for them get an error."""
        if self._processes is not None:
            self._processes.close()

    def find_similar(self, texts: ShortTexts) -> SimilarTexts:
        """Find the copies and near copies of short training texts."""
        copied = {
            self._order[text]: original
            for text, original in zip(texts.normalized, texts.originals, strict=True)
            if text in self._order
        }
        pairs = (self._processes or self._trigrams).search(texts.normalized, self._best)
        order = np.lexsort((pairs.rows, -pairs.similarity, pairs.indexed))
        order = order[np.diff(pairs.indexed[order], prepend=-1) != 0]
        similar = (
            pairs.indexed[order].tolist(),
            pairs.similarity[order].tolist(),
            [texts.originals[row] for row in pairs.rows[order].tolist()],
        )
        return SimilarTexts(copied, similar)

    def find_short_runs(self, texts: ShortTexts) -> ShortRuns:
        """Find the longest runs of words in common with short training texts."""
        words = split_texts(texts.normalized)
        self._add_words(words)
        ids = self._runs.vocabulary.find(words)
        runs = self._runs.in_other(ids)
        runs = runs.longest(self._runs.text_of(runs.places))
        starts = np.flatnonzero(np.append(True, ids == GAP))
        sources = starts.searchsorted(runs.others, side="right") - 1
        return ShortRuns(runs, [texts.originals[row] for row in sources.tolist()])

    def find_long_runs(self, texts: Sequence[str]) -> LongRuns:
        """Find the runs of words in common with long training texts, or with parts of them."""
        words = split_texts([without_markers(text) for text in texts])
        self._add_words(words)
        return LongRuns(self._runs.in_other(self._runs.vocabulary.find(words)))

    def add(self, found: Found) -> None:
        """Keep what is better than what was found in the blocks before."""
        if isinstance(found, SimilarTexts):
            self._add_similar(found)
        elif isinstance(found, ShortRuns):
            self._add_short(found)
        else:
            self._add_long(found.runs)

    def _add_similar(self, found: SimilarTexts) -> None:
        for number, text in found.copied.items():
            if self._evidence[number].copied is None:
                self._evidence[number].copied = text
                self._best[number] = 1.0  # others need not be compared
        for number, similarity, text in zip(*found.similar, strict=True):
            evidence = self._evidence[number]
            if similarity > evidence.similarity:
                evidence.similarity, evidence.similar = similarity, text
                self._best[number] = max(self._best[number], similarity)

    def _add_short(self, found: ShortRuns) -> None:
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
        for text, place, words in zip(
            self._texts, self._places, self._word_overlaps(), strict=True
        ):
            evidence = self._evidence[place]
            evidence.words = words
            found.append(classify(text, evidence))
        return found

    def _word_overlaps(self) -> Iterator[WordOverlap]:
        """What `WordIndex.compare` returns for each text, computed from the words that are already
        split."""
        vocabulary = self._runs.vocabulary.words()
        counted = np.array([*(word[0].isalpha() for word in vocabulary), False])
        known = counted & np.array([*self._known.contains(vocabulary), False])
        ids = np.where(self._runs.words < 0, -1, self._runs.words)
        totals = [np.append(0, np.cumsum(kind[ids])) for kind in (counted, known)]
        starts, ends = self._runs.starts, self._runs.starts + self._runs.counts
        last = np.maximum(starts, ends - 1)
        # Of whole texts, and without their last word.
        n_all, n_cut = ([total[end] - total[starts] for total in totals] for end in (ends, last))
        n_all, n_cut = (np.stack(numbers, axis=1).tolist() for numbers in (n_all, n_cut))
        expected = self._known.expected
        for text, place in zip(self._texts, self._places, strict=True):
            text = without_markers(text)
            if "_" in text:  # see __init__
                yield self._known.compare(text)
            else:
                words, known_words = (n_cut if text[-1:].isalpha() else n_all)[place]
                yield WordOverlap(words, known_words, expected)

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
