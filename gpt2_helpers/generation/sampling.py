"""Next-token sampling: logits in, ids out.

Ids are sampled with the Gumbel-max trick: the id with the highest sum of logit and Gumbel noise is
a sample from the softmax (Gumbel 1954). The noise of each id is derived from one random number per
row. A row's id depends only on its own logits and random number. It hardly ever changes if logits
are rounded differently, as in batches of another size. Looking a random number up in cumulative
probabilities would be less stable, since each id's interval moves with all those before it.

To avoid sorting the vocabulary, ids are grouped into blocks: the likeliest ids are in the blocks
with the highest maxima, and sampling from all ids is sampling a block by its sum of probabilities,
then an id of that block. For a large nucleus (top-p), ids are sampled from the whole vocabulary and
rejected if outside the nucleus; after too many rejections the vocabulary is sorted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.system.threads import parallel_for
from gpt2_helpers.types import Floats, Ids

TOP_P_CANDIDATES = 128  # most likely ids that are examined first for top-p
TYPICAL_CANDIDATES = 1024  # ids whose surprise is closest to the entropy, examined first
MAX_REJECTIONS = 10  # after this many rejected samples, sorting is not slower
BLOCK = 64  # ids
MIN_PARALLEL_LOGITS = 200_000  # smallest size at which a second thread pays off
_SMALLEST = float(np.finfo(np.float32).tiny)
MIN_TEMPERATURE = 1e-6  # lower values overflow fp32 and would not change the ids
# Noise: added to the number of a block, so that its noise is independent of that of any id; the
# multiplier of ids; shifts and multipliers of the hash; and the largest random number.
BLOCK_NOISE = 1 << 30
GOLDEN_RATIO = 0x9E3779B1
HASH_ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
MAX_UNIFORM = 1.0 - 2.0**-24


def sample_next_tokens(logits: Floats, uniform_samples: Floats, config: SamplingConfig) -> Ids:
    """Sample the next id of each row.

    Temperature is applied first; then top-p if it is above 0, else top-k; then min-p and typical-p.
    Temperature 0 is greedy. Top-p is nucleus sampling (Holtzman et al. 2019): the smallest set of
    likeliest tokens whose probabilities add up to p, including the token that crosses the
    threshold. Min-p (Nguyen et al. 2024) keeps the tokens with at least that fraction of the
    highest probability. Typical-p (Meister et al. 2022) keeps those whose surprise is closest to
    the entropy of what is left, until their probabilities add up to p.

    Args:
        logits: (batch, n_vocab). Minus infinity excludes an id.
        uniform_samples: A random number in [0, 1) for each row (batch).
        config: Temperature, top-k, top-p, min-p and typical-p.

    Returns:
        Ids (batch).

    >>> greedy = SamplingConfig(temperature=0.0)
    >>> sample_next_tokens(np.array([[0.0, 9.0, 1.0]]), np.array([0.5]), greedy)
    array([1], dtype=int32)
    """
    chosen = np.empty(len(logits), np.int32)

    def choose(part: slice) -> None:
        chosen[part] = _sample_ids(logits[part], uniform_samples[part], config)

    parallel_for(choose, len(logits), logits.size >= MIN_PARALLEL_LOGITS)
    return chosen


def sample_next_tokens_by_row(
    logits: Floats, uniform_samples: Floats, configs: Sequence[SamplingConfig]
) -> Ids:
    """Sample the next id of each row with the row's own options.

    Args:
        logits: (batch, n_vocab).
        uniform_samples: A random number in [0, 1) for each row (batch).
        configs: The options of `sample_next_tokens` for each row (batch).

    Returns:
        Ids (batch).
    """
    groups: dict[tuple[float, ...], list[int]] = {}
    for row, config in enumerate(configs):
        # All options that `sample_next_tokens` uses; the other options may differ within a group.
        key = (config.temperature, config.top_k, config.top_p, config.min_p, config.typical_p)
        groups.setdefault(key, []).append(row)
    if len(groups) == 1:
        return sample_next_tokens(logits, uniform_samples, configs[0])
    chosen = np.empty(len(logits), np.int32)
    for rows in groups.values():
        chosen[rows] = sample_next_tokens(logits[rows], uniform_samples[rows], configs[rows[0]])
    return chosen


def top_k(logits: Floats, count: int) -> tuple[Floats, Ids]:
    """Find the highest logits of each row.

    Args:
        logits: (batch, n_vocab).
        count: How many logits to find in each row.

    Returns:
        The logits and their ids, each (batch, count) and unsorted.

    >>> top_k(np.array([[3.0, 1.0, 2.0]], np.float32), 2)[1].tolist()
    [[2, 0]]
    """
    ids = np.broadcast_to(np.arange(logits.shape[-1], dtype=np.int32), logits.shape)
    values = logits
    if count * BLOCK < logits.shape[-1]:
        blocks = _in_blocks(logits, -np.inf)  # (batch, blocks, BLOCK)
        # The `count` highest values are in the `count` blocks with the highest maxima.
        best = _highest(blocks.max(axis=-1), count)  # (batch, count)
        values = np.take_along_axis(blocks, best[:, :, None], axis=1).reshape(len(logits), -1)
        ids = (best[:, :, None] * BLOCK + np.arange(BLOCK)).astype(np.int32).reshape(values.shape)
    indices = _highest(values, count)
    return np.take_along_axis(values, indices, axis=-1), np.take_along_axis(ids, indices, axis=-1)


def likeliest(logits: Floats, count: int) -> tuple[Floats, Ids]:
    """Find the highest logits of one row, the highest first; of equal ones the first id.

    Args:
        logits: (n_vocab).
        count: How many logits to find, at most n_vocab.

    Returns:
        The logits and their ids, each (count).

    >>> likeliest(np.array([3.0, 1.0, 3.0], np.float32), 2)[1].tolist()
    [0, 2]
    """
    (values,), (ids,) = top_k(logits[None], count)
    order = np.lexsort((ids, -values))
    return values[order], ids[order]


def _sample_ids(logits: Floats, uniform_samples: Floats, config: SamplingConfig) -> Ids:
    if config.temperature == 0.0:
        return logits.argmax(axis=-1).astype(np.int32)
    temperature = np.float32(max(config.temperature, MIN_TEMPERATURE))
    if config.min_p > 0.0 or 0.0 < config.typical_p < 1.0:
        rows = [_candidates(row, config) for row in _scale(logits, temperature)]
        chosen = [
            ids[_sample(scaled[None], ids[None], uniform_samples[row : row + 1])[0]]
            for row, (scaled, ids) in enumerate(rows)
        ]
        return np.array(chosen, np.int32)
    if 0.0 < config.top_p < 1.0:
        return _sample_top_p(logits, uniform_samples, temperature, config.top_p)
    if config.top_p == 0.0 and 0 < config.top_k < logits.shape[-1]:
        values, ids = top_k(logits, config.top_k)
        return _pick(ids, _sample(_scale(values, temperature), ids, uniform_samples))
    scaled = _scale(logits, temperature)
    return _sample_all(np.exp(scaled, out=scaled), uniform_samples)


def _candidates(scaled: Floats, config: SamplingConfig) -> tuple[Floats, Ids]:
    """The scaled logits and ids (n) of a row (n_vocab) that top-p or top-k keeps, and of those the
    ones that min-p and typical-p keep."""
    ids = np.arange(len(scaled), dtype=np.int32)
    kept = scaled
    if config.min_p > 0.0:  # first, to sort fewer; the order does not change what is kept
        lowest = np.log(np.float32(max(config.min_p, _SMALLEST)))
        ids = np.flatnonzero(scaled >= lowest).astype(np.int32)
        kept = scaled[ids]
    if 0.0 < config.top_p < 1.0:
        order = np.argsort(-kept, kind="stable")
        threshold = config.top_p * np.exp(scaled).sum(dtype=np.float64)
        cumulative = np.exp(kept[order]).cumsum(dtype=np.float64)
        order = order[: np.searchsorted(cumulative, threshold) + 1]
        kept, ids = kept[order], ids[order]
    elif config.top_p == 0.0 and 0 < config.top_k < len(kept):
        indices = _highest(kept[None], config.top_k)[0]
        kept, ids = kept[indices], ids[indices]
    if 0.0 < config.typical_p < 1.0:
        indices = _typical(kept, config.typical_p)
        kept, ids = kept[indices], ids[indices]
    return kept, ids


def _typical(scaled: Floats, mass: float) -> NDArray[np.intp]:
    """Indices of the scaled logits (n) whose surprise is closest to the entropy, with a total
    probability of `mass`. Ties at the last distance are all included."""
    weights = np.exp(scaled).astype(np.float64)
    probabilities = weights / weights.sum()
    with np.errstate(divide="ignore"):  # log(0) is minus infinity
        surprise = -np.log(probabilities)
    entropy = (probabilities * np.where(probabilities > 0, surprise, 0.0)).sum()
    distance = np.abs(surprise - entropy)
    closest = np.arange(len(scaled))
    if len(scaled) > TYPICAL_CANDIDATES:  # usually these are enough, and faster to sort
        few = np.argpartition(distance, TYPICAL_CANDIDATES)[:TYPICAL_CANDIDATES]
        closest = few if probabilities[few].sum() > mass else closest
    order = closest[np.argsort(distance[closest], kind="stable")]
    last = min(np.searchsorted(probabilities[order].cumsum(), mass), len(order) - 1)
    return np.flatnonzero(distance <= distance[order[last]])


def _sample_all(weights: Floats, uniform_samples: Floats) -> Ids:
    """Sample an id for each row of weights (batch, n_vocab), which are proportional to the
    probabilities: first a block, then an id of it."""
    blocks = _in_blocks(weights, 0.0)  # (batch, blocks, BLOCK)
    with np.errstate(divide="ignore"):  # log(0) is minus infinity
        sums = np.log(blocks.sum(axis=-1))
        numbers = np.arange(sums.shape[-1], dtype=np.int32)[None]
        block = _sample(sums, numbers + np.int32(BLOCK_NOISE), uniform_samples)
        inside = np.log(np.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0])
    ids = (block[:, None] * BLOCK + np.arange(BLOCK)).astype(np.int32)  # (batch, BLOCK)
    return _pick(ids, _sample(inside, ids, uniform_samples))


def _sample_top_p(
    logits: Floats, uniform_samples: Floats, temperature: np.float32, top_p: float
) -> Ids:
    """Sample an id for each row from the likeliest ids with total probability `top_p`."""
    scaled = _scale(logits, temperature)
    weights = np.exp(scaled)  # proportional to the probabilities; 1 for a row's likeliest id
    threshold = top_p * weights.sum(axis=-1, dtype=np.float64)  # (batch)
    count = min(TOP_P_CANDIDATES, logits.shape[-1])
    values, ids = top_k(scaled, count)
    order = np.argsort(-values, axis=-1, kind="stable")
    values, ids = (np.take_along_axis(array, order, axis=-1) for array in (values, ids))
    cumulative = np.exp(values).cumsum(axis=-1, dtype=np.float64)
    # The likeliest id is always included, as is the one that crosses the threshold.
    included = np.roll(cumulative, 1, axis=-1) < threshold[:, None]
    included[:, 0] = True
    chosen = _pick(
        ids, _sample(np.where(included, values, np.float32(-np.inf)), ids, uniform_samples)
    )
    for row in np.flatnonzero(cumulative[:, -1] < threshold):  # the nucleus has more ids
        chosen[row] = _sample_large_top_p(weights[row], uniform_samples[row], threshold[row])
    return chosen


def _sample_large_top_p(weights: Floats, uniform: np.float32, threshold: float) -> np.int32:
    """Sample one of the most likely ids of a row, whose weights (n_vocab) add up to `threshold`.

    Samples from all ids until one is in the nucleus. If too many are rejected, the nucleus is
    determined by sorting.
    """
    numbers = np.array([uniform], np.float32)
    bits = numbers.view(np.uint32)
    for attempt in range(1, MAX_REJECTIONS + 1):
        (chosen,) = _sample_all(weights[None], numbers)
        before, after = weights[:chosen], weights[chosen + 1 :]
        # The weight of likelier ids. Among equal ones the first is likelier, as in a stable sort.
        likelier = before @ (before >= weights[chosen]).astype(np.float32)
        likelier += after @ (after > weights[chosen]).astype(np.float32)
        if likelier < threshold:
            return np.int32(chosen)
        numbers = _uniform(_hash(bits + np.uint32(attempt)))
    order = np.argsort(-weights, kind="stable")
    cumulative = weights[order].cumsum(dtype=np.float64)
    ids = order[: np.searchsorted(cumulative, threshold) + 1].astype(np.int32)[None]
    with np.errstate(divide="ignore"):  # log(0) is minus infinity
        return np.int32(_pick(ids, _sample(np.log(weights[ids]), ids, numbers))[0])


def _in_blocks(rows: Floats, padding: float) -> Floats:
    """rows (batch, n) -> (batch, blocks, BLOCK), the last block padded."""
    batch, size = rows.shape
    blocks = -(-size // BLOCK)
    if size == blocks * BLOCK:
        return rows.reshape(batch, blocks, BLOCK)
    padded = np.full((batch, blocks * BLOCK), padding, rows.dtype)
    padded[:, :size] = rows
    return padded.reshape(batch, blocks, BLOCK)


def _highest(rows: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the `count` highest values of each row, unsorted; of equal values the first."""
    if count >= rows.shape[-1]:
        return np.broadcast_to(np.arange(rows.shape[-1]), rows.shape)
    indices = np.argpartition(rows, -count, axis=-1)[:, -count:]
    lowest = np.take_along_axis(rows, indices, axis=-1).min(axis=-1, keepdims=True)
    for row in np.flatnonzero((rows >= lowest).sum(axis=-1) > count):  # equal values were left out
        indices[row] = np.argsort(-rows[row], kind="stable")[:count]
    return indices


