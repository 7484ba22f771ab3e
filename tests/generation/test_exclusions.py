"""N-grams, banned words and logit bias against references that search the whole history."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.exclusions import BannedWords, LogitBias, NoRepeatNgrams
from gpt2_helpers.generation.token_table import token_table
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
TABLE = token_table(TOKENIZER)
PROMPT = TOKENIZER.encode("What is the best of the rest")
ZEROS = np.zeros(TOKENIZER.n_vocab + 3, np.float32)  # a model may have more ids


def excluded(processor: NoRepeatNgrams | BannedWords) -> set[int]:
    """The ids that a processor excludes next."""
    logits = ZEROS.copy()
    processor.apply(logits)
    assert set(logits) <= {0.0, -np.inf}
    return set(np.flatnonzero(logits == -np.inf).tolist())


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_no_ngram_occurs_twice(size: int) -> None:
    random = np.random.default_rng(size)
    history = random.integers(0, 4, 6).tolist()
    processor = NoRepeatNgrams(size, history)
    for _ in range(60):
        ngrams = {tuple(history[start : start + size]) for start in range(len(history) - size + 1)}
        ending = tuple(history[len(history) - size + 1 :])
        expected = {token for token in range(len(ZEROS)) if (*ending, token) in ngrams}
        assert excluded(processor) == expected
        history.append(int(random.integers(0, 4)))
        processor.append(history[-1])


def test_an_ngram_longer_than_the_history_is_not_excluded() -> None:
    assert excluded(NoRepeatNgrams(5, [1, 1, 1])) == set()
    assert excluded(NoRepeatNgrams(1, [])) == set()


@pytest.mark.parametrize(
    "words",
    [["the"], [" the best"], ["e"], ["est", "of th", "日本"], ["aa", "aab"], ["What is that"]],
)
def test_no_banned_text_is_completed_by_any_token(words: list[str]) -> None:
    processor = BannedWords(words, TABLE, PROMPT)
    text = TOKENIZER.decode_bytes(PROMPT)
    following = [*"aaab ", *" the bes", "日", "本", " of", " t", "h", "What", " is", " t", "ha"]
    for token in TOKENIZER.encode("".join(following)):
        expected = {
            index
            for index, added in enumerate(TOKENIZER.tokens)
            for word in words
            if index != TOKENIZER.end_of_text
            # Occurrences that end within the added bytes.
            and word.encode() in (text + added)[len(text) - len(word.encode()) + 1 :]
        }
        assert excluded(processor) == expected
        text += TOKENIZER.tokens[token]
        processor.append(token)


def test_the_end_of_text_token_is_never_banned() -> None:
    assert TOKENIZER.end_of_text not in excluded(BannedWords(["end", "|"], TABLE, PROMPT))


def test_ids_without_a_token_have_no_text() -> None:
    processor = BannedWords(["ab"], TABLE, TOKENIZER.encode("a"))
    processor.append(TOKENIZER.n_vocab + 1)
    assert TOKENIZER.encode("b")[0] in excluded(processor)


def test_a_bias_is_added_to_ids_and_texts() -> None:
    best, the = TOKENIZER.encode(" best")[0], TOKENIZER.encode(" the")[0]
    biases = {"7": 2.5, " best": -1.0, str(best): 0.25, " the bestx": 4.0, " thex": 1.0}
    processor = LogitBias(biases, TOKENIZER, TOKENIZER.encode("What is the"))
    x = TOKENIZER.encode("x")[0]
    expected = ZEROS.copy()
    expected[7], expected[best], expected[x] = 2.5, -0.75, 1.0
    logits = ZEROS.copy()
    processor.apply(logits)
    np.testing.assert_array_equal(logits, expected)
    processor.append(best)
    processor.apply(logits := ZEROS.copy())
    expected[x] = 4.0
    np.testing.assert_array_equal(logits, expected)
    processor.append(the)
    processor.apply(logits := ZEROS.copy())
    expected[x] = 1.0
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("text", ["9999", "9" * 30])
def test_a_bias_of_an_unknown_id_is_an_error(text: str) -> None:
    with pytest.raises(OptionError, match="token ids must be between 0 and"):
        LogitBias({text: 1.0}, TOKENIZER, [])
