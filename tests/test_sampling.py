"""The sampled distribution against a plain NumPy reference, and what may never be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers import sampling
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.sampling import next_ids

BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))  # the largest uniform number there is
LAST_OF_GPT2 = 50256


def drawn(logits: Any, uniforms: Any, **options: Any) -> np.ndarray:
    """Ids for rows of logits, or for one row of them that every uniform number meets."""
    uniforms = np.asarray(uniforms, np.float32)
    rows = np.broadcast_to(np.asarray(logits, np.float32), (len(uniforms), np.shape(logits)[-1]))
    ids = next_ids(tf.constant(rows), tf.constant(uniforms), SamplingConfig(**options))
    assert ids.dtype == tf.int32
    return ids.numpy()


def reference(
    logits: Any, temperature: float = 0.7, top_k: int = 0, top_p: float = 0.0
) -> np.ndarray:
    """Each id's odds, (n_vocab,), in fp64: as one would write it down, sorting everything."""
    scaled = np.asarray(logits, np.float64) / temperature
    odds = np.exp(scaled - scaled.max())
    odds /= odds.sum()
    order = np.argsort(-odds, kind="stable")
    kept = len(odds)
    if top_p > 0:
        kept = int((np.cumsum(odds[order]) - odds[order] < top_p).sum())
    elif top_k > 0:
        kept = min(top_k, len(odds))
    odds[order[kept:]] = 0
    return odds / odds.sum()


def chi_square(ids: np.ndarray, odds: np.ndarray) -> float:
    """How far counts are from their odds, in standard deviations of the chi-square statistic; ids
    that should come less than five times are counted together."""
    expected = odds * len(ids)
    counts = np.bincount(ids, minlength=len(odds)).astype(float)
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    assert not counts[expected == 0].any(), "an id was drawn that has no odds"
    expected, counts = expected[expected > 0], counts[expected > 0]
    freedom = max(1, len(expected) - 1)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return (statistic - freedom) / float(np.sqrt(2 * freedom))


# --- The distribution

