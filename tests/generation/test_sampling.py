"""The sampled distribution against a simple NumPy reference, and ids that must not be sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation import sampling
from gpt2_helpers.generation.sampling import (
    MAX_REJECTIONS,
    TOP_P_CANDIDATES,
    sample_next_tokens,
    sample_next_tokens_by_row,
)
from gpt2_helpers.system import device

BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))  # the largest number in [0, 1)
LAST_OF_GPT2 = 50256


def sample(logits: Any, uniform_samples: Any, **options: Any) -> np.ndarray:
    """Ids for rows of logits, or for a single row with each of the random numbers."""
    uniform_samples = np.asarray(uniform_samples, np.float32)
    rows = np.broadcast_to(
        np.asarray(logits, np.float32), (len(uniform_samples), np.shape(logits)[-1])
    )
    ids = sample_next_tokens(rows, uniform_samples, SamplingConfig(**options))
    assert ids.dtype == np.int32
    return ids


def reference(
    logits: Any,
    temperature: float = 0.7,
    top_k: int = 0,
    top_p: float = 0.0,
    min_p: float = 0.0,
    typical_p: float = 0.0,
) -> np.ndarray:
    """Each id's probability (n_vocab) in fp64, computed by sorting the vocabulary."""
    scaled = np.asarray(logits, np.float64) / temperature
    probabilities = np.exp(scaled - scaled.max())
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    kept = len(probabilities)
    if top_p > 0:
        kept = int((np.cumsum(probabilities[order]) - probabilities[order] < top_p).sum())
    elif top_k > 0:
        kept = min(top_k, len(probabilities))
    probabilities[order[kept:]] = 0
    probabilities[probabilities < min_p * probabilities.max()] = 0
    probabilities /= probabilities.sum()
    if 0 < typical_p < 1:
        with np.errstate(divide="ignore"):
            surprise = -np.log(probabilities)
        entropy = sum(p * s for p, s in zip(probabilities, surprise, strict=True) if p > 0)
        distance = abs(surprise - entropy)
        total, order = 0.0, np.argsort(distance, kind="stable")
        for token in order:
            total += probabilities[token]
            if total >= typical_p:
                break
        probabilities[distance > distance[token] + 1e-9] = 0
    return probabilities / probabilities.sum()


def chi_square(ids: np.ndarray, probabilities: np.ndarray) -> float:
    """How far the counts of ids are from their probabilities, in standard deviations of the
    chi-square statistic. Ids with fewer than five expected counts are counted together."""
    expected = probabilities * len(ids)
    counts = np.bincount(ids, minlength=len(probabilities)).astype(float)
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    assert not counts[expected == 0].any(), "an id of probability 0 was sampled"
    expected, counts = expected[expected > 0], counts[expected > 0]
    freedom = max(1, len(expected) - 1)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return (statistic - freedom) / float(np.sqrt(2 * freedom))


