"""Limits of decoding and training."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import PRETRAINED_CONFIGS, ModelConfig
from scaling.limits import (
    Rates,
    decoding_limit,
    layer_weights,
    output_weights,
    training_flops,
)

MODEL = PRETRAINED_CONFIGS["124M"]
RATES = Rates(bandwidth=10e9, float32=100e9, bfloat16=50e9, int8=200e9)


def test_matrices_are_all_weights_except_positions_norms_and_biases() -> None:
    others = MODEL.n_ctx * MODEL.n_embd + 2 * MODEL.n_embd + MODEL.n_layer * 13 * MODEL.n_embd
    assert layer_weights(MODEL) + output_weights(MODEL) == MODEL.n_parameters - others


@pytest.mark.parametrize(("precision", "width"), [("int8", 1), ("float32", 4)])
def test_a_single_sequence_is_limited_by_bandwidth(precision: str, width: int) -> None:
    weights = layer_weights(MODEL) + output_weights(MODEL)
    limit = decoding_limit(MODEL, RATES, precision, batch=1, position=0)
    assert limit == pytest.approx(10e9 / (width * weights))


def test_a_large_batch_is_limited_by_the_matrix_rate() -> None:
    weights = layer_weights(MODEL) + output_weights(MODEL)
    limits = [decoding_limit(MODEL, RATES, "int8", batch, position=0) for batch in (64, 128)]
    assert limits == [pytest.approx(200e9 / (2 * weights))] * 2


def test_the_kv_cache_lowers_the_limit_with_the_position() -> None:
    first, middle, last = (
        decoding_limit(MODEL, RATES, "int8", batch=8, position=p) for p in (0, 512, 1024)
    )
    assert first > middle > last


def test_training_needs_6_operations_per_weight_and_token_and_more_with_recomputation() -> None:
    model = ModelConfig(n_vocab=1, n_ctx=1, n_embd=100, n_head=1, n_layer=2)
    attention, output = 2 * 2 * 100, 100
    kept = training_flops(model, batch=3, recompute=False)
    assert kept == 3 * 6 * (12 * 2 * 100**2 + attention + output)
    assert training_flops(model, batch=3, recompute=True) == pytest.approx(
        kept + 3 * 2 * (8 * 2 * 100**2 + attention)  # a layer's last matrix has 4 of its 12
    )
