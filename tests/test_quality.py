"""Quality is not traded for speed: what fewer bits may cost, on the bundled model.

`benchmarks/quality.py` measures the same, with all of the demo's steps, and prints it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import quality
from gpt2_helpers.checkpoint import load_model
from gpt2_helpers.config import BUNDLED_FOLDER, SamplingConfig
from gpt2_helpers.generation import stream
from gpt2_helpers.model import GPT2
from gpt2_helpers.tokenizer import Tokenizer

STEPS = 6  # of the demo's 300, which take minutes


@pytest.fixture(scope="module")
def model() -> GPT2:
    return load_model(BUNDLED_FOLDER)


@pytest.fixture(scope="module")
def in_full(model: GPT2) -> float:
    """The perplexity that 32 bits reach."""
    return quality.perplexity(model, quality.held_out_ids(), "float32")


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "int8"])
def test_decoding_with_fewer_bits_predicts_as_well(
    model: GPT2, in_full: float, precision: str
) -> None:
    found = quality.perplexity(model, quality.held_out_ids(), precision)
    # Lower by a little it may be: rounding flattens odds, which helps on a text unlike the novels.
    assert -0.02 < quality.change(found, in_full) < 0.01


def test_finetuning_with_fewer_bits_learns_as_well(tmp_path: Path) -> None:
    losses = {
        precision: quality.finetuned_loss(precision, tmp_path, STEPS)
        for precision in quality.TRAINING
    }
    assert losses["float32"] < 3.5  # 3.12 was measured
    assert losses["float32"] != losses["bfloat16"]
    assert abs(quality.change(losses["bfloat16"], losses["float32"])) < 0.01


def test_texts_in_8_bits_are_the_same_whatever_the_batch_size(model: GPT2) -> None:
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    model.decoding_precision = "int8"
    written = {}
    for batch_size in (1, 3, 7):
        config = SamplingConfig(length=40, nsamples=7, batch_size=batch_size, top_p=0.9, seed=5)
        texts = list(stream(model, tokenizer, "It was late in", config))
        written[batch_size] = sorted(texts, key=lambda text: text.index)
    assert len({str(text) for text in written[1]}) == 7
    assert written[1] == written[3] == written[7]
