"""The share of words that occur in the training text."""

from __future__ import annotations

import csv
import random

import pytest

from gpt2_helpers.evaluation.word_overlap import WordIndex, WordOverlap
from paths import ROOT


def test_words_are_compared_without_case_numbers_and_a_truncated_end() -> None:
    index = WordIndex(["The cat's mat,", "1905: ÉTÉ"])
    assert index.compare("CAT! 77 été the ca") == WordOverlap(3, 3, index.expected)
    assert index.compare("dog.") == WordOverlap(1, 0, index.expected)
    assert index.compare("").share == 1.0
    assert WordIndex([]).expected == 1.0


@pytest.mark.parametrize(
    ("known", "expected", "noise"),
    [(97, 0.97, False), (93, 0.97, False), (88, 0.97, True), (96, 0.999, False), (93, 0.999, True)],
)
def test_noise_has_many_more_unknown_words_than_expected(
    known: int, expected: float, noise: bool
) -> None:
    assert WordOverlap(100, known, expected).looks_like_noise == noise
    assert not WordOverlap(10, known // 10, expected).looks_like_noise  # too few words


def test_held_out_titles_are_not_noise_and_shuffled_letters_are() -> None:
    with (ROOT / "data" / "titles.csv").open(encoding="utf-8", newline="") as file:
        titles = [row[0] for row in csv.reader(file)][1:]
    random.Random(1).shuffle(titles)
    index, held_out = WordIndex(titles[200:]), titles[:200]
    real = index.compare(" ".join(held_out))
    assert abs(real.share - real.expected) < 0.02
    assert not real.looks_like_noise
    noise = "".join(random.Random(2).sample(" ".join(held_out), k=5000))
    assert index.compare(noise).looks_like_noise
