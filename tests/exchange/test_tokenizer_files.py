"""Tokenizer files: the same ids as transformers, end tokens, and vocabularies that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.tokenizer_files import (
    SETTINGS_FILE,
    SPECIAL_FILE,
    TOKENIZER_FILE,
    load_tokenizer,
    save_tokenizer,
)
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from hard_strings import HARD_STRINGS
from hugging_face import GOLDEN, TEXTS, change_json, copy_model, golden
from toy import toy_tokenizer

N_VOCAB = 330  # of the golden model


def test_ids_are_those_of_transformers() -> None:
    tokenizer, expected = load_tokenizer(GOLDEN / "model", N_VOCAB, 50256), golden("model")
    for order, text in enumerate(TEXTS):
        assert tokenizer.encode(text) == expected[f"ids_{order}"].tolist()
    assert tokenizer.end_of_text == expected["end"]


def test_ids_are_those_of_tokenizers(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = toy_tokenizer()
    save_tokenizer(tokenizer, 48, tmp_path)
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / TOKENIZER_FILE))
    for text in (*HARD_STRINGS, f"What is{END_OF_TEXT}the best?"):
        ids = tokenizer.encode(text, special=True)
        assert peer.encode(text).ids == ids
        assert peer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("removed", [(), (TOKENIZER_FILE,), ("vocab.json", "merges.txt")])
def test_saved_files_are_read_back(tmp_path: Path, removed: tuple[str, ...]) -> None:
    tokenizer = toy_tokenizer()
    save_tokenizer(tokenizer, 48, tmp_path)
    for name in removed:
        (tmp_path / name).unlink()
    loaded = load_tokenizer(tmp_path, tokenizer.n_vocab)
    assert loaded.vocabulary == tokenizer.vocabulary
    assert loaded.merges == tokenizer.merges
    assert loaded.end_of_text == tokenizer.end_of_text


def test_pairs_of_merges_and_strings_are_read(tmp_path: Path) -> None:
    save_tokenizer(toy_tokenizer(), 48, tmp_path)
    path = tmp_path / TOKENIZER_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["merges"] = [merge.split(" ") for merge in content["model"]["merges"]]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert load_tokenizer(tmp_path, 1000).merges == toy_tokenizer().merges


def test_a_vocabulary_without_end_token_keeps_its_last_token_as_one(tmp_path: Path) -> None:
    toy = toy_tokenizer()
    vocabulary = dict(toy.vocabulary)
    vocabulary["</s>"] = vocabulary.pop(END_OF_TEXT)
    save_tokenizer(Tokenizer(vocabulary, toy.merges), 48, tmp_path)
    settings = json.loads((tmp_path / SETTINGS_FILE).read_text(encoding="utf-8"))
    assert settings["eos_token"] == "</s>"
    assert load_tokenizer(tmp_path, 1000).end_of_text == toy.end_of_text


# --- End tokens


def files(folder: Path, tokens: list[str], added: dict[str, int] | None = None) -> Path:
    """The toy vocabulary with more tokens, without files that name an end token."""
    toy = toy_tokenizer()
    vocabulary = {t: i for t, i in toy.vocabulary.items() if t != END_OF_TEXT}
    vocabulary |= {token: len(vocabulary) + order for order, token in enumerate(tokens)}
    save_tokenizer(toy, 48, folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    if added:
        (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    for name in (TOKENIZER_FILE, SETTINGS_FILE, SPECIAL_FILE):
        (folder / name).unlink()
    return folder


FIRST = toy_tokenizer().n_vocab - 1  # id of the first additional token


def test_the_end_token_of_the_tokenizer_comes_first(tmp_path: Path) -> None:
    files(tmp_path, [END_OF_TEXT, "</s>"])
    assert load_tokenizer(tmp_path, 1000, FIRST + 1).end_of_text == FIRST
    for name, value in ((SPECIAL_FILE, {"content": "</s>"}), (SETTINGS_FILE, "</s>")):
        (tmp_path / name).write_text(json.dumps({"eos_token": value}), encoding="utf-8")
        tokenizer = load_tokenizer(tmp_path, 1000, FIRST)
        assert tokenizer.end_of_text == FIRST + 1
        assert tokenizer.vocabulary["</s>"] == FIRST
        (tmp_path / name).unlink()


def test_the_end_token_of_the_config_comes_last(tmp_path: Path) -> None:
    files(tmp_path, ["<pad>", "<end>"])
    assert load_tokenizer(tmp_path, 1000, FIRST + 1).end_of_text == FIRST + 1
    for unusable in (None, 50256, 0, 300, "2"):  # 300 is a piece of text
        with pytest.raises(CheckpointError, match="set eos_token in tokenizer_config.json"):
            load_tokenizer(tmp_path, 1000, unusable)


def test_added_tokens_count_and_gaps_are_filled(tmp_path: Path) -> None:
    files(tmp_path, [], {END_OF_TEXT: FIRST + 2, "<beyond>": 5000})
    tokenizer = load_tokenizer(tmp_path, FIRST + 3)
    assert (tokenizer.end_of_text, tokenizer.n_vocab) == (FIRST + 2, FIRST + 3)
    assert tokenizer.decode([FIRST]) == f"<|unused{FIRST}|>"


# --- Vocabularies that are refused

DEEP: Any = []  # the file can be parsed, but neither printed nor written
for _ in range(600):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"type": "Unigram"}}, "its model is 'Unigram'"),
        ({"model": None}, "its model is None"),
        ({"model": {"type": "BPE", "byte_fallback": True}}, "byte_fallback"),
        ({"model": {"type": "BPE", "vocab": {"a": "b"}}}, "must map tokens to ids"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": ["a"]}}, "'a' is not a pair"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": [["a", 5]]}}, "is not a pair"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "its pre_tokenizer is"),
        ({"pre_tokenizer": {"type": "ByteLevel", "use_regex": False}}, "use_regex=false"),
        ({"normalizer": {"type": "Lowercase"}}, "its normalizer is"),
        ({"added_tokens": [{"id": 5}]}, "added_tokens"),
        ({"added_tokens": 5}, "added_tokens must be a list, got 5"),
        ({"added_tokens": [{"content": [], "id": 5}]}, "added_tokens"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": 5}}, "merges must be a list, got 5"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": [["a", "b c"]]}}, "white space"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": [["a\n", "b"]]}}, "white space"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": ["a "]}}, "white space"),
        ({"model": {"type": []}}, "its model is []"),
        ({"model": DEEP}, "its model is "),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": 5}}, "pretokenizers must be"),
        ({"pre_tokenizer": DEEP}, "its pre_tokenizer is "),
        ({"normalizer": {"type": "Sequence", "normalizers": 5}}, "normalizers must be a list"),
        ({"normalizer": {"type": []}}, "its normalizer is {'type': []}"),
        ({"normalizer": DEEP}, "its normalizer is "),
    ],
)
def test_other_tokenizers_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = copy_model(tmp_path / "model")
    path = folder / TOKENIZER_FILE
    content = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(folder, N_VOCAB)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "a space before"),
        ({"normalizer": {"type": "NFC"}}, "NFC"),
    ],
)
def test_small_differences_are_reported(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = copy_model(tmp_path / "model")
    change_json(folder / TOKENIZER_FILE, **change)
    with pytest.warns(UserWarning, match=message):
        load_tokenizer(folder, N_VOCAB)


def test_a_vocabulary_larger_than_the_model_is_refused() -> None:
    with pytest.raises(CheckpointError, match="the id 329, but config.json has vocab_size 300"):
        load_tokenizer(GOLDEN / "model", 300)


def test_a_missing_tokenizer_and_sentencepiece_are_reported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"the tokenizer is missing: a GPT-2 needs"):
        load_tokenizer(tmp_path, 300)
    (tmp_path / "spiece.model").touch()
    with pytest.raises(CheckpointError, match=r"spiece\.model is a SentencePiece model"):
        load_tokenizer(tmp_path, 300)
