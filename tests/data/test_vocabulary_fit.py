"""Notes on the vocabulary: rates of words alone, and what is said about them."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.data.vocabulary_fit import POOR_FIT, fit_notes, word_rate
from gpt2_helpers.tokenizer import Tokenizer

TINY = Tokenizer.load(BUNDLED_FOLDER)
WORDS = "The old man went down to the sea and looked at the ships. " * 10


def test_digits_symbols_and_markers_do_not_count() -> None:
    words = word_rate(WORDS, TINY)
    assert 0.2 < words < 0.4
    noisy = "".join(f"<|startoftext|>{sentence}. 12:30 😂 #!\n" for sentence in WORDS.split("."))
    assert word_rate(noisy, TINY) == pytest.approx(words, abs=0.02)


def test_another_script_has_a_high_rate() -> None:
    assert word_rate("Все счастливые семьи похожи друг на друга. " * 10, TINY) > POOR_FIT


@pytest.mark.parametrize("text", ["", "abc", "1 2 3 " * 1000])
def test_a_few_words_have_no_rate(text: str) -> None:
    assert word_rate(text, TINY) == 0.0
    assert fit_notes(1.0, 0.0) == []