def test_each_row_is_sampled_with_its_own_config() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (9, 200)).astype(np.float32)
    uniform_samples = random.random(9, np.float32)
    kinds: list[dict[str, Any]] = [{"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.5}]
    configs = [SamplingConfig(**kinds[row % 3], seed=row) for row in range(9)]
    ids = sample_next_tokens_by_row(logits, uniform_samples, configs)
    alone = [
        sample_next_tokens(logits[row : row + 1], uniform_samples[row : row + 1], configs[row])[0]
        for row in range(9)
    ]
    assert ids.tolist() == alone


# --- The distribution

TOYS = {
    "uneven": np.random.default_rng(1).normal(0, 2, 24),
    "flat": np.zeros(24),
    "peaked": np.eye(24)[7] * 9,
    "some impossible": np.where(np.arange(24) % 3, np.linspace(-1, 1, 24), -np.inf),
    "hundreds": np.random.default_rng(2).normal(0, 2, 300),
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
    {"temperature": 1.0, "min_p": 0.05},
    {"temperature": 2.0, "min_p": 0.3},
    {"temperature": 1.0, "min_p": 1.0},
    {"temperature": 1.0, "min_p": 1e-60},  # zero in fp32
    {"temperature": 1.0, "min_p": 0.01, "top_k": 5},
    {"temperature": 1.0, "min_p": 0.02, "top_p": 0.8},
    {"temperature": 1.0, "typical_p": 0.9},
    {"temperature": 0.7, "typical_p": 0.2},
    {"temperature": 1.0, "typical_p": 0.5, "top_k": 9},
    {"temperature": 1.5, "typical_p": 0.6, "top_p": 0.95, "min_p": 0.001},
    {"temperature": 1.0, "typical_p": 1.0},
]


def random_numbers(seed: int, count: int = 8000) -> np.ndarray:
    return np.random.default_rng(seed).random(count, dtype=np.float32)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", TOYS)
def test_the_distribution_is_the_references(
    monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    # All rows have the same logits, so what min-p and typical-p leave of them is computed once.
    original = sampling._candidates
    known: list[Any] = []

    def candidates(*arguments: Any) -> Any:
        if not known:
            known.append(original(*arguments))
        return known[0]

    monkeypatch.setattr(sampling, "_candidates", candidates)
    probabilities = reference(TOYS[name], **options)
    ids = sample(TOYS[name], random_numbers(5), **options)
    assert set(ids) <= set(np.flatnonzero(probabilities))
    assert chi_square(ids, probabilities) < 6


@pytest.mark.parametrize("first", [0.0, 0.5, 1 - 8000 / 2**24])
def test_consecutive_random_numbers_give_independent_ids(first: float) -> None:
    # Consecutive multiples of NumPy's resolution, which differ only in their last bits.
    numbers = (first + np.arange(8000) / 2**24).astype(np.float32)
    ids = sample(TOYS["uneven"], numbers, temperature=1.0)
    probabilities = reference(TOYS["uneven"], temperature=1.0)
    assert chi_square(ids, probabilities) < 6
    # An id is also independent of those some steps later.
    for step in (1, 2, 16, 256):
        pairs = ids[:-step] * len(probabilities) + ids[step:]
        assert chi_square(pairs, np.outer(probabilities, probabilities).ravel()) < 6


def test_a_wrong_distribution_would_be_detected() -> None:
    ids = sample(TOYS["uneven"], random_numbers(5), temperature=1.0)
    assert chi_square(ids, reference(TOYS["uneven"], temperature=1.1)) > 6
    ids = sample(TOYS["uneven"], random_numbers(5), temperature=1.0, top_p=0.9)
    assert chi_square(ids, reference(TOYS["uneven"], temperature=1.0)) > 6


# --- Extreme values


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", TOYS)
def test_extreme_random_numbers_give_possible_ids(name: str, options: dict[str, Any]) -> None:
    ids = sample(TOYS[name], [0.0, 0.5, BELOW_ONE], **options)
    assert (reference(TOYS[name], **options)[ids] > 0).all()


def test_temperature_zero_takes_the_likeliest_id_and_the_first_of_equal_ones() -> None:
    logits = np.array([[1.0, 3.0, 2.0], [5.0, -1.0, 5.0], [-np.inf, -np.inf, -9.0]])
    for number in (0.0, BELOW_ONE):
        for options in ({}, {"top_k": 2}, {"top_p": 0.9}):
            ids = sample(logits, [number] * 3, temperature=0.0, **options)
            assert ids.tolist() == [1, 0, 2]


def test_temperature_zero_divides_nothing_by_zero() -> None:
    with np.errstate(all="raise"):
        assert sample([[1.0, 3.0, 2.0]], [0.5], temperature=0.0).tolist() == [1]


@pytest.mark.parametrize("others", [{"min_p": 0.001}, {"typical_p": 0.9}], ids=str)
def test_top_k_1_takes_the_likeliest_id_whatever_else_is_set(others: dict[str, Any]) -> None:
    logits, numbers = [[1.0, 1.3, 1.2]] * 50, np.linspace(0, 0.99, 50)
    ids = sample(logits, numbers, temperature=1.0, top_k=1, **others)
    assert set(ids.tolist()) == {1}


@pytest.mark.parametrize("temperature", [1e-4, 1e-30, 5e-324])
@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.9}], ids=str)
def test_a_temperature_near_zero_takes_the_likeliest_id(
    temperature: float, options: dict[str, Any]
) -> None:
    logits = np.random.default_rng(5).normal(0, 50, (40, 30))
    numbers = np.random.default_rng(6).random(40)
    ids = sample(logits, numbers, temperature=temperature, **options)
    assert ids.tolist() == logits.argmax(-1).tolist()


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.5}, {"top_p": 1.0}], ids=str)
def test_the_only_possible_id_is_sampled_wherever_it_is(options: dict[str, Any]) -> None:
    positions = [0, 1, 255, 256, 511, 512, 599]
    logits = np.full((len(positions), 600), -np.inf)
    logits[np.arange(len(positions)), positions] = -40.0
    for number in (0.0, 0.3, BELOW_ONE):
        assert sample(logits, [number] * len(positions), **options).tolist() == positions


