"""engine/detokenizer.js returns Python's text for the same tokens, and the same stop."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gpt2_helpers.generation.detokenizer import StreamingDetokenizer
from javascript import run_javascript

CODE = """
import { StreamingDetokenizer } from "./static/engine/detokenizer.js";
function main(cases) {
  return cases.map(({ prefix, stops, tokens }) => {
    const detokenizer = new StreamingDetokenizer(prefix, stops);
    const segments = [];
    for (const token of tokens) {
      detokenizer.add(Uint8Array.from(token));
      segments.push(detokenizer.nextSegment());
      if (detokenizer.isFinished) break;
    }
    if (!detokenizer.isFinished) {
      detokenizer.finalize();
      segments.push(detokenizer.nextSegment());
    }
    return [segments, detokenizer.isBlank, detokenizer.text];
  });
}
"""
PIECES = [
    *["aba", "ab", "a", "\n", " ", "é", "日本", "👩", "<|endof", "text|>", "<|", "stop", "\u0085"],
    *["\ufeff", "\x1c", "END"],
]


def expected(case: dict[str, Any]) -> list[Any]:
    detokenizer = StreamingDetokenizer(case["prefix"], *case["stops"])
    segments = []
    for token in case["tokens"]:
        detokenizer.add(bytes(token))
        segments.append(detokenizer.next_segment())
        if detokenizer.is_finished:
            break
    if not detokenizer.is_finished:
        detokenizer.finalize()
        segments.append(detokenizer.next_segment())
    return [segments, detokenizer.is_blank, detokenizer.text]


def test_segments_are_those_of_python(tmp_path: Path) -> None:
    numbers = random.Random(7)
    cases = []
    for number in range(600):
        raw = "".join(numbers.choices(PIECES, k=8)).encode()
        if number % 10 == 0:
            raw += bytes(numbers.choices([0xE9, 0x80, 0xF0, 0x41], k=3))  # not UTF-8
        tokens = []
        while raw:
            size = numbers.randint(1, 4)
            tokens.append(list(raw[:size]))
            raw = raw[size:]
        prefix = numbers.choice(["", "\nOnce", "x"])
        stops = numbers.choice([[], ["END"], ["\n\n", "abab"], ["é", "日"], ["aab", "op"]])
        cases.append({"prefix": prefix, "stops": stops, "tokens": tokens})
    assert run_javascript(tmp_path, CODE, cases) == [expected(case) for case in cases]
