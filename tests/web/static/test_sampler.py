"""engine/sampler.js chooses the ids that Python chooses from the same logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.sampling import sample_next_tokens, top_k
from javascript import run_javascript

CODE = """
import { highest, sampleNextToken } from "./static/engine/sampler.js";
function main({ rows, vocabulary, options, uniforms }) {
  const file = readFileSync("logits.bin");
  const all = new Float32Array(file.buffer, file.byteOffset, rows * vocabulary);
  const row = (at) => all.subarray(at * vocabulary, (at + 1) * vocabulary);
  const sample = (own) => uniforms.map((uniform, at) => sampleNextToken(row(at), uniform, own));
  return {
    ids: options.map(sample),
    highest: uniforms.map((_, at) => highest(row(at), 5)),
  };
}
"""
OPTIONS: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"temperature": 1.0},
    {"temperature": 0.7, "top_k": 40},
    {"temperature": 1.3, "top_k": 1},
    {"temperature": 1.0, "top_k": 2000},
    {"temperature": 0.9, "top_p": 0.5},
    {"temperature": 1.0, "top_p": 0.9, "top_k": 3},
    {"temperature": 2.0, "top_p": 0.999},
    {"temperature": 1.0, "top_p": 1.0, "top_k": 3},
    {"temperature": 1e-9},
    {"temperature": 1.0, "min_p": 0.1},
    {"temperature": 1.5, "min_p": 0.01, "top_p": 0.8},
    {"temperature": 1.0, "typical_p": 0.3},
    {"temperature": 1.0, "typical_p": 0.9, "top_k": 50, "min_p": 0.001},
]


@pytest.mark.parametrize(("vocabulary", "rows"), [(4096, 60), (50_257, 8), (300, 60), (3, 20)])
def test_ids_are_those_of_python(vocabulary: int, rows: int, tmp_path: Path) -> None:
    numbers = np.random.default_rng(vocabulary)
    logits = (3.0 * numbers.standard_normal((rows, vocabulary))).astype(np.float32)
    logits[0, 1:] = -np.inf  # one id is left
    logits[1] = 0.0  # all are equal
    logits[2] = np.round(logits[2])  # some are equal
    uniforms = numbers.random(rows, np.float32)
    uniforms[:2] = 0.0, np.float32(1 - 2.0**-24)
    logits.tofile(tmp_path / "logits.bin")
    value = {"rows": rows, "vocabulary": vocabulary, "options": OPTIONS}
    found = run_javascript(tmp_path, CODE, {**value, "uniforms": uniforms.tolist()})
    for options, ids in zip(OPTIONS, found["ids"], strict=True):
        config = replace(SamplingConfig(), **options)
        assert ids == sample_next_tokens(logits, uniforms, config).tolist(), options
    values, _ = top_k(logits, min(5, vocabulary))
    for row, ids in enumerate(found["highest"]):
        assert logits[row, ids].tolist() == sorted(values[row].tolist(), reverse=True)