TOYS = {
    "uneven": np.random.default_rng(1).normal(0, 2, 24),
    "flat": np.zeros(24),
    "peaked": np.eye(24)[7] * 9,
    "some impossible": np.where(np.arange(24) % 3, np.linspace(-1, 1, 24), -np.inf),
    "over two blocks": np.random.default_rng(2).normal(0, 2, sampling.BLOCK + 50),
    "large": np.random.default_rng(3).normal(900, 3, 24),
}
OPTIONS = [
    {"temperature": 1.0},
    {"temperature": 0.7},
    {"temperature": 3.0},
    {"temperature": 100.0},
    {"temperature": 1.0, "top_k": 1},
    {"temperature": 0.7, "top_k": 5},
    {"temperature": 1.0, "top_k": 24},
    {"temperature": 1.0, "top_k": 10**6},
    {"temperature": 1.0, "top_p": 1e-9},
    {"temperature": 1.0, "top_p": 0.3},
    {"temperature": 0.7, "top_p": 0.9},
    {"temperature": 2.0, "top_p": 0.9},
    {"temperature": 1.0, "top_p": 1.0},
    {"temperature": 1.3, "top_k": 2, "top_p": 0.8},  # top-p overrides top-k
    {"temperature": 1.0, "top_k": 2, "top_p": 1.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", TOYS)
def test_distribution_is_that_of_the_reference(name: str, options: dict[str, Any]) -> None:
    logits = TOYS[name]
    uniforms = np.random.default_rng(5).random(8000, dtype=np.float32)
    odds = reference(logits, **options)
    ids = drawn(logits, uniforms, **options)
    assert set(ids) <= set(np.flatnonzero(odds))
    assert chi_square(ids, odds) < 6


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_share_of_the_odds_has_its_share_of_the_numbers(options: dict[str, Any]) -> None:
    # Evenly spaced numbers leave nothing to chance.
    odds = reference(TOYS["uneven"], **options)
    count = 10_000
    ids = drawn(TOYS["uneven"], (np.arange(count) + 0.5) / count, **options)
    shares = np.bincount(ids, minlength=len(odds)) / count
    np.testing.assert_allclose(shares, odds, rtol=0, atol=2 / count)


def test_a_wrong_distribution_would_be_noticed() -> None:
    uniforms = np.random.default_rng(5).random(8000, dtype=np.float32)
    ids = drawn(TOYS["uneven"], uniforms, temperature=1.0)
    assert chi_square(ids, reference(TOYS["uneven"], temperature=1.1)) > 6
    ids = drawn(TOYS["uneven"], uniforms, temperature=1.0, top_p=0.9)
    assert chi_square(ids, reference(TOYS["uneven"], temperature=1.0)) > 6


# --- The edges


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", TOYS)
def test_no_number_leaves_what_may_be_drawn(name: str, options: dict[str, Any]) -> None:
    ids = drawn(TOYS[name], [0.0, 0.5, BELOW_ONE], **options)
    assert (reference(TOYS[name], **options)[ids] > 0).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", [{"top_k": 40}, {"top_p": 0.95}], ids=str)
def test_the_largest_number_never_falls_behind_the_last_candidate(
    seed: int, options: dict[str, Any]
) -> None:
    # Many sums that were rounded in many ways.
    logits = np.random.default_rng(seed).normal(0, 4, (200, 3000)).astype(np.float32)
    ids = drawn(logits, np.full(200, BELOW_ONE), temperature=1.0, **options)
    for index, row in zip(ids, logits, strict=True):
        # A little more than p, since the last candidate is one of several nearly as likely.
        slack = {name: value * (1 + 1e-5) for name, value in options.items() if name == "top_p"}
        assert reference(row, 1.0, **{**options, **slack})[index] > 0


def test_temperature_zero_takes_the_likeliest_and_of_equals_the_first() -> None:
    logits = np.array([[1.0, 3.0, 2.0], [5.0, -1.0, 5.0], [-np.inf, -np.inf, -9.0]])
    for number in (0.0, BELOW_ONE):
        for options in ({}, {"top_k": 2}, {"top_p": 0.9}):
            ids = drawn(logits, [number] * 3, temperature=0.0, **options)
            assert ids.tolist() == [1, 0, 2]


@pytest.mark.parametrize("temperature", [1e-4, 1e-30, 5e-324])
@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.9}], ids=str)
def test_a_temperature_near_zero_takes_the_likeliest_too(
    temperature: float, options: dict[str, Any]
) -> None:
    logits = np.random.default_rng(5).normal(0, 50, (40, 30))
    numbers = np.random.default_rng(6).random(40)
    ids = drawn(logits, numbers, temperature=temperature, **options)
    assert ids.tolist() == logits.argmax(-1).tolist()


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.5}, {"top_p": 1.0}], ids=str)
def test_the_only_possible_id_is_drawn_wherever_it_stands(options: dict[str, Any]) -> None:
    places = [0, 1, 255, 256, 511, 512, 599]
    logits = np.full((len(places), 600), -np.inf)
    logits[np.arange(len(places)), places] = -40.0
    for number in (0.0, 0.3, BELOW_ONE):
        assert drawn(logits, [number] * len(places), **options).tolist() == places


# --- A vocabulary as large as GPT-2's


@pytest.mark.parametrize("options", [{}, {"top_k": 4}, {"top_p": 0.95}, {"top_p": 1.0}], ids=str)
def test_the_last_ids_of_a_large_vocabulary_get_their_odds(options: dict[str, Any]) -> None:
    logits = np.full(LAST_OF_GPT2 + 1, -30.0)
    logits[-6:] = [1.0, 0.0, 2.0, 1.5, -1.0, 0.5]
    odds = reference(logits, temperature=1.0, **options)
    count = 200
    ids = drawn(logits, (np.arange(count) + 0.5) / count, temperature=1.0, **options)
    shares = np.bincount(ids, minlength=len(odds)) / count
    np.testing.assert_allclose(shares, odds, rtol=0, atol=2 / count)


def test_a_large_flat_vocabulary_is_drawn_evenly_to_its_ends() -> None:
    n_vocab, count = LAST_OF_GPT2 + 1, 400
    ids = drawn(np.zeros(n_vocab), (np.arange(count) + 0.5) / count, temperature=1.0)
    np.testing.assert_allclose(ids, (np.arange(count) + 0.5) / count * n_vocab, atol=2)
    edges = drawn(np.zeros(n_vocab), [0.0, BELOW_ONE], temperature=1.0)
    assert edges[0] == 0
    assert edges[1] > n_vocab - 3


