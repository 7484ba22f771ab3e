"""Hugging Face's tokenizer files of a GPT-2: byte-level BPE in `tokenizer.json`, or in `vocab.json`
and `merges.txt`."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

from gpt2_helpers.errors import CheckpointError, brief_repr
from gpt2_helpers.exchange.config_json import read_object, to_json
from gpt2_helpers.system.files import atomic_write_text
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode, read_merges

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILES = ("vocab.json", "merges.txt")
SETTINGS_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
_ADDED_FILE = "added_tokens.json"

# The split into words that GPT-2 uses, `WORD_PATTERN`, is that of ByteLevel with use_regex.
_SPACE = re.compile(r"[ \n\r]")  # separates the tokens and the lines of merges.txt
_BYTE_LEVEL = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}


def save_tokenizer(tokenizer: Tokenizer, n_ctx: int, folder: Path) -> None:
    """Write all of a tokenizer's files.

    Args:
        tokenizer: The tokenizer.
        n_ctx: The model's context length.
        folder: An existing folder.

    Raises:
        OSError: A file cannot be written.
    """
    end = next(t for t, index in tokenizer.vocabulary.items() if index == tokenizer.end_of_text)
    # A merge as one string is read by every release of tokenizers, unlike a pair.
    merges = [f"{left} {right}" for left, right in tokenizer.merges]
    added = {"id": tokenizer.end_of_text, "content": end, "special": True}
    added |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added],
        "normalizer": None,
        "pre_tokenizer": {**_BYTE_LEVEL, "add_prefix_space": False},
        "post_processor": {**_BYTE_LEVEL, "add_prefix_space": True, "trim_offsets": False},
        "decoder": {**_BYTE_LEVEL, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": tokenizer.vocabulary,
            "merges": merges,
        },
    }
    special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)
    settings = {
        "tokenizer_class": "GPT2Tokenizer",
        "model_max_length": n_ctx,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        **special,
    }
    texts = {
        TOKENIZER_FILE: to_json(content),
        "vocab.json": json.dumps(tokenizer.vocabulary, ensure_ascii=False),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]),
        SETTINGS_FILE: to_json(settings),
        SPECIAL_FILE: to_json(special),
    }
    for name, text in texts.items():
        atomic_write_text(folder / name, text)


def load_tokenizer(folder: Path, n_vocab: int, eos_id: object = None) -> Tokenizer:
    """Read the tokenizer of a model in Hugging Face's layout.

    The token that ends a text gets the name `<|endoftext|>`; its id does not change.

    Args:
        folder: The model's folder.
        n_vocab: Number of ids that the model has; tokens that were added beyond it are dropped.
        eos_id: Id of the end token in `config.json`, used if the tokenizer's files do not name one.

    Returns:
        The tokenizer.

    Raises:
        CheckpointError: It is missing, damaged, not byte-level BPE, or has no end token.
    """
    if (folder / TOKENIZER_FILE).is_file():
        tokens, merges, added = _read_tokenizer_json(folder / TOKENIZER_FILE)
    else:
        tokens, merges, added = _read_vocabulary(folder)
    numbers = set(tokens.values())
    tokens |= {t: index for t, index in added.items() if index < n_vocab and index not in numbers}
    numbers = set(tokens.values())
    if max(numbers, default=0) >= n_vocab:
        raise CheckpointError(
            f"{folder}: the tokenizer has the id {max(numbers)}, but config.json has vocab_size "
            f"{n_vocab}: the files belong to different models"
        )
    # Ids between the tokens and the added ones, which no text contains.
    tokens |= {f"<|unused{i}|>": i for i in range(max(numbers, default=0)) if i not in numbers}
    _name_end_token(folder, tokens, merges, eos_id)
    try:
        return Tokenizer(dict(sorted(tokens.items(), key=lambda pair: pair[1])), merges)
    except CheckpointError as error:
        message = str(error).replace("encoder.json", "the vocabulary")
        raise CheckpointError(f"{folder}: {message.replace('vocab.bpe', 'the merges')}") from None


Vocabulary = tuple[dict[str, int], list[tuple[str, str]], dict[str, int]]  # tokens, merges, added


def _read_tokenizer_json(path: Path) -> Vocabulary:
    content = read_object(path)
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        kind = model.get("type") if isinstance(model, dict) else model
        raise _not_byte_level(path, f"its model is {brief_repr(kind)}")
    for option in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "dropout"):
        if model.get(option):
            raise _not_byte_level(path, f"it has the option {option}")
    _check_splitting(path, content)
    tokens = _ids(model.get("vocab"), path)
    merges = []
    for merge in _list_in(path, model, "merges"):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or [type(token) for token in pair] != [str, str]:
            raise CheckpointError(f"{path}: {brief_repr(merge)} is not a pair of tokens")
        if any(not token or _SPACE.search(token) for token in pair):
            # Byte-level BPE writes spaces as other characters; merges.txt could not hold them.
            raise CheckpointError(f"{path}: the merge {brief_repr(merge)} contains white space")
        merges.append((pair[0], pair[1]))
    try:
        added = {entry["content"]: entry["id"] for entry in _list_in(path, content, "added_tokens")}
    except (TypeError, KeyError):
        raise CheckpointError(f"{path}: added_tokens must have a content and an id") from None
    return tokens, merges, _ids(added, path)


def _list_in(path: Path, values: dict[str, Any], name: str) -> list[Any]:
    """A list in a JSON object; empty if it is missing or null."""
    found = values.get(name)
    if found is not None and not isinstance(found, list):
        raise CheckpointError(f"{path}: {name} must be a list, got {brief_repr(found)}")
    return found or []


def _check_splitting(path: Path, content: dict[str, Any]) -> None:
    """Check that text is split into words as GPT-2 does."""
    splitter = content.get("pre_tokenizer")
    parts = [splitter]
    if isinstance(splitter, dict) and splitter.get("type") == "Sequence":
        parts = _list_in(path, splitter, "pretokenizers")
    if len(parts) != 1 or not isinstance(parts[0], dict) or parts[0].get("type") != "ByteLevel":
        raise _not_byte_level(path, f"its pre_tokenizer is {brief_repr(splitter)}")
    if not parts[0].get("use_regex", True):
        raise _not_byte_level(path, "its pre_tokenizer has use_regex=false")
    if parts[0].get("add_prefix_space"):
        warnings.warn(
            f"{path}: this tokenizer puts a space before each text, which is not done here: the "
            "first token of a text can differ",
            stacklevel=2,
        )
    normalizer = content.get("normalizer")
    steps = [normalizer] if normalizer else []
    if isinstance(normalizer, dict) and normalizer.get("type") == "Sequence":
        steps = _list_in(path, normalizer, "normalizers")
    kinds = [step.get("type") if isinstance(step, dict) else step for step in steps]
    if any(kind != "NFC" for kind in kinds):
        raise _not_byte_level(path, f"its normalizer is {brief_repr(normalizer)}")
    if kinds:
        warnings.warn(
            f"{path}: this tokenizer converts text to Unicode's NFC, which is not done here: "
            "convert texts with combining characters first",
            stacklevel=2,
        )


def _not_byte_level(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: only byte-level BPE with GPT-2's word pattern can be imported, but {reason}"
    )


def _read_vocabulary(folder: Path) -> Vocabulary:
    vocabulary, merges = (folder / name for name in VOCABULARY_FILES)
    if not (vocabulary.is_file() and merges.is_file()):
        other = next(iter(sorted(folder.glob("*.model"))), None)
        reason = f"{other.name} is a SentencePiece model" if other else "the tokenizer is missing"
        raise CheckpointError(
            f"{folder}: {reason}: a GPT-2 needs {TOKENIZER_FILE}, or vocab.json and merges.txt"
        )
    tokens = _ids(read_object(vocabulary), vocabulary)
    added = folder / _ADDED_FILE
    return tokens, read_merges(merges), _ids(read_object(added), added) if added.is_file() else {}


def _ids(values: object, path: Path) -> dict[str, int]:
    if not isinstance(values, dict) or not all(
        isinstance(token, str) and type(index) is int and index >= 0
        for token, index in values.items()
    ):
        raise CheckpointError(f"{path} must map tokens to ids")
    return dict(values)


def _name_end_token(
    folder: Path, tokens: dict[str, int], merges: list[tuple[str, str]], eos_id: object
) -> None:
    """Give the end token the name `<|endoftext|>`, and that name's token the end token's."""
    end = _end_token(folder, tokens, merges, eos_id)
    other = tokens.get(END_OF_TEXT)
    tokens[END_OF_TEXT] = tokens.pop(end)
    if other is not None and end != END_OF_TEXT:
        tokens[end] = other


def _end_token(
    folder: Path, tokens: dict[str, int], merges: list[tuple[str, str]], eos_id: object
) -> str:
    """The end token that the tokenizer's files name, else `<|endoftext|>`, else that of the config.

    The config comes last, because many models of other languages have GPT-2's 50256 there.
    """
    for path in (folder / SETTINGS_FILE, folder / SPECIAL_FILE):
        named = read_object(path).get("eos_token") if path.is_file() else None
        if isinstance(named, dict):
            named = named.get("content")
        if isinstance(named, str) and named in tokens:
            return named
    if END_OF_TEXT in tokens:
        return END_OF_TEXT
    text_tokens = {left + right for left, right in merges} | set(bytes_to_unicode().values())
    for token, index in tokens.items():
        if index == eos_id and token not in text_tokens:
            return token
    raise CheckpointError(
        f"{folder} does not name the token that ends a text: set eos_token in {SETTINGS_FILE}"
    )
