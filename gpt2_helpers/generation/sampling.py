"""Next-token sampling. Logits in, ids out: knows nothing of text, models or files.

Each row brings one random number, from which noise for each id is made. The id whose logit and
noise add up to the most is drawn: with noise of Gumbel's distribution that is a draw from the
softmax (Gumbel 1954). A row's choice depends on its own logits and its own number alone; and where
logits are rounded otherwise, as in batches of another size, it hardly ever changes. Looking a
uniform number up in cumulated odds would not do: each id's share moves with all those before it.

Hardly anything sorts a whole vocabulary. It is looked at in blocks of ids that follow each other:
the likeliest ids stand in the blocks with the likeliest ones; and a draw from all of them is a draw
of a block, by the sum of its odds, and then of an id in it. From a large nucleus is drawn as from
all, and again where that lies outside; what is hardly ever hit so is sorted after all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.system.threads import parallel_for
from gpt2_helpers.types import Floats, Ids

NUCLEUS_CANDIDATES = 128  # top-p looks among so many ids before it looks at them all
NUCLEUS_TRIES = 10  # draws from all ids, after which sorting them takes no longer
BLOCK = 64  # ids
WORTH_THREADS = 200_000  # logits that are worth a second thread
COLDEST = 1e-6  # what is colder is as good as this, and would leave the range of fp32


def next_ids(logits: Floats, uniforms: Floats, config: SamplingConfig) -> Ids:
    """logits (batch, n_vocab) and uniforms (batch) in [0, 1) -> ids (batch).

    Temperature first, then top-p where it is over 0 (it overrides top-k), else top-k. Temperature
    0 is greedy. Nucleus sampling is that of Holtzman et al. 2019: the smallest set of likeliest
    tokens whose odds reach p, the token that crosses the line included.

    >>> next_ids(np.array([[0.0, 9.0, 1.0]]), np.array([0.5]), SamplingConfig(temperature=0.0))
    array([1], dtype=int32)
    """
    chosen = np.empty(len(logits), np.int32)

    def choose(part: slice) -> None:
        chosen[part] = _next_ids(logits[part], uniforms[part], config)

    parallel_for(choose, len(logits), logits.size >= WORTH_THREADS)
    return chosen


def _next_ids(logits: Floats, uniforms: Floats, config: SamplingConfig) -> Ids:
    if config.temperature == 0.0:
        return logits.argmax(axis=-1).astype(np.int32)
    temperature = np.float32(max(config.temperature, COLDEST))
    if 0.0 < config.top_p < 1.0:
        return _from_nucleus(logits, uniforms, temperature, config.top_p)
    if config.top_p == 0.0 and 0 < config.top_k < logits.shape[-1]:
        values, ids = likeliest(logits, config.top_k)
        return _pick(ids, _draw(_scaled(values, temperature), ids, uniforms))
    return _from_all(_scaled(logits, temperature), uniforms)


def next_ids_by_row(logits: Floats, uniforms: Floats, configs: Sequence[SamplingConfig]) -> Ids:
    """The same with a config for each row of logits (batch, n_vocab)."""
    alike: dict[tuple[float, int, float], list[int]] = {}
    for row, config in enumerate(configs):
        alike.setdefault((config.temperature, config.top_k, config.top_p), []).append(row)
    if len(alike) == 1:
        return next_ids(logits, uniforms, configs[0])
    chosen = np.empty(len(logits), np.int32)
    for rows in alike.values():
        chosen[rows] = next_ids(logits[rows], uniforms[rows], configs[rows[0]])
    return chosen


def likeliest(logits: Floats, count: int) -> tuple[Floats, Ids]:
    """logits (batch, n_vocab) -> the `count` highest of each row and their ids (batch, count), in
    no order.

    >>> likeliest(np.array([[3.0, 1.0, 2.0]], np.float32), 2)[1].tolist()
    [[2, 0]]
    """
    ids = np.broadcast_to(np.arange(logits.shape[-1], dtype=np.int32), logits.shape)
    values = logits
    if count * BLOCK < logits.shape[-1]:
        blocks = _in_blocks(logits, -np.inf)  # (batch, blocks, BLOCK)
        # Outside these there is nothing that could be among the likeliest.
        best = _highest(blocks.max(axis=-1), count)  # (batch, count)
        values = np.take_along_axis(blocks, best[:, :, None], axis=1).reshape(len(logits), -1)
        ids = (best[:, :, None] * BLOCK + np.arange(BLOCK)).astype(np.int32).reshape(values.shape)
    places = _highest(values, count)
    return np.take_along_axis(values, places, axis=-1), np.take_along_axis(ids, places, axis=-1)


def _from_all(scaled: Floats, uniforms: Floats) -> Ids:
    """One id for each row of scaled (batch, n_vocab), whose highest is 0, and which is written
    over."""
    return _from_odds(np.exp(scaled, out=scaled), uniforms)


def _from_odds(odds: Floats, uniforms: Floats) -> Ids:
    """One id for each row of odds (batch, n_vocab): first its block, then which one of it."""
    blocks = _in_blocks(odds, 0.0)  # (batch, blocks, BLOCK)
    with np.errstate(divide="ignore"):  # the logarithm of no odds is minus infinity
        sums = np.log(blocks.sum(axis=-1))
        numbers = np.arange(sums.shape[-1], dtype=np.int32)[None]
        # Numbers for blocks beyond those for ids, so that their noise is another.
        block = _draw(sums, numbers + np.int32(1 << 30), uniforms)
        inside = np.log(np.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0])
    ids = (block[:, None] * BLOCK + np.arange(BLOCK)).astype(np.int32)  # (batch, BLOCK)
    return _pick(ids, _draw(inside, ids, uniforms))


def _from_nucleus(logits: Floats, uniforms: Floats, temperature: np.float32, top_p: float) -> Ids:
    """One id each row from the likeliest that make up `top_p`."""
    scaled = _scaled(logits, temperature)
    odds = np.exp(scaled)  # in proportion to the softmax; each row's likeliest id has 1
    needed = top_p * odds.sum(axis=-1, dtype=np.float64)  # (batch)
    count = min(NUCLEUS_CANDIDATES, logits.shape[-1])
    values, ids = likeliest(scaled, count)
    order = np.argsort(-values, axis=-1, kind="stable")
    values, ids = (np.take_along_axis(array, order, axis=-1) for array in (values, ids))
    reached = np.exp(values).cumsum(axis=-1, dtype=np.float64)
    # The likeliest is in, however small p is, and so is what crosses the line.
    inside = np.roll(reached, 1, axis=-1) < needed[:, None]
    inside[:, 0] = True
    found = _pick(ids, _draw(np.where(inside, values, np.float32(-np.inf)), ids, uniforms))
    for row in np.flatnonzero(reached[:, -1] < needed):  # those that need more than these
        found[row] = _from_large_nucleus(odds[row], uniforms[row], needed[row])
    return found


def _from_large_nucleus(odds: Floats, uniform: np.float32, needed: float) -> np.int32:
    """One id of a row's odds (n_vocab), out of the likeliest that add up to `needed`: drawn from
    all, and again by another number where those before it add up to that. Where too little of the
    whole is needed for such luck, they are sorted."""
    numbers = np.array([uniform], np.float32)
    bits = numbers.view(np.uint32)
    for again in range(1, NUCLEUS_TRIES + 1):
        (found,) = _from_odds(odds[None], numbers)
        before, after = odds[:found], odds[found + 1 :]
        # Likelier ones, and of equals the earlier, as a stable sort would have it.
        likelier = before @ (before >= odds[found]).astype(np.float32)
        likelier += after @ (after > odds[found]).astype(np.float32)
        if likelier < needed:
            return np.int32(found)
        numbers = _uniform(_hash(bits + np.uint32(again)))
    order = np.argsort(-odds, kind="stable")
    reached = odds[order].cumsum(dtype=np.float64)
    ids = order[: np.searchsorted(reached, needed) + 1].astype(np.int32)[None]
    with np.errstate(divide="ignore"):  # the logarithm of no odds is minus infinity
        return np.int32(_pick(ids, _draw(np.log(odds[ids]), ids, numbers))[0])


def _in_blocks(rows: Floats, filler: float) -> Floats:
    """rows (batch, n) -> (batch, blocks, BLOCK), the last block filled up."""
    batch, size = rows.shape
    blocks = -(-size // BLOCK)
    if size == blocks * BLOCK:
        return rows.reshape(batch, blocks, BLOCK)
    padded = np.full((batch, blocks * BLOCK), filler, rows.dtype)
    padded[:, :size] = rows
    return padded.reshape(batch, blocks, BLOCK)


def _highest(rows: Floats, count: int) -> NDArray[np.intp]:
    """Where the `count` highest of each row stand, in no order; of equals the first."""
    if count >= rows.shape[-1]:
        return np.broadcast_to(np.arange(rows.shape[-1]), rows.shape)
    places = np.argpartition(rows, -count, axis=-1)[:, -count:]
    lowest = np.take_along_axis(rows, places, axis=-1).min(axis=-1, keepdims=True)
    for row in np.flatnonzero((rows >= lowest).sum(axis=-1) > count):  # one left out is as high
        places[row] = np.argsort(-rows[row], kind="stable")[:count]
    return places


def _scaled(logits: Floats, temperature: np.float32) -> Floats:
    """logits (rows, n) over the temperature, with 0 for each row's likeliest."""
    scaled = logits - logits.max(axis=-1, keepdims=True)
    scaled /= temperature
    return scaled


