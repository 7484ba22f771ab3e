"""engine/sentences.js finds the sentence ends that Python finds."""

from __future__ import annotations

import random
from pathlib import Path

from gpt2_helpers.generation.sentences import ends_sentence, sentence_ends
from hard_strings import HARD_STRINGS
from javascript import run_javascript

CODE = """
import { endsSentence, sentenceEnds } from "./static/engine/sentences.js";
function main(texts) {
  const characters = (text) => [...text].length;
  const ends = (text) => sentenceEnds(text).map((end) => characters(text.slice(0, end)));
  return texts.map((text) => [ends(text), endsSentence(text)]);
}
"""
PIECES = [
    "Mr. Fox was late", ". ", "! ", '"', "“", "”", "„", "“ ", " (", ") ", "…", ".\n", "? Oh",
    "St. ", "é.A. ", " J. K. ", "3. ", "1. One", "\n", " »", "« ", "。日本", "！」次", " she said",
    " He", ".", "I. ", "\u0085", "\u2028", ".\ufeff", "\u1362 ", " Dr.", "naïveMr. ",
    " e.g. the", "’s. ", "٣. ",
]  # fmt: skip


def test_ends_are_those_of_python(tmp_path: Path) -> None:
    numbers = random.Random(3)
    texts = [*HARD_STRINGS, *("".join(numbers.choices(PIECES, k=9)) for _ in range(1000))]
    found = run_javascript(tmp_path, CODE, texts)
    assert found == [[sentence_ends(text), ends_sentence(text)] for text in texts]
