"""Results of a memorization check: counts of copies, histograms, and the closest matches."""

from __future__ import annotations

import bisect
import functools
import math
import operator
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2_helpers.errors import printable
from gpt2_helpers.evaluation.similarity import (
    COPY,
    KINDS,
    NEAR_COPY,
    NOVEL,
    Match,
    normalize,
    passage,
)
from gpt2_helpers.evaluation.word_overlap import WordOverlap
from gpt2_helpers.system.tables import aligned

TextMatch = tuple[str, Match]

# The lowest value of each bin of a histogram, and its name.
_RUN_BINS = (
    (0, "fewer than 3 words"),
    (3, "3 to 4 words"),
    (5, "5 to 7 words"),
    (8, "8 to 11 words"),
    (12, "12 to 19 words"),
    (20, "20 to 49 words"),
    (50, "50 words or more"),
)
_SIMILARITY_BINS = (
    (0.0, "less than 0.5"),
    (0.5, "0.5 to 0.6"),
    (0.6, "0.6 to 0.7"),
    (0.7, "0.7 to 0.8"),
    (0.8, "0.8 to 0.9"),
    (0.9, "0.9 to 1"),
    (1.0, "1"),
)
_BAR = 40  # characters of the longest bar of a histogram
_EXCERPT = 90  # characters of a text that is shown


@dataclass(frozen=True)
class OverlapReport:
    """Counts of generated texts by how much they overlap with the training text.

    Attributes:
        copies: Texts that occur in the training text.
        near_copies: Texts that differ from the training text in a few words.
        novel: All other texts.
        duplicates: Texts that repeat an earlier generated text.
        matches: Each text with its closest match, in the order of the texts.
        words: How many words of all texts occur in the training text, if they were counted.
        notes: Sentences about training text that was left out, and how the files were read.
    """

    copies: int
    near_copies: int
    novel: int
    duplicates: int = 0
    matches: tuple[TextMatch, ...] = ()
    words: WordOverlap | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def from_matches(cls, matches: Iterable[TextMatch], notes: Iterable[str] = ()) -> OverlapReport:
        """Count texts that have already been compared.

        >>> OverlapReport.from_matches([("Why?", Match("copy", "Why?", 1.0))]).copies
        1
        """
        matches = tuple(matches)
        kinds = [match.kind for _, match in matches]
        distinct = {normalize(text) for text, _ in matches}
        copies, near_copies, novel = (kinds.count(kind) for kind in KINDS)
        duplicates = len(matches) - len(distinct)
        counted = [match.words for _, match in matches if match.words is not None]
        words = functools.reduce(operator.add, counted) if counted else None
        return cls(copies, near_copies, novel, duplicates, matches, words, tuple(notes))

    @property
    def total(self) -> int:
        """Number of texts that were compared."""
        return self.copies + self.near_copies + self.novel

    def closest_examples(self, count: int = 5) -> list[TextMatch]:
        """Return up to `count` texts that are not novel: near copies first, most similar first."""
        found = [pair for pair in self.matches if pair[1].kind != NOVEL]
        found.sort(key=lambda pair: (pair[1].kind == COPY, -pair[1].similarity))
        return found[:count]

    @property
    def longest_run(self) -> TextMatch | None:
        """The text with the longest run of words in common with a training text, if any."""
        best = max(self.matches, key=lambda pair: pair[1].run, default=None)
        return best if best and best[1].run else None

    def run_histogram(self) -> dict[str, int]:
        """How many texts have a longest run of how many words in common with a training text.

        >>> report = OverlapReport.from_matches([("Why is it?", Match("novel", "", 0.0, run=3))])
        >>> [name for name, count in report.run_histogram().items() if count]
        ['3 to 4 words']
        """
        return _histogram([match.run for _, match in self.matches], _RUN_BINS)

    def similarity_histogram(self) -> dict[str, int]:
        """How many texts have which similarity to their closest match.

        >>> report = OverlapReport.from_matches([("Why?", Match("copy", "Why?", 1.0))])
        >>> [name for name, count in report.similarity_histogram().items() if count]
        ['1']
        """
        return _histogram([match.similarity for _, match in self.matches], _SIMILARITY_BINS)

    def __str__(self) -> str:
        """Return the counts as one sentence.

        >>> print(OverlapReport(copies=12, near_copies=5, novel=83, duplicates=1))
        Of 100 texts, 12 are copies of the training text, 5 are near copies and 83 are novel.
        """
        copies = "is a copy" if self.copies == 1 else "are copies"
        near = "is a near copy" if self.near_copies == 1 else "are near copies"
        text = (
            f"Of {self.total:,} texts, {self.copies:,} {copies} of the training text, "
            f"{self.near_copies:,} {near} and {self.novel:,} {'is' if self.novel == 1 else 'are'} "
            "novel."
        )
        return f"{text} {self.words}" if self.words and self.words.is_significant else text