@pytest.mark.parametrize(
    ("spread", "top_p"), [(0.0, 0.5), (0.0, 0.99), (1.0, 0.7), (3.0, 0.9), (6.0, 0.9)]
)
def test_a_nucleus_larger_than_the_first_candidates_is_whole(spread: float, top_p: float) -> None:
    logits = np.random.default_rng(7).normal(0, 1, 5000) * spread
    odds = reference(logits, temperature=1.0, top_p=top_p)
    uniforms = np.random.default_rng(8).random(400, dtype=np.float32)
    uniforms[:2] = 0.0, BELOW_ONE
    ids = drawn(logits, uniforms, temperature=1.0, top_p=top_p)
    # Of ids that are equally likely in fp32, another may be the last one in.
    inside = np.flatnonzero(reference(logits, temperature=1.0, top_p=top_p * (1 + 1e-4)))
    assert set(ids) <= set(inside)
    # The numbers fall evenly into ranks from the likeliest to the least likely of the nucleus.
    order = np.argsort(-odds, kind="stable")
    cumulated = np.zeros(len(odds))
    cumulated[order] = np.cumsum(odds[order])
    np.testing.assert_allclose(cumulated[ids], uniforms, rtol=0, atol=odds.max() + 1e-4)


def test_nuclei_of_every_size_are_drawn_from_side_by_side() -> None:
    sizes = [1, 100, *(size + 1 for size in sampling.NUCLEUS_CANDIDATES), 4000]
    logits = np.full((len(sizes), 5000), -50.0)
    for row, size in enumerate(sizes):
        logits[row, 5000 - size :] = 0.0
    ids = drawn(logits, np.full(len(sizes), BELOW_ONE), temperature=1.0, top_p=0.999999)
    assert ids.tolist() == [4999] * len(sizes)
    ids = drawn(logits, np.zeros(len(sizes)), temperature=1.0, top_p=0.999999)
    assert ids.tolist() == [5000 - size for size in sizes]


# --- Rows


@pytest.mark.parametrize("options", [{}, {"top_k": 7}, {"top_p": 0.9}], ids=str)
def test_a_rows_choice_does_not_depend_on_its_neighbours(options: dict[str, Any]) -> None:
    random = np.random.default_rng(9)
    # Peaked rows beside flat ones, which need more candidates.
    logits = random.normal(0, 1, (12, 3000)) * random.uniform(0.1, 8, (12, 1))
    uniforms = random.random(12)
    together = drawn(logits, uniforms, **options)
    backwards = drawn(logits[::-1], uniforms[::-1], **options)[::-1]
    alone = [
        drawn(row[None], [number], **options)[0]
        for row, number in zip(logits, uniforms, strict=True)
    ]
    assert together.tolist() == backwards.tolist() == alone


def test_the_same_options_serve_batches_and_vocabularies_of_every_size() -> None:
    for rows, n_vocab in ((1, 1), (3, 7), (2, sampling.BLOCK), (5, sampling.BLOCK + 1)):
        logits = np.zeros((rows, n_vocab))
        for options in ({}, {"top_k": 3}, {"top_p": 0.5}):
            ids = drawn(logits, np.full(rows, BELOW_ONE), temperature=1.0, **options)
            size = {"top_k": min(3, n_vocab), "top_p": -(-n_vocab // 2)}
            last = size[next(iter(options))] if options else n_vocab
            assert ids.tolist() == [last - 1] * rows


def test_options_are_read_anew_at_each_call() -> None:
    # What was compiled for one temperature must not answer for another.
    count = 1000
    numbers = (np.arange(count) + 0.5) / count
    for temperature, top_p in ((0.5, 0.0), (2.0, 0.0), (0.5, 0.7), (2.0, 0.7), (2.0, 0.4)):
        options: dict[str, Any] = {"temperature": temperature, "top_p": top_p}
        shares = np.bincount(drawn(TOYS["uneven"], numbers, **options), minlength=24) / count
        np.testing.assert_allclose(
            shares, reference(TOYS["uneven"], **options), rtol=0, atol=2 / count
        )
