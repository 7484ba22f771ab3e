"""What a copy, a near copy and a novel text are: the definitions of the memorization check.

docs/evaluation.md has them in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import regex

from gpt2_helpers.evaluation.word_overlap import WordOverlap
from gpt2_helpers.evaluation.words import WORD, split_words
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

COPY, NEAR_COPY, NOVEL = KINDS = ("copy", "near copy", "novel")
NEAR_COPY_SIMILARITY = 0.8  # with a short text
NEAR_COPY_SHARE = 0.5  # of a text's shingles that occur in long texts
SHINGLE_WORDS = 8
MIN_WORDS = 5  # shorter passages occur in any long text by chance
MAX_SHORT_TEXT = 1000  # characters; shingles work better for longer texts
MAX_COMPARED = 2 * MAX_SHORT_TEXT  # characters of a normalized text compared with short ones

_MARKERS = regex.compile(f"{regex.escape(START_OF_TEXT)}|{regex.escape(END_OF_TEXT)}")
_START_PUNCTUATION = regex.compile(r"[\W_]+")
_END_PUNCTUATION = regex.compile(r"(?r)[\W_]+")  # matches backwards
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True)
class Match:
    """The closest match of a text in the training text.

    Attributes:
        kind: "copy", "near copy" or "novel".
        nearest: The most similar short text, or the longest passage shared with a long text. For a
            novel text, the text with which it has the longest run of words in common. May be empty.
        similarity: Similarity to `nearest`, from 0 to 1.
        run: The number of words of the longest run that the text has in common with a training
            text; 0 if it has fewer than three words.
        run_start: The number of the word that the run starts with, from 0.
        words: How many of the text's words occur in the training text, if they were counted.
    """

    kind: str
    nearest: str
    similarity: float
    run: int = field(default=0, compare=False)
    run_start: int = field(default=0, compare=False)
    words: WordOverlap | None = field(default=None, compare=False)


@dataclass(slots=True)
class Evidence:
    """What was found about a text, from which `classify` makes its Match.

    Attributes:
        copied: The short training text that is equal to it, if any.
        similar, similarity: The most similar short text, if the similarity makes a near copy.
        short_run, short_start: The longest run in a short text, and its first word.
        short_source: That short text.
        short_similarity: Its similarity.
        long_run, long_start: The longest run in a long text, and its first word.
        share: The share of the shingles that occur in long texts.
        words: See Match.
    """

    copied: str | None = None
    similar: str = ""
    similarity: float = 0.0
    short_run: int = 0
    short_start: int = 0
    short_source: str = ""
    short_similarity: float = 0.0
    long_run: int = 0
    long_start: int = 0
    share: float = 0.0
    words: WordOverlap | None = None


def classify(text: str, found: Evidence) -> Match:
    """Decide whether a text is a copy, a near copy or novel.

    A copy equals a short training text after `normalize`; or it has at least five words and occurs
    as a whole in a long training text, where a last word that may be truncated does not count. A
    near copy has a similarity of at least 0.8 to a short text, or at least half of its shingles
    occur in long texts.
    """
    in_long = found.long_run > found.short_run
    run = found.long_run if in_long else found.short_run
    start = found.long_start if in_long else found.short_start

    def match(kind: str, nearest: str, similarity: float) -> Match:
        return Match(kind, nearest.strip(), similarity, run, start, found.words)

    if found.copied is not None:
        return match(COPY, found.copied, 1.0)
    if found.long_run >= MIN_WORDS:
        count = len(split_words(without_markers(text)))
        complete = count - 1 if text[-1:].isalnum() else count
        if found.long_run >= complete >= MIN_WORDS:
            return match(COPY, text, 1.0)
    is_passage = found.share >= NEAR_COPY_SHARE
    if found.similarity >= NEAR_COPY_SIMILARITY and found.similarity >= found.share * is_passage:
        return match(NEAR_COPY, found.similar, found.similarity)
    if is_passage:
        return match(NEAR_COPY, passage(text, found.long_start, found.long_run), found.share)
    if in_long:
        return match(NOVEL, passage(text, found.long_start, found.long_run), found.share)
    return match(NOVEL, found.short_source, found.short_similarity)


def normalize(text: str) -> str:
    """Return a text without case, markers, repeated whitespace and punctuation at both ends.

    >>> normalize("<|startoftext|>Why  NOT?")
    'why not'
    """
    text = " ".join(without_markers(text).casefold().split())
    if text[:1] in _LETTERS and text[-1:] in _LETTERS:
        return text
    start, end = _START_PUNCTUATION.match(text), _END_PUNCTUATION.match(text)
    return text[start.end() if start else 0 : end.start() if end else None] or text


def without_markers(text: str) -> str:
    """Replace the markers around a text by spaces."""
    return _MARKERS.sub(" ", text) if "<|" in text else text


def passage(text: str, start: int, count: int) -> str:
    """Return `count` words of a text and what is between them.

    >>> passage("It's a quiet, dark night.", 2, 3)
    'a quiet, dark'
    """
    text = without_markers(text)
    words = list(WORD.finditer(text))[start : start + count]
    return text[words[0].start() : words[-1].end()] if words else ""


def count_shingles(words: int) -> int:
    """The number of shingles of a text with that many words."""
    return max(0, words - SHINGLE_WORDS + 1)


def distinct(texts: Iterable[str]) -> dict[str, int]:
    """The normalized texts, each with the number of the first text that is equal to it.

    >>> distinct(["Why?", "Who?", "WHY"])
    {'why': 0, 'who': 1}
    """
    found: dict[str, int] = {}
    for number, text in enumerate(texts):
        found.setdefault(normalize(text), number)
    return found