def _scale(logits: Floats, temperature: np.float32) -> Floats:
    """Divide logits (rows, n) by the temperature, shifted so that each row's highest is 0."""
    scaled = logits - logits.max(axis=-1, keepdims=True)
    scaled /= temperature
    return scaled


def _pick(ids: Ids, indices: NDArray[np.intp]) -> Ids:
    """ids (rows, n) at one index per row (rows) -> (rows)."""
    return np.take_along_axis(ids, indices[:, None], axis=-1)[:, 0]


def _sample(scaled: Floats, ids: Ids, uniform_samples: Floats) -> NDArray[np.intp]:
    """Sample an index (rows) of scaled logits (rows, n). The noise depends on ids, (rows, n) or
    (1, n), and not on the index, since rounding may change the order."""
    row = _hash(np.asarray(uniform_samples, np.float32).view(np.uint32))[:, None]
    uniform = _uniform(_hash(row + ids.astype(np.uint32) * np.uint32(GOLDEN_RATIO)))
    noise = -np.log(-np.log1p(-uniform))
    chosen: NDArray[np.intp] = (scaled + noise).argmax(axis=-1)
    return chosen


def _uniform(bits: NDArray[np.uint32]) -> Floats:
    """Random bits -> numbers in (0, 1), with full precision near 0 and never rounded to 1."""
    uniform = (bits.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
    return np.minimum(uniform, np.float32(MAX_UNIFORM))


def _hash(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A bijective hash of uint32: MurmurHash3's finalizer with the multipliers of Wellons's
    lowbias32."""
    for shift, multiplier in HASH_ROUNDS:
        numbers = (numbers ^ (numbers >> np.uint32(shift))) * np.uint32(multiplier)
    return numbers
