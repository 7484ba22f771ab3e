"""engine/sequence.js turns logits into the texts of Python's running batch: prompts, sampling, stop
strings, sentence ends, penalties and the sliding window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig, SamplingConfig
from gpt2_helpers.generation.batch import ContinuousBatch, Sequence
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.prompts import encode_prompt
from gpt2_helpers.tokenizer import Tokenizer
from javascript import run_javascript

ROWS, N_CTX = 64, 24
CODE = """
import { encodePrompt } from "./static/engine/prompts.js";
import { Sequence } from "./static/engine/sequence.js";
import { Tokenizer } from "./static/engine/tokenizer.js";
function main({ folder, rows, nCtx, cases }) {
  const read = (name) => readFileSync(`${folder}/${name}`, "utf-8");
  const tokenizer = Tokenizer.parse(read("encoder.json"), read("vocab.bpe"));
  const file = readFileSync("logits.bin");
  const { size } = tokenizer;
  const all = new Float32Array(file.buffer, file.byteOffset, rows * size);
  return cases.map(({ prompt, prefix, suffix, options, seed, sample }) => {
    const encoded = encodePrompt(tokenizer, prompt, prefix, suffix);
    const own = { ...options, prompt_prefix: prefix, prompt_suffix: suffix };
    const sequence = new Sequence(tokenizer, nCtx, encoded, own, seed, sample);
    const segments = [];
    for (;;) {
      const ids = sequence.context;
      const row = (ids.at(-1) + ids.length - 1) % rows;
      const { segment, reason } = sequence.accept(all.subarray(row * size, (row + 1) * size));
      if (segment) segments.push(segment);
      if (reason) return [segments, sequence.nTokens, reason, sequence.ignoredTokens];
    }
  });
}
"""
PROMPTS = [
    "Once upon a time", "", "\n\nIt was", '"Who is there?" asked the', "A" * 200 + " b",
    "<|startoftext|>The garden", "über naïve 日本 👩", "He said: (so",
]  # fmt: skip
OPTIONS: list[dict[str, Any]] = [
    {"temperature": 1.0},
    {"temperature": 0.0},
    {"temperature": 0.7, "top_k": 40, "finish_sentence": True},
    {"temperature": 1.3, "top_p": 0.9, "finish_sentence": True},
    {"temperature": 1.0, "truncate": (" th", "\n", "é")},
    {"temperature": 1.0, "repetition_penalty": 1.5, "presence_penalty": 0.5},
    {"temperature": 1.0, "frequency_penalty": -0.3, "no_repeat_ngram_size": 2},
    {"temperature": 1.0, "no_repeat_ngram_size": 1},
    {"temperature": 1.0, "banned_words": ("e", " an", "The"), "top_k": 100},
    {"temperature": 1.0, "logit_bias": {" the": 3.0, "12": -100.0, " was not": 50.0, ".": 1.5}},
    {"temperature": 1.0, "include_prefix": False, "min_p": 0.02},
]
AROUND = [
    ("", ""),
    ("<|startoftext|>", ""),
    ("<|startoftext|>", "\n<|completion|>\n"),
    ("The ", ""),
]


class RowDecoder(Decoder):
    """Logits that depend on the newest id and on its position."""

    def __init__(self, config: ModelConfig, rows: np.ndarray) -> None:
        super().__init__(config, 1, config.n_ctx)
        self._rows = rows

    @property
    def weights(self) -> Any:
        raise NotImplementedError

    def _prefill_chunk(self, row: int, ids: Any, start: int, max_tokens: int | None) -> int:
        return len(ids)

    def _logits(self, ids: Any, positions: Any) -> Any:
        return self._rows[(ids + positions) % ROWS]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(BUNDLED_FOLDER)


def random_rows(tokenizer: Tokenizer) -> np.ndarray:
    """Logits that make sentences, quotes, lines, incomplete characters and ends frequent."""
    numbers = np.random.default_rng(5)
    rows = (2.0 * numbers.standard_normal((ROWS, tokenizer.n_vocab))).astype(np.float32)
    for text, amount in {".": 7, " The": 7, "\n": 4, '"': 2, "!": 3, " the": 2, "(": 1}.items():
        (token,) = tokenizer.encode(text)
        rows[:, token] += amount
    rows[:, tokenizer.end_of_text] += 3
    for byte in "é日👩".encode():
        rows[:, tokenizer.encode_bytes(bytes([byte]))] += 2
    return rows


def expected(tokenizer: Tokenizer, rows: np.ndarray, case: dict[str, Any]) -> list[Any]:
    prompt = encode_prompt(tokenizer, case["prompt"], case["prefix"], case["suffix"])
    options = {key: value for key, value in case["options"].items() if key != "maxNewTokens"}
    config = replace(
        SamplingConfig(),
        **options,
        prompt_prefix=case["prefix"],
        prompt_suffix=case["suffix"],
        length=len(prompt.ids) + case["options"]["maxNewTokens"],
    )
    shape = ModelConfig(n_vocab=tokenizer.n_vocab, n_ctx=N_CTX, n_embd=8, n_head=1, n_layer=1)
    batch = ContinuousBatch(RowDecoder(shape, rows), tokenizer)
    sequence = Sequence(0, prompt.text, prompt.ids, config, case["seed"], case["sample"])
    batch.add(sequence)
    segments = []
    while batch.n_active:
        batch.prefill()
        for chunk in batch.step():
            if chunk.text:
                segments.append(chunk.text)
            if chunk.result is not None:
                result = chunk.result
                return [segments, result.n_tokens, result.finish_reason, result.ignored_tokens]
    raise AssertionError("no result")


def test_texts_are_those_of_python(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = random_rows(tokenizer)
    rows.tofile(tmp_path / "logits.bin")
    cases = [
        {
            "prompt": PROMPTS[number % len(PROMPTS)],
            "prefix": AROUND[number % len(AROUND) if number % 3 == 0 else 0][0],
            "suffix": AROUND[number % len(AROUND) if number % 3 == 0 else 0][1],
            "options": {**OPTIONS[number % len(OPTIONS)], "maxNewTokens": 1 + 7 * number % 90},
            "seed": number % 5,
            "sample": number % 4,
        }
        for number in range(132)
    ]
    value = {"folder": str(BUNDLED_FOLDER), "rows": ROWS, "nCtx": N_CTX, "cases": cases}
    found = run_javascript(tmp_path, CODE, value)
    reasons, ignored = set(), set()
    for case, texts in zip(cases, found, strict=True):
        assert texts == expected(tokenizer, rows, case), case
        reasons.add(texts[2])
        ignored.add(texts[3])
    assert len(ignored) > 1
    assert reasons == {"stop", "sentence", "length"}