# --- A vocabulary as large as GPT-2's


@pytest.mark.parametrize("options", [{}, {"top_k": 4}, {"top_p": 0.95}, {"top_p": 1.0}], ids=str)
def test_the_last_ids_of_a_large_vocabulary_are_sampled_correctly(options: dict[str, Any]) -> None:
    logits = np.full(LAST_OF_GPT2 + 1, -30.0)
    logits[-6:] = [1.0, 0.0, 2.0, 1.5, -1.0, 0.5]
    ids = sample(logits, random_numbers(6, count=400), temperature=1.0, **options)
    assert chi_square(ids, reference(logits, temperature=1.0, **options)) < 6


def test_a_large_uniform_vocabulary_is_sampled_evenly() -> None:
    n_vocab = LAST_OF_GPT2 + 1
    ids = sample(np.zeros(n_vocab), random_numbers(7, count=400), temperature=1.0)
    assert chi_square(ids * 20 // n_vocab, np.full(20, 1 / 20)) < 6
    assert len(set(ids)) > 390


@pytest.mark.parametrize(
    ("spread", "top_p"), [(0.0, 0.04), (0.0, 0.5), (0.0, 0.99), (1.0, 0.7), (3.0, 0.9), (6.0, 0.9)]
)
def test_a_nucleus_larger_than_the_candidates_is_complete(spread: float, top_p: float) -> None:
    logits = np.random.default_rng(7).normal(0, 1, 5000) * spread
    probabilities = reference(logits, temperature=1.0, top_p=top_p)
    ids = sample(logits, random_numbers(8, count=400), temperature=1.0, top_p=top_p)
    # Of ids that are equally likely in fp32, a different one may be the last of the nucleus.
    inside = np.flatnonzero(reference(logits, temperature=1.0, top_p=top_p * (1 + 1e-4)))
    assert set(ids) <= set(inside)
    # Each twentieth of the nucleus, from likely to unlikely ids, gets its share.
    order = np.argsort(-probabilities, kind="stable")
    below = np.zeros(len(probabilities))
    below[order] = np.cumsum(probabilities[order]) - probabilities[order] / 2
    parts = (below * 20).astype(int)
    shares = np.bincount(parts, weights=probabilities, minlength=20)
    assert chi_square(parts[ids], shares) < 6


def test_after_many_rejections_the_nucleus_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def outside(weights: np.ndarray, _numbers: np.ndarray) -> np.ndarray:
        tries.append(weights)
        return np.array([weights.shape[-1] - 1])

    monkeypatch.setattr(sampling, "_sample_all", outside)
    logits = np.linspace(0, -1, 5000)
    ids = sample(logits, random_numbers(8, count=400), temperature=1.0, top_p=0.3)
    assert len(tries) == 400 * MAX_REJECTIONS
    shares = reference(logits, temperature=1.0, top_p=0.3)
    assert set(ids) <= set(np.flatnonzero(shares))
    parts = np.arange(5000) // 100
    assert chi_square(parts[ids], np.bincount(parts, weights=shares)) < 6


@pytest.mark.parametrize("candidates", [8, 4, 2], ids="{} candidates".format)
@pytest.mark.parametrize("rejections", [MAX_REJECTIONS, 0], ids="{} rejections".format)
@pytest.mark.parametrize(
    ("weights", "top_p", "nucleus"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], 0.5, [0, 1, 2, 3]),  # exactly; of equal ids the first ones
        ([1, 0, 1, 0, 1, 0, 1, 0], 0.75, [0, 2, 4]),
        ([1, 1, 1, 1, 1, 1, 1, 1], 0.51, [0, 1, 2, 3, 4]),  # with the one that crosses it
        ([1, 2, 1, 2, 1, 2, 1, 2], 0.7, [0, 1, 3, 5, 7]),
        ([1, 2, 1, 2, 1, 2, 1, 2], 0.8, [0, 1, 2, 3, 5, 7]),
        ([8, 4, 2, 1, 1, 0, 0, 0], 0.9, [0, 1, 2, 3]),
    ],
)
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(
    monkeypatch: pytest.MonkeyPatch,
    weights: list[int],
    top_p: float,
    nucleus: list[int],
    rejections: int,
    candidates: int,
) -> None:
    """Also at the end of the candidates, when ids are rejected, and when all are sorted."""
    monkeypatch.setattr(sampling, "TOP_P_CANDIDATES", candidates)
    monkeypatch.setattr(sampling, "MAX_REJECTIONS", rejections)
    with np.errstate(divide="ignore"):
        logits = np.log(weights)
    ids = sample(logits, random_numbers(16, count=400), temperature=1.0, top_p=top_p)
    assert sorted(set(ids.tolist())) == nucleus


