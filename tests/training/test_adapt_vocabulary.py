"""Replacing a model's vocabulary: embeddings of shared and of new tokens, and the folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.errors import CheckpointError, DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.training.adapt_vocabulary import adapt_vocabulary, new_embeddings
from gpt2_helpers.training.vocabulary import train_tokenizer
from toy import toy_model, toy_tokenizer
from toy_runs import SHAPE

pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")

TEXT = "Die Katze und der Hund und die Maus. Что ты думаешь об этом? the the the\n" * 30


@pytest.fixture(scope="module")
def old() -> Tokenizer:
    return toy_tokenizer()


@pytest.fixture(scope="module")
def new() -> Tokenizer:
    return train_tokenizer([TEXT], 300)


@pytest.fixture
def base(tmp_path: Path, old: Tokenizer) -> Path:
    """A model folder with the toy tokenizer."""
    folder = tmp_path / "base"
    save_model(toy_model(SHAPE), folder)
    old.save(folder)
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_shared_tokens_keep_their_embedding(old: Tokenizer, new: Tokenizer) -> None:
    embeddings = np.random.default_rng(0).normal(size=(old.n_vocab, 4)).astype(np.float32)
    found = new_embeddings(embeddings, old, new)
    assert found.shape == (300, 4)
    shared = old.vocabulary.keys() & new.vocabulary.keys()
    assert len(shared) > 256  # all bytes, and some words
    for token in shared:
        np.testing.assert_array_equal(
            found[new.vocabulary[token]], embeddings[old.vocabulary[token]]
        )
    np.testing.assert_array_equal(found[new.end_of_text], embeddings[old.end_of_text])


def test_new_tokens_start_from_the_mean_of_their_old_tokens(old: Tokenizer, new: Tokenizer) -> None:
    embeddings = np.random.default_rng(0).normal(size=(old.n_vocab, 4)).astype(np.float32)
    found = new_embeddings(embeddings, old, new)
    added = new.vocabulary.keys() - old.vocabulary.keys() - {END_OF_TEXT}
    assert added
    for token in added:
        index = new.vocabulary[token]
        pieces = old.encode_bytes(new.decode_bytes([index]))
        assert old.decode_bytes(pieces) == new.decode_bytes([index])
        np.testing.assert_allclose(found[index], embeddings[pieces].mean(axis=0), atol=1e-6)


def test_the_layers_are_kept(base: Path, text: Path, tmp_path: Path) -> None:
    adapted = adapt_vocabulary(text, tmp_path / "new", str(base), vocab_size=300)
    assert adapted.folder == tmp_path / "new"
    assert adapted.n_vocab == 300
    assert 257 < adapted.shared < 300
    assert adapted.tokens_after < adapted.tokens_before
    before, after = load_model(base), load_model(tmp_path / "new")
    assert after.config.n_vocab == Tokenizer.load(tmp_path / "new").n_vocab == 300
    for name, variable in before.variables.items():
        if name != "model/wte":
            np.testing.assert_array_equal(after.variables[name], variable)


def test_the_size_is_that_of_the_old_vocabulary_by_default(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("".join(f"word{n} " for n in range(3000)))
    assert adapt_vocabulary(path, tmp_path / "new", str(base)).n_vocab == SHAPE.n_vocab


def test_a_model_is_not_overwritten(base: Path, text: Path) -> None:
    with pytest.raises(CheckpointError, match="already contains a model: use another folder"):
        adapt_vocabulary(text, base, str(base), vocab_size=300)


def test_too_little_text(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("ab ab ab")
    with pytest.raises(DatasetError, match="the text is too short for vocab_size=400"):
        adapt_vocabulary(path, tmp_path / "new", str(base), vocab_size=400)
    assert not (tmp_path / "new").exists()


def test_validation_data_is_not_in_the_vocabulary(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha beta gamma delta " * 50)
    (folder / "b.txt").write_text("zzyzx zzyzx " * 500)
    adapt_vocabulary(
        folder, tmp_path / "new", str(base), vocab_size=262, validation_data=folder / "b.txt"
    )
    assert not any("zz" in token for token in Tokenizer.load(tmp_path / "new").vocabulary)
