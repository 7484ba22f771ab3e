"""engine/tokenizer.js gives the ids of the Python tokenizer."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

import pytest

from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.tokenizer import Tokenizer
from hard_strings import HARD_STRINGS
from javascript import run_javascript

ENCODE = """
import { Tokenizer } from "./static/engine/tokenizer.js";
function main({ encoder, bpe, texts }) {
  const tokenizer = Tokenizer.parse(readFileSync(encoder, "utf-8"), readFileSync(bpe, "utf-8"));
  const ids = texts.map((text) => tokenizer.encode(text, true));
  const bytes = [...tokenizer.tokens].map((token) => [...token]);
  return { ids, bytes, endOfText: tokenizer.endOfText };
}
"""
PIECES = [
    *["hello", " world", "don't", "we'll", "'s", "''ve", " 'm", "x's1", "I'D", " ", "  ", "\n"],
    *["\t", "\r\n", "\u00a0", "\u3000", "\x00", "\x1c", "\x85", "\ufeff", "\u200b", "12", "½"],
    *["٣", "Ⅷ", "!?", "...", "_", "€", "é", "e\u0301", "привет", "日本語", "ไทย", "👩\u200d👧"],
    *["<|endoftext|>", "<|startoftext|>", "aaaaaaaa", "=-=-=-", "\U0010fffd"],
]


def random_texts() -> list[str]:
    """Mixtures of pieces, and of any characters that this Python knows."""
    random_numbers = random.Random(1)
    known = [
        character
        for character in map(chr, range(0x20000))
        if unicodedata.category(character) not in ("Cn", "Cs")
    ]
    return [
        *("".join(random_numbers.choices(PIECES, k=12)) for _ in range(200)),
        *("".join(random_numbers.choices(known, k=20)) for _ in range(200)),
        *("".join(random_numbers.choices(" \u00a0a1'.", k=20)) for _ in range(200)),
        *("".join(random_numbers.choices("etaoin", k=400)) for _ in range(5)),
    ]


@pytest.mark.parametrize("vocabulary", ["tiny", "gpt2-vocab"])
def test_ids_are_those_of_python(
    vocabulary: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = BUNDLED_FOLDER
    if vocabulary != "tiny":
        folder = request.getfixturevalue("shared") / vocabulary
    tokenizer = Tokenizer.load(folder)
    texts = [*HARD_STRINGS, *random_texts()]
    files = {"encoder": str(folder / "encoder.json"), "bpe": str(folder / "vocab.bpe")}
    found = run_javascript(tmp_path, ENCODE, {**files, "texts": texts})
    assert found["ids"] == [tokenizer.encode(text, special=True) for text in texts]
    assert found["bytes"] == [list(token) for token in tokenizer.tokens]
    assert found["endOfText"] == tokenizer.end_of_text


def test_files_that_do_not_match_are_refused(tmp_path: Path) -> None:
    code = """
import { Tokenizer } from "./static/engine/tokenizer.js";
function main({ encoder, bpe }) {
  try {
    Tokenizer.parse(encoder, bpe);
  } catch (error) {
    return error.message;
  }
}
"""
    encoder = (BUNDLED_FOLDER / "encoder.json").read_text(encoding="utf-8")
    value = {"encoder": encoder, "bpe": "#version: 0.2\nx \u0120nonsense\n"}
    assert "does not match" in run_javascript(tmp_path, code, value)
    del (incomplete := json.loads(encoder))["A"]
    value = {"encoder": json.dumps(incomplete), "bpe": ""}
    assert "does not match" in run_javascript(tmp_path, code, value)