@pytest.mark.parametrize("size", [1, 100, TOP_P_CANDIDATES + 1, 2049, 4000])
def test_nuclei_of_different_sizes_in_one_batch(size: int) -> None:
    # Each row is batched with rows whose nuclei are smaller or larger.
    sizes = [size, 1, 300, 4999]
    logits = np.full((100, len(sizes), 5000), -50.0)
    for row, certain in enumerate(sizes):
        logits[:, row, 5000 - certain :] = 0.0
    ids = sample(
        logits.reshape(-1, 5000), random_numbers(9, count=400), temperature=1.0, top_p=0.999
    ).reshape(100, len(sizes))
    for row, certain in enumerate(sizes):
        ranks = ids[:, row] - (5000 - certain)
        assert ranks.min() >= 0
        # A hundred samples come close to both ends of the nucleus.
        assert ranks.min() <= 0.1 * certain
        assert ranks.max() >= 0.9 * certain - 1


# --- Rows


@pytest.mark.parametrize("options", [{}, {"top_k": 7}, {"top_p": 0.9}], ids=str)
def test_a_rows_id_does_not_depend_on_the_other_rows(options: dict[str, Any]) -> None:
    random = np.random.default_rng(9)
    # Peaked and flat distributions, of which the latter have larger nuclei.
    logits = random.normal(0, 1, (12, 3000)) * random.uniform(0.1, 8, (12, 1))
    uniform_samples = random.random(12)
    together = sample(logits, uniform_samples, **options)
    backwards = sample(logits[::-1], uniform_samples[::-1], **options)[::-1]
    alone = [
        sample(row[None], [number], **options)[0]
        for row, number in zip(logits, uniform_samples, strict=True)
    ]
    assert together.tolist() == backwards.tolist() == alone


