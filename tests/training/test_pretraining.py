"""A new vocabulary, a new model, and bits per byte against the same measure taken one by one."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode
from gpt2_helpers.training.pretrain_config import PretrainConfig
from gpt2_helpers.training.pretraining import bits_per_byte, new_model, train_tokenizer
from toy import toy_model, toy_tokenizer

TEXTS = [
    "How much wood would a woodchuck chuck if a woodchuck could chuck wood?\n",
    "A woodchuck would chuck as much wood as a woodchuck could.\n\nNaïve café, 2 + 2 = 4 😀\n",
]
# In pieces of the toy tokenizer longer than the toy model's context, and with wide characters.
LONG = "What is the best thing that people would ever have to start? Ça va, the café 😀 and you."
SHORT = "the end."

needs_tokenizers = pytest.mark.skipif(
    importlib.util.find_spec("tokenizers") is None,
    reason="training a vocabulary needs the package tokenizers, which is not installed",
)


# -- The vocabulary ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    return train_tokenizer(TEXTS, 290)


def test_a_new_vocabulary_has_the_wanted_size(trained: Tokenizer) -> None:
    assert trained.n_vocab == len(trained.vocabulary) == 290
    assert trained.end_of_text == trained.vocabulary[END_OF_TEXT] == 289
    assert set(bytes_to_unicode().values()) < trained.vocabulary.keys()


@pytest.mark.parametrize("text", [*TEXTS, "Wholly другие words: 日本語\x00", ""])
def test_a_new_vocabulary_encodes_every_text(trained: Tokenizer, text: str) -> None:
    assert trained.decode(trained.encode(text)) == text


def test_a_new_vocabulary_has_learnt_its_text(trained: Tokenizer) -> None:
    text = "".join(TEXTS)
    assert len(trained.encode(text)) < len(text.encode()) / 2
    assert len(trained.encode(" woodchuck")) < len(" woodchuck") / 2
    assert len(trained.encode("hdsfqzjk")) == len("hdsfqzjk")


@needs_tokenizers
def test_the_most_frequent_pair_comes_first() -> None:
    learnt = train_tokenizer(["xy xy xy xyz ab ab"], 258)
    assert learnt.encode("xyz ab") == [
        256,
        *(learnt.vocabulary[character] for character in ("z", "Ġ", "a", "b")),
    ]


def test_the_same_text_gives_the_same_vocabulary(trained: Tokenizer) -> None:
    again = train_tokenizer(iter(TEXTS), 290)
    assert again.vocabulary == trained.vocabulary
    assert again.encode(TEXTS[0]) == trained.encode(TEXTS[0])


def test_a_new_vocabulary_is_saved_and_loaded(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.vocabulary == trained.vocabulary
    for text in TEXTS:
        assert again.encode(text) == trained.encode(text)


@needs_tokenizers
def test_bytes_alone_are_a_vocabulary() -> None:
    smallest = train_tokenizer(TEXTS, 257)
    assert smallest.encode("wood") == [smallest.vocabulary[letter] for letter in "wood"]
    assert smallest.end_of_text == 256


@needs_tokenizers
@pytest.mark.parametrize("texts", [["too little"], [""], []])
def test_too_little_text_for_so_many_pieces(texts: list[str]) -> None:
    with pytest.raises(DatasetError, match=r"only \d+ pieces.*vocab_size=5000") as caught:
        train_tokenizer(texts, 5000)
    # The size that it names is one that this text can have.
    size = int(str(caught.value).split()[-1])
    assert train_tokenizer(texts, size).n_vocab == size


# -- The first weights -------------------------------------------------------------------------


def test_a_new_model_has_the_wanted_shape() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=16, n_embd=32, n_layer=2, n_head=4)
    model = new_model(config, seed=1)
    assert model.config == ModelConfig(300, 16, 32, 4, 2)
    assert sum(math.prod(v.shape) for v in model.variables.values()) == model.config.n_parameters
    assert model.logits([[1, 2, 3]]).shape == (1, 3, 300)


def test_the_seed_makes_the_weights() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=8, n_embd=16, n_layer=1, n_head=2)
    first, again, other = (new_model(config, seed).variables for seed in (1, 1, 2))
    for name, variable in first.items():
        np.testing.assert_array_equal(variable.numpy(), again[name].numpy())
    assert not np.array_equal(first["model/wte"].numpy(), other["model/wte"].numpy())


# -- Bits per byte -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return toy_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> GPT2:
    return toy_model(ModelConfig(tokenizer.n_vocab, n_ctx=12, n_embd=16, n_head=2, n_layer=2))


def one_by_one(model: GPT2, ids: list[int], text: str, sees: list[int]) -> float:
    """Bits per byte, each id but the first predicted by itself from the `sees` ids before it."""
    bits = 0.0
    for position in range(1, len(ids)):
        before = ids[position - sees[position] : position]
        scores = np.asarray(model.logits([before]))[0, -1].astype(np.float64)
        odds = np.exp(scores - scores.max())
        bits -= np.log2(odds[ids[position]] / odds.sum())
    return float(bits) / len(text.encode("utf-8"))


@pytest.mark.parametrize("text", [SHORT, LONG, "é", "a"])
def test_each_token_from_all_that_the_context_holds(
    model: GPT2, tokenizer: Tokenizer, text: str
) -> None:
    ids = [tokenizer.end_of_text, *tokenizer.encode(text)]
    n_ctx = model.config.n_ctx
    assert (len(ids) > 3 * n_ctx) == (text == LONG)
    sees = [min(position, n_ctx) for position in range(len(ids))]
    expected = one_by_one(model, ids, text, sees)
    assert bits_per_byte(model, tokenizer, text, stride=1) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stride", [None, 1, 5, 6, 12])
def test_each_token_from_what_the_stride_leaves_it(
    model: GPT2, tokenizer: Tokenizer, stride: int | None
) -> None:
    ids = [tokenizer.end_of_text, *tokenizer.encode(LONG)]
    n_ctx = model.config.n_ctx
    # The first n_ctx from the start on; then by strides, which end where n_ctx ids are seen.
    sees = list(range(n_ctx + 1))
    while len(sees) < len(ids):
        count = min(stride or n_ctx // 2, len(ids) - len(sees))
        sees += range(n_ctx - count + 1, n_ctx + 1)
    expected = one_by_one(model, ids, LONG, sees)
    assert bits_per_byte(model, tokenizer, LONG, stride) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stride", [None, 7, 12])
@pytest.mark.parametrize("length", [1, 12, 13, 24, 31])
def test_each_token_once_at_every_length(
    model: GPT2, tokenizer: Tokenizer, length: int, stride: int | None
) -> None:
    """Where all ids are equally likely, the bits count the predictions."""
    weights = {name: np.zeros(variable.shape) for name, variable in model.variables.items()}
    indifferent = GPT2(model.config, weights)
    text = "z" * length  # a piece each
    expected = math.log2(tokenizer.n_vocab)
    assert bits_per_byte(indifferent, tokenizer, text, stride) == pytest.approx(expected)


def test_bytes_and_not_characters_are_counted(model: GPT2, tokenizer: Tokenizer) -> None:
    weights = {name: np.zeros(variable.shape) for name, variable in model.variables.items()}
    indifferent = GPT2(model.config, weights)
    per_piece = math.log2(tokenizer.n_vocab)
    assert len(tokenizer.encode("😀")) == 4
    assert bits_per_byte(indifferent, tokenizer, "😀") == pytest.approx(per_piece)
    assert len(tokenizer.encode(" people")) == 1
    assert bits_per_byte(indifferent, tokenizer, " people") == pytest.approx(per_piece / 7)


def test_no_text_has_no_bits_per_byte(model: GPT2, tokenizer: Tokenizer) -> None:
    with pytest.raises(DatasetError, match="needs some text"):
        bits_per_byte(model, tokenizer, "")


@pytest.mark.parametrize("stride", [0, -1, 13])
def test_a_stride_outside_the_context_is_refused(
    model: GPT2, tokenizer: Tokenizer, stride: int
) -> None:
    with pytest.raises(OptionError, match=f"between 1 and the context of 12, got {stride}"):
        bits_per_byte(model, tokenizer, "some text", stride)
