"""Training and validation windows: shape, position, and reproducibility for a seed and step."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt2_helpers.data.batches import consecutive_windows, random_windows, window_length

seeds = st.integers(0, 2**63 - 1)
steps = st.integers(0, 2**40)


@given(st.integers(2, 5000), st.integers(1, 1024))
def test_a_window_is_the_context_plus_one_or_the_whole_text(n_tokens: int, n_ctx: int) -> None:
    length = window_length(n_tokens, n_ctx)
    assert length <= n_tokens
    assert length == n_ctx + 1 or length == n_tokens <= n_ctx + 1


@given(seeds, steps, st.integers(1, 8), st.integers(2, 50), st.integers(2, 50))
def test_random_windows_are_contiguous(
    seed: int, step: int, batch_size: int, length: int, n_tokens: int
) -> None:
    assume(length <= n_tokens)
    tokens = np.arange(n_tokens, dtype=np.uint16) * 3
    windows = random_windows(tokens, seed, step, batch_size, length)
    assert windows.shape == (batch_size, length)
    assert windows.dtype == np.int32
    for window in windows:
        start = window[0] // 3
        np.testing.assert_array_equal(window, tokens[start : start + length])
    again = random_windows(tokens, seed, step, batch_size, length)
    np.testing.assert_array_equal(windows, again)


def test_seeds_and_steps_give_different_windows() -> None:
    tokens = np.arange(100_000)
    starts = {
        tuple(random_windows(tokens, seed, step, 4, 10)[:, 0])
        for seed in (0, 1, 2, 2**63 - 1)
        for step in range(50)
    }
    assert len(starts) == 200


def test_a_worker_gets_its_part_of_the_windows_of_all() -> None:
    tokens, own = np.arange(1000), np.array([4, 5, 0])
    windows = random_windows(tokens, 7, 1, 6, 5)
    np.testing.assert_array_equal(random_windows(tokens, 7, 1, 6, 5, own), windows[own])


def test_the_windows_of_a_step_do_not_depend_on_earlier_steps() -> None:
    """Nor on NumPy's global random state."""
    tokens = np.arange(1000)
    expected = random_windows(tokens, 7, 100, 2, 5)
    np.random.seed(0)
    for step in range(100):
        random_windows(tokens, 7, step, 2, 5)
    np.testing.assert_array_equal(random_windows(tokens, 7, 100, 2, 5), expected)


def test_the_windows_are_those_of_earlier_releases() -> None:
    """A run that is resumed after an upgrade must continue with the same windows."""
    starts = random_windows(np.arange(1000), seed=1, step=2, batch_size=4, length=10)[:, 0]
    assert starts.tolist() == [701, 306, 130, 353]


def test_random_windows_are_uniformly_distributed() -> None:
    tokens = np.arange(12)
    windows = random_windows(tokens, seed=3, step=0, batch_size=9000, length=4)
    counts = np.bincount(windows[:, 0], minlength=9)
    assert len(counts) == 9  # every start, including that of the window at the end
    # A thousand windows for each of nine starts, within five standard deviations.
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000 * 8 / 9)


def test_a_text_as_long_as_a_window_has_one_window() -> None:
    tokens = np.array([5, 6, 7])
    windows = random_windows(tokens, seed=1, step=1, batch_size=2, length=3)
    assert windows.tolist() == [[5, 6, 7], [5, 6, 7]]


def test_windows_of_a_memory_map_are_plain_arrays(tmp_path: Path) -> None:
    path = tmp_path / "tokens.bin"
    np.arange(300, dtype=np.uint16).tofile(path)
    mapped = np.memmap(path, dtype=np.uint16, mode="r")
    windows = random_windows(mapped, seed=1, step=1, batch_size=2, length=20)
    np.testing.assert_array_equal(windows, random_windows(np.arange(300), 1, 1, 2, 20))
    assert not any(isinstance(window, np.memmap) for window in consecutive_windows(mapped, 20, 5))


@given(st.integers(2, 400), st.integers(2, 40))
def test_consecutive_windows_predict_each_id_once(n_tokens: int, length: int) -> None:
    assume(length <= n_tokens)
    windows = consecutive_windows(np.arange(n_tokens), length, max_windows=10**6)
    predicted = np.concatenate([window[1:] for window in windows])
    # All from the second id on, except a remainder shorter than a window.
    np.testing.assert_array_equal(predicted, np.arange(1, len(predicted) + 1))
    assert n_tokens - 1 - len(predicted) < length - 1
    assert all(window.shape == (length,) and window.dtype == np.int32 for window in windows)


@given(st.integers(10, 2000), st.integers(2, 10), st.integers(1, 30))
def test_limited_windows_are_spread_evenly(n_tokens: int, length: int, max_windows: int) -> None:
    tokens = np.arange(n_tokens)
    all_windows = [
        window.tolist() for window in consecutive_windows(tokens, length, max_windows=10**6)
    ]
    windows = [window.tolist() for window in consecutive_windows(tokens, length, max_windows)]
    assert len(windows) == min(max_windows, len(all_windows))
    assert all(window in all_windows for window in windows)
    positions = [all_windows.index(window) for window in windows]
    assert positions[0] == 0
    if max_windows > 1:
        assert positions[-1] == len(all_windows) - 1
        gaps = [after - before for before, after in pairwise(positions)]
        assert all(gap > 0 for gap in gaps)
        assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(("n_tokens", "length"), [(0, 5), (1, 5), (4, 5)])
def test_a_text_shorter_than_a_window_has_none(n_tokens: int, length: int) -> None:
    assert consecutive_windows(np.arange(n_tokens), length, max_windows=5) == []