@pytest.mark.parametrize(
    "options", [{}, {"top_k": 40}, {"top_p": 0.9}, {"temperature": 0.0}], ids=str
)
def test_threads_do_not_change_ids(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    random = np.random.default_rng(14)
    logits = random.normal(0, 1, (7, 5000)) * random.uniform(0.1, 8, (7, 1))
    numbers = random_numbers(15, count=7)
    sizes = []

    def counted(logits: Any, *rest: Any, original: Any = sampling._sample_ids) -> Any:
        sizes.append(len(logits))
        return original(logits, *rest)

    monkeypatch.setattr(sampling, "_sample_ids", counted)
    monkeypatch.setattr(device, "cores", lambda: 3)
    alone = sample(logits, numbers, **options)
    monkeypatch.setattr(sampling, "MIN_PARALLEL_LOGITS", 1)
    together = sample(logits, numbers, **options)
    assert sorted(sizes) == [2, 2, 3, 7]
    assert together.tolist() == alone.tolist()


@pytest.mark.parametrize("options", [{}, {"top_k": 40}, {"top_p": 0.9}], ids=str)
def test_rounding_hardly_ever_changes_an_id(options: dict[str, Any]) -> None:
    # Logits of the 124M model differ by this much between batches of one and of twenty.
    random = np.random.default_rng(10)
    logits = random.normal(-60, 1, (400, 5000)).astype(np.float32)
    rounded = logits + random.normal(0, 1e-5, logits.shape).astype(np.float32)
    numbers = random_numbers(11, count=400)
    assert (sample(logits, numbers, **options) == sample(rounded, numbers, **options)).all()


def test_batches_and_vocabularies_of_every_size() -> None:
    for rows, n_vocab in ((1, 1), (200, 1), (1, 7), (200, 7), (200, 129)):
        for options in ({}, {"top_k": 3}, {"top_p": 0.5}):
            ids = sample(np.zeros((rows, n_vocab)), random_numbers(12, rows), **options)
            size = {"top_k": min(3, n_vocab), "top_p": -(-n_vocab // 2)}
            possible = range(size[next(iter(options))] if options else n_vocab)
            assert set(ids) <= set(possible)
            if rows == 200 and len(possible) < 10:
                assert set(ids) == set(possible)


def test_options_are_not_cached_between_calls() -> None:
    for temperature, top_p in ((0.5, 0.0), (2.0, 0.0), (0.5, 0.7), (2.0, 0.7), (2.0, 0.4)):
        options: dict[str, Any] = {"temperature": temperature, "top_p": top_p}
        ids = sample(TOYS["uneven"], random_numbers(13), **options)
        assert chi_square(ids, reference(TOYS["uneven"], **options)) < 6


SEEDED_IDS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [73, 2808, 1414, 597, 57, 548, 564, 1855]),
    ({"top_k": 40}, [2025, 174, 2908, 2161, 1991, 225, 2076, 293]),
    ({"top_p": 0.3}, [2925, 2857, 1414, 1651, 2110, 548, 225, 1855]),
    ({"typical_p": 0.5}, [2279, 1890, 2654, 71, 2451, 1820, 173, 2347]),
    ({"min_p": 0.2}, [2279, 1890, 21, 71, 1567, 1820, 173, 2347]),
]  # of version 0.1.0


@pytest.mark.parametrize(("options", "ids"), SEEDED_IDS)
def test_the_ids_for_a_random_number_stay_the_same_in_all_versions(
    options: dict[str, Any], ids: list[int]
) -> None:
    # At top_p=0.3 the nucleus has more ids than the candidates, and some draws are rejected.
    logits = np.sin(np.arange(3000) * 0.37) * 4
    assert sample(logits, np.linspace(0, 0.99, 8), temperature=0.9, **options).tolist() == ids


def test_the_hash_is_the_documented_one() -> None:
    def hashed(number: int) -> int:
        for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            number = (number ^ number >> shift) * multiplier % 2**32
        return number

    numbers = [0, 1, 2, 12345, 2**31, 2**32 - 1]
    found = sampling._hash(np.array(numbers, np.uint32))
    assert found.tolist() == [hashed(number) for number in numbers]


def test_random_bits_become_numbers_between_0_and_1() -> None:
    lowest, middle, highest = sampling._uniform(np.array([0, 2**31, 2**32 - 1], np.uint32))
    assert 0 < lowest < 2.0**-32
    assert middle == 0.5
    assert highest == BELOW_ONE


def test_the_likeliest_ids_are_in_order_and_of_equal_ones_the_first_is_first() -> None:
    values, ids = sampling.likeliest(np.array([3.0, 1.0, 3.0, 4.0], np.float32), 3)
    assert ids.tolist() == [3, 0, 2]
    assert values.tolist() == [4, 3, 3]
