"""Fractions of a limit, tables and JSON."""

from __future__ import annotations

from scaling.curve import Curve, Point, Series, markdown


def test_fraction_of_the_limit() -> None:
    point = Point(1, [5.0, 4.0, 9.0], limit=10.0)
    assert Curve("", "", "", "", []).fraction(point) == 0.5
    assert Curve("", "", "", "", [], lower_is_better=True).fraction(point) == 2.0


def test_a_table_has_a_row_per_point_and_json_round_trips() -> None:
    points = [Point(1, [20.0, 10.0, 60.0], 80.0), Point(64, [1234.5], 2469.0)]
    curve = Curve("Batch size", "batch size", "tokens/s", "memory", [Series("int8", points)])
    found = {"machine": "a machine", "date": "today", "notes": ["a rate"]}
    text = markdown({"decoding": {**found, "curves": [curve.as_json()]}})
    assert "| 1 | int8 | 20 | 10 to 60 | 80 | 25% |" in text
    assert "| 64 | int8 | 1,234 | one round | 2,469 | 50% |" in text
    assert "| fraction of the limit |" in text
    assert Curve.from_json(curve.as_json()) == curve


def test_memory_is_compared_with_an_estimate() -> None:
    line = Series("kept", [Point(1, [2.0], 1.5)])
    curve = Curve("", "layers", "GB", "the estimate", [line], lower_is_better=True)
    text = markdown({"t": {"machine": "", "date": "", "notes": [], "curves": [curve.as_json()]}})
    assert "| estimate | estimate / measured |" in text
    assert "| 1 | kept | 2 | one round | 1.5 | 75% |" in text
