"""Training a vocabulary: its size, its merges, and round trips through it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode
from gpt2_helpers.training.vocabulary import train_tokenizer

TEXTS = [
    "How much wood would a woodchuck chuck if a woodchuck could chuck wood?\n",
    "A woodchuck would chuck as much wood as a woodchuck could.\n\nNaïve café, 2 + 2 = 4 😀\n",
]

needs_tokenizers = pytest.mark.skipif(
    importlib.util.find_spec("tokenizers") is None,
    reason="training a vocabulary needs the package tokenizers, which is not installed",
)


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    return train_tokenizer(TEXTS, 290)


def test_vocabulary_has_the_requested_size(trained: Tokenizer) -> None:
    assert trained.n_vocab == len(trained.vocabulary) == 290
    assert trained.end_of_text == trained.vocabulary[END_OF_TEXT] == 289
    assert set(bytes_to_unicode().values()) < trained.vocabulary.keys()


@pytest.mark.parametrize("text", [*TEXTS, "Wholly другие words: 日本語\x00", ""])
def test_any_text_round_trips(trained: Tokenizer, text: str) -> None:
    assert trained.decode(trained.encode(text)) == text


def test_frequent_words_become_few_tokens(trained: Tokenizer) -> None:
    text = "".join(TEXTS)
    assert len(trained.encode(text)) < len(text.encode()) / 2
    assert len(trained.encode(" woodchuck")) < len(" woodchuck") / 2
    assert len(trained.encode("hdsfqzjk")) == len("hdsfqzjk")


@needs_tokenizers
def test_most_frequent_pair_is_merged_first() -> None:
    tokenizer = train_tokenizer(["xy xy xy xyz ab ab"], 258)
    assert tokenizer.encode("xyz ab") == [
        256,
        *(tokenizer.vocabulary[character] for character in ("z", "Ġ", "a", "b")),
    ]


def test_training_is_deterministic(trained: Tokenizer) -> None:
    again = train_tokenizer(iter(TEXTS), 290)
    assert again.vocabulary == trained.vocabulary
    assert again.encode(TEXTS[0]) == trained.encode(TEXTS[0])


def test_saved_vocabulary_loads_unchanged(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.vocabulary == trained.vocabulary
    for text in TEXTS:
        assert loaded.encode(text) == trained.encode(text)


@needs_tokenizers
def test_smallest_vocabulary_has_only_bytes() -> None:
    smallest = train_tokenizer(TEXTS, 257)
    assert smallest.encode("wood") == [smallest.vocabulary[letter] for letter in "wood"]
    assert smallest.end_of_text == 256


@needs_tokenizers
@pytest.mark.parametrize("texts", [["too little"], [""], []])
def test_text_too_short_for_the_vocabulary_size(texts: list[str]) -> None:
    with pytest.raises(DatasetError, match=r"for vocab_size=5000: .* only \d+ tokens") as caught:
        train_tokenizer(texts, 5000)
    # The suggested size works for this text.
    size = int(str(caught.value).split()[-1])
    assert train_tokenizer(texts, size).n_vocab == size
