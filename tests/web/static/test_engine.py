"""engine/engine.js scores texts in Python's windows, and refuses what the server refuses."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.evaluation.scoring import Scorer
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.schemas import last_part
from javascript import run_javascript

N_CTX = 10
ENGINE = """
import { Engine, lastPart } from "./static/engine/engine.js";
import { explained } from "./static/engine/errors.js";
import { Tokenizer } from "./static/engine/tokenizer.js";
function engineOf(folder, logits) {
  const read = (name) => readFileSync(`${folder}/${name}`, "utf-8");
  const tokenizer = Tokenizer.parse(read("encoder.json"), read("vocab.bpe"));
  const decoder = { contextSize: 10, logits: (ids) => logits(ids, tokenizer) };
  return new Engine(tokenizer, decoder, { prompt_prefix: "", prompt_suffix: "" }, {}, () => {});
}
"""
SCORE = """
async function main({ folder, texts }) {
  const found = [];
  for (const text of texts) {
    const contexts = [];
    const engine = engineOf(folder, (ids, { size }) => {
      contexts.push(ids);
      return new Float32Array(size);
    });
    await engine.score(text);
    found.push(contexts);
  }
  return found;
}
"""
LAST_PARTS = """
function main(cases) {
  return cases.map(([text, limit]) => lastPart(text, limit));
}
"""
PROMPTS = """
async function main({ folder }) {
  const seen = [];
  const engine = engineOf(folder, (ids, { size }) => {
    seen.push(ids);
    return new Float32Array(size);
  });
  engine.model = { prompt_prefix: "<|startoftext|>", prompt_suffix: "\\n<|completion|>\\n" };
  await engine.complete({ text: "What", max_new_tokens: 1, temperature: 0 });
  return seen;
}
"""
BIAS = """
async function main({ folder, entries }) {
  const engine = engineOf(folder, (ids, { size }) => new Float32Array(size));
  const bias = Object.fromEntries(entries.map(([text, number]) => [text, Number(number)]));
  try {
    const texts = [];
    const request = { prefix: "The", max_new_tokens: 1, logit_bias: bias };
    for await (const event of engine.stream(request)) {
      texts.push(event);
    }
    return "";
  } catch (error) {
    return explained(error, 6e6).message;
  }
}
"""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(BUNDLED_FOLDER)


def contexts_of(tokenizer: Tokenizer, text: str) -> list[list[int]]:
    """What Python's scorer shows the model before each token."""
    decoders: Any = SimpleNamespace(
        model=SimpleNamespace(config=SimpleNamespace(n_ctx=N_CTX), decoding_precision="float32")
    )
    scorer = Scorer(decoders, tokenizer)
    return [
        list(window.ids[:at])
        for window in scorer._windows(scorer._encode(text, False))
        for at in range(*window.scored)
    ]


def test_a_text_is_scored_in_the_windows_of_python(tokenizer: Tokenizer, tmp_path: Path) -> None:
    words = tokenizer.decode(range(300, 340))
    texts = [words[:size] for size in (1, 30, 50, 90, 140, len(words))]
    value = {"folder": str(BUNDLED_FOLDER), "texts": texts}
    found = run_javascript(tmp_path, ENGINE + SCORE, value)
    assert found == [contexts_of(tokenizer, text) for text in texts]
    assert len(found[-1]) > 3 * N_CTX


def test_completions_use_the_part_of_a_text_that_the_server_uses(tmp_path: Path) -> None:
    numbers = random.Random(2)
    text = "".join(numbers.choices("ab 👩é", k=60))
    cases = [(text[:size], limit) for size in (0, 5, 6, 7, 20, 21, 60) for limit in (1, 2, 6, 20)]
    found = run_javascript(tmp_path, ENGINE + LAST_PARTS, cases)
    assert found == [last_part(*case) for case in cases]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("99999", "1"), "logit_bias: token ids must be between 0 and"),
        (("word", "no number"), 'a number from -100 to 100 each, such as "word=2"'),
        (("word", "101"), "got 101"),
        (("", "5"), ""),
        (("word", "-100"), ""),
    ],
)
def test_a_bias_that_the_server_refuses_is_named(
    tmp_path: Path, entry: tuple[str, str], message: str
) -> None:
    value = {"folder": str(BUNDLED_FOLDER), "entries": [entry]}
    found = run_javascript(tmp_path, ENGINE + BIAS, value)
    assert message in found
    assert bool(message) == bool(found)
    assert "memory" not in found


def test_suggestions_continue_the_prompt_itself(tokenizer: Tokenizer, tmp_path: Path) -> None:
    seen = run_javascript(tmp_path, ENGINE + PROMPTS, {"folder": str(BUNDLED_FOLDER)})
    whole = tokenizer.encode("<|startoftext|>What")
    assert seen == [whole if len(whole) <= N_CTX else whole[-(N_CTX // 2) :]]
