"""The arithmetic of benchmarks/growth.py: limits, shares, tables. Nothing is timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.config import SIZES, ModelConfig
from growth_curve import Curve, Point, Series, markdown
from growth_limits import (
    Rates,
    decoding_limit,
    layer_weights,
    output_weights,
    training_flops,
)
from growth_text import lines
from growth_topics import windows

MODEL = SIZES["124M"]
RATES = Rates(bandwidth=10e9, float32=100e9, bfloat16=50e9, int8=200e9)


def test_the_matrices_are_all_weights_but_positions_norms_and_biases() -> None:
    others = MODEL.n_ctx * MODEL.n_embd + 2 * MODEL.n_embd + MODEL.n_layer * 13 * MODEL.n_embd
    assert layer_weights(MODEL) + output_weights(MODEL) == MODEL.n_parameters - others


@pytest.mark.parametrize(("precision", "width"), [("int8", 1), ("float32", 4)])
def test_a_single_row_is_held_up_by_reading_the_weights(precision: str, width: int) -> None:
    weights = layer_weights(MODEL) + output_weights(MODEL)
    limit = decoding_limit(MODEL, RATES, precision, batch=1, position=0)
    assert limit == pytest.approx(10e9 / (width * weights))


def test_many_rows_are_held_up_by_multiplying() -> None:
    weights = layer_weights(MODEL) + output_weights(MODEL)
    limits = [decoding_limit(MODEL, RATES, "int8", batch, position=0) for batch in (64, 128)]
    assert limits == [pytest.approx(200e9 / (2 * weights))] * 2


def test_keys_and_values_lower_the_limit_the_further_a_text_goes() -> None:
    first, middle, last = (
        decoding_limit(MODEL, RATES, "int8", batch=8, position=p) for p in (0, 512, 1024)
    )
    assert first > middle > last


def test_a_training_step_takes_six_for_each_weight_and_token_and_more_if_computed_twice() -> None:
    model = ModelConfig(n_vocab=1, n_ctx=1, n_embd=100, n_head=1, n_layer=2)
    attention, output = 2 * 2 * 100, 100
    kept = training_flops(model, batch=3, recompute=False)
    assert kept == 3 * 6 * (12 * 2 * 100**2 + attention + output)
    assert training_flops(model, batch=3, recompute=True) == pytest.approx(
        kept + 3 * 2 * (8 * 2 * 100**2 + attention)  # a layer's last matrix has 4 of its 12
    )


def test_steps_become_speeds_by_the_window() -> None:
    steps = [0.5] * 64 + [0.25] * 63 + [9.0]  # one long step is no matter for the median
    first, second = windows(2, [steps, steps], "int8", RATES)
    assert (first.x, first.rounds, second.x, second.rounds) == (64, [4, 4], 128, [8, 8])
    assert first.limit > second.limit


def test_shares_are_of_the_best_that_there_could_be() -> None:
    point = Point(1, [5.0, 4.0, 9.0], limit=10.0)
    assert Curve("", "", "", "", []).share(point) == 0.5
    assert Curve("", "", "", "", [], less_is_better=True).share(point) == 2.0


def test_a_table_has_a_row_a_point_and_survives_json() -> None:
    points = [Point(1, [20.0, 10.0, 60.0], 80.0), Point(64, [1234.5], 2469.0)]
    curve = Curve("Batch size", "batch size", "tokens/s", "memory", [Series("int8", points)])
    found = {"machine": "a machine", "date": "today", "notes": ["a rate"]}
    text = markdown({"decoding": {**found, "curves": [curve.as_json()]}})
    assert "| 1 | int8 | 20 | 10 to 60 | 80 | 25% |" in text
    assert "| 64 | int8 | 1,234 | one round | 2,469 | 50% |" in text
    assert "| share of the limit |" in text
    assert Curve.from_json(curve.as_json()) == curve


def test_memory_stands_beside_an_estimate_not_a_limit() -> None:
    line = Series("kept", [Point(1, [2.0], 1.5)])
    curve = Curve("", "layers", "GB", "what is estimated", [line], less_is_better=True)
    text = markdown({"t": {"machine": "", "date": "", "notes": [], "curves": [curve.as_json()]}})
    assert "| estimate | estimate / measured |" in text
    assert "| 1 | kept | 2 | one round | 1.5 | 75% |" in text


def test_the_text_brings_new_words_but_fewer_and_fewer() -> None:
    words = [f"word{number}" for number in range(20_000)]
    drawn = []
    for line in lines(words):
        drawn += line.lower().replace(",", "").replace(".", "").split()
        if len(drawn) > 40_000:
            break
    first, second = set(drawn[:20_000]), set(drawn[:40_000])
    assert 1_000 < len(first) < len(second) < 1.8 * len(first)


def test_pictures_are_drawn(tmp_path: Path) -> None:
    drawing = pytest.importorskip("growth_drawing", reason="pictures need matplotlib")
    points = [Point(x, [x * 10.0], x * 20.0) for x in (1, 8, 64)]
    curves = [
        Curve(f"{x}: {y}", x, y, "limit", [Series("one", points)])
        for x in ("layers", "batch size")
        for y in ("s/step", "GB")
    ]
    drawing.draw(curves, tmp_path / "training.png")
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