def _histogram(values: Sequence[float], bins: Sequence[tuple[float, str]]) -> dict[str, int]:
    edges = [edge for edge, _ in bins]
    counts = Counter(bisect.bisect(edges, value) - 1 for value in values)
    return {name: counts[place] for place, (_, name) in enumerate(bins)}


def as_json(report: OverlapReport) -> dict[str, Any]:
    """The report as JSON: counts, histograms, and what was found about every text."""
    firsts: dict[str, int] = {}
    texts = []
    for number, (text, match) in enumerate(report.matches, 1):
        first = firsts.setdefault(normalize(text), number)
        texts.append(
            {
                "text": text,
                "kind": match.kind,
                "similarity": round(match.similarity, 4),
                "nearest": match.nearest,
                "longest_run": match.run,
                "run": passage(text, match.run_start, match.run),
                "duplicate_of": None if first == number else first,
            }
        )
    words = report.words
    return {
        "total": report.total,
        "copies": report.copies,
        "near_copies": report.near_copies,
        "novel": report.novel,
        "duplicates": report.duplicates,
        "known_words": round(words.share, 4) if words and words.words else None,
        "longest_run": report.longest_run[1].run if report.longest_run else 0,
        "runs": report.run_histogram(),
        "similarities": report.similarity_histogram(),
        "notes": list(report.notes),
        "texts": texts,
    }


def as_lines(report: OverlapReport, examples: int = 5) -> list[str]:
    """The report as lines: counts, histograms, the longest run, and the closest matches."""
    total = max(1, report.total)
    counts = (
        ("copies of the training text", report.copies),
        ("near copies", report.near_copies),
        ("novel", report.novel),
        ("duplicates of another text", report.duplicates),
    )
    rows = [["", "texts", "share"]]
    rows += [[name, f"{count:,}", f"{count / total:.1%}"] for name, count in counts]
    lines = [str(report), "", *aligned(rows)]
    for title, histogram in (
        ("longest run of words in common with a training text", report.run_histogram()),
        ("similarity to the closest training text", report.similarity_histogram()),
    ):
        most = max(1, *histogram.values())
        bars = [["", "texts", ""]]
        bars += [
            [name, f"{count:,}", "#" * math.ceil(_BAR * count / most)]
            for name, count in histogram.items()
        ]
        lines += ["", title, *aligned(bars)[1:]]
    if longest := report.longest_run:
        text, match = longest
        run = passage(text, match.run_start, match.run)
        lines += ["", f"longest run, {match.run:,} words: {_excerpt(run)}"]
    for title, kind in (("near copies", NEAR_COPY), ("copies", COPY)):
        found = [pair for pair in report.matches if pair[1].kind == kind]
        found.sort(key=lambda pair: -pair[1].similarity)
        if found and examples:
            lines += ["", f"{title}, with the closest training text:"]
        for text, match in found[:examples]:
            lines += [
                f"  {_excerpt(text)}",
                f"    {match.similarity:.2f}  {_excerpt(match.nearest)}",
            ]
        if examples and (more := len(found) - examples) > 0:
            lines.append(f"  and {more:,} more, which --json lists too")
    return lines


def _excerpt(text: str) -> str:
    return printable(textwrap.shorten(text, _EXCERPT, placeholder=" ..."))