def _pick(ids: Ids, places: NDArray[np.intp]) -> Ids:
    """ids (rows, n) and one place in each row -> ids (rows)."""
    return np.take_along_axis(ids, places[:, None], axis=-1)[:, 0]


def _draw(scaled: Floats, ids: Ids, uniforms: Floats) -> NDArray[np.intp]:
    """Which of scaled (rows, n) is drawn: the index (rows). ids (rows, n) or (1, n), since an id's
    noise must not depend on its rank, which rounding may change."""
    row = _hash(np.asarray(uniforms, np.float32).view(np.uint32))[:, None]
    uniform = _uniform(_hash(row + ids.astype(np.uint32) * np.uint32(0x9E3779B1)))  # golden ratio
    noise = -np.log(-np.log1p(-uniform))
    chosen: NDArray[np.intp] = (scaled + noise).argmax(axis=-1)
    return chosen


def _uniform(bits: NDArray[np.uint32]) -> Floats:
    """Any uint32 -> numbers between 0 and 1: nearly 0 comes out exact, and 1 never."""
    uniform = (bits.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
    return np.minimum(uniform, np.float32(1.0 - 2.0**-24))


def _hash(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """uint32 -> uint32, one to one, whose upper bits look random: shifts and products in the manner
    of MurmurHash3 with the multipliers of Wellons's lowbias32."""
    for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        numbers = (numbers ^ (numbers >> np.uint32(shift))) * np.uint32(multiplier)
    return numbers
