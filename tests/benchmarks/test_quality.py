"""How much quality lower precision may cost, on the bundled model.

`benchmarks/quality.py` measures the same on more text and with all of the demo's steps.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import quality
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import BUNDLED_FOLDER, SamplingConfig
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import Tokenizer

STEPS = 6  # of the demo's 300, which take minutes
BATCH_SIZE = 2  # of the demo's 8
ROWS, LENGTH = 4, 128  # texts of each kind, and tokens of each: half a context


@pytest.fixture(scope="module")
def model() -> GPT2:
    return load_model(BUNDLED_FOLDER)


@pytest.fixture(scope="module", params=["its own texts", "stories"])
def passage(request: pytest.FixtureRequest, model: GPT2) -> tuple[str, NDArray[np.int32], float]:
    """The text to predict: its name, its ids, and the perplexity with 32 bits."""
    own = request.param == "its own texts"
    ids = quality.own_ids(model, ROWS, LENGTH) if own else quality.held_out_ids(ROWS)[:, :LENGTH]
    return request.param, ids, quality.perplexity(model, ids, "float32")


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "int8"])
def test_decoding_with_fewer_bits_keeps_the_perplexity(
    model: GPT2, passage: tuple[str, NDArray[np.int32], float], precision: str
) -> None:
    name, ids, fp32 = passage
    change = quality.change(quality.perplexity(model, ids, precision), fp32)
    assert change < 0.01
    # The stories are unlike the training data, so rounding may help by chance there.
    assert change > (-0.01 if name == "its own texts" else -0.02)


def test_finetuning_with_fewer_bits_reaches_the_same_loss(tmp_path: Path) -> None:
    losses = {
        precision: quality.finetuned_loss(precision, tmp_path, STEPS, BATCH_SIZE)
        for precision in quality.TRAINING
    }
    assert losses["float32"] < 3.5  # 3.12 was measured
    assert losses["float32"] != losses["bfloat16"]
    assert abs(quality.change(losses["bfloat16"], losses["float32"])) < 0.01


def test_8_bit_texts_do_not_depend_on_the_batch_size(model: GPT2) -> None:
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    model.decoding_precision = "int8"
    decoders, written = DecoderPool(model), {}
    for batch_size in (1, 3, 7):
        config = SamplingConfig(length=40, nsamples=7, batch_size=batch_size, top_p=0.9, seed=5)
        results = generate(decoders, tokenizer, "It was late in", config)
        written[batch_size] = list(in_order(results))
    assert len({str(text) for text in written[1]}) == 7
    assert written[1] == written[3] == written[7]
