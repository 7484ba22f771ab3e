"""Windows of whole documents: every document once per epoch, none joined with another one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.data.packing import (
    IGNORED,
    Documents,
    DocumentWindows,
    find_documents,
    find_sequence,
    pack,
)
from gpt2_helpers.errors import DatasetError

END, NEWLINE, MARKER = 0, 1, 2

documents_of_ids = st.lists(st.lists(st.integers(3, 40), min_size=1, max_size=30), min_size=1)


def stream(texts: list[list[int]], separator: list[int], end_last: bool = True) -> np.ndarray:
    """The ids of documents, each followed by an end of text and `separator`."""
    ids = [i for text in texts for i in [*text, END, *separator]]
    if not end_last:
        ids = ids[: -1 - len(separator)]
    return np.array(ids, np.uint16)


def targets_of(documents: Documents) -> list[list[int]]:
    return [
        documents.tokens[first:last].tolist()
        for first, last in zip(documents.first, documents.last, strict=True)
    ]


def pieces(window: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """The inputs and the targets of each document in a window."""
    ids, targets, starts = window
    used = targets != IGNORED
    return [
        (ids[used & (starts == start)].tolist(), targets[used & (starts == start)].tolist())
        for start in np.unique(starts[used])
    ]


@given(documents_of_ids, st.booleans(), st.booleans())
def test_documents_are_found(texts: list[list[int]], newline: bool, end_last: bool) -> None:
    tokens = stream(texts, [NEWLINE] if newline else [], end_last)
    expected = [[*text, END] for text in texts]
    if not end_last:
        expected[-1] = texts[-1]
    assert targets_of(find_documents(tokens, END, NEWLINE)) == expected


def test_empty_documents_are_left_out() -> None:
    tokens = stream([[5, 6], [], [7], []], [NEWLINE])
    assert targets_of(find_documents(tokens, END, NEWLINE)) == [[5, 6, END], [7, END]]


def test_a_newline_inside_a_document_is_kept() -> None:
    tokens = stream([[5, NEWLINE, 6], [NEWLINE, 7]], [])
    # At the start of a document it counts as the separator.
    assert targets_of(find_documents(tokens, END, NEWLINE)) == [[5, NEWLINE, 6, END], [7, END]]


def test_a_marker_is_given_and_not_predicted() -> None:
    tokens = stream([[MARKER, 5], [MARKER, 6, 7]], [NEWLINE])
    documents = find_documents(tokens, END, NEWLINE, has_start_marker=True)
    assert targets_of(documents) == [[5, END], [6, 7, END]]
    (window,) = DocumentWindows(documents, 5).validation(9)
    assert pieces(window) == [([MARKER, 6, 7], [6, 7, END]), ([MARKER, 5], [5, END])]


def test_without_a_marker_the_first_id_is_predicted_from_the_end_of_text() -> None:
    (window,) = DocumentWindows(find_documents(stream([[5, 6], [7]], []), END), 5).validation(9)
    np.testing.assert_array_equal(
        window, [[END, 5, 6, END, 7], [5, 6, END, 7, END], [0, 0, 0, 3, 3]]
    )


def test_padding_predicts_nothing_and_attends_to_itself() -> None:
    documents = find_documents(stream([[3, 3, 3], [4, 4, 4]], []), END)
    for window in DocumentWindows(documents, 6).validation(9):
        np.testing.assert_array_equal(window[1, 4:], IGNORED)
        np.testing.assert_array_equal(window[2], [0, 0, 0, 0, 4, 5])


@given(documents_of_ids, st.integers(2, 12), st.integers(0, 2**63 - 1), st.integers(1, 5))
def test_each_epoch_contains_every_document_once(
    texts: list[list[int]], n_ctx: int, seed: int, count: int
) -> None:
    windows = DocumentWindows(find_documents(stream(texts, []), END), n_ctx)
    epoch = [
        window
        for step in range(-(-2 * len(windows) // count))
        for window in windows.batch(seed, step, count)
    ][len(windows) : 2 * len(windows)]  # the second one
    found = sorted(piece for window in epoch for piece in pieces(window))
    expected = []
    for text in texts:
        ids = [END, *text, END]
        size = windows.shape[1]
        for start in range(0, len(ids) - 1, size):
            piece = ids[start : start + size + 1]
            expected.append((piece[:-1], piece[1:]))
    assert found == sorted(expected)


def test_a_batch_depends_only_on_seed_and_step() -> None:
    texts = [[i, i] for i in range(3, 60)]
    windows = DocumentWindows(find_documents(stream(texts, []), END), 7)
    again = DocumentWindows(find_documents(stream(texts, []), END), 7)
    for step in (5, 0, 10**12):
        np.testing.assert_array_equal(windows.batch(4, step, 3), again.batch(4, step, 3))
    own = np.array([2, 7])  # of one of several workers
    np.testing.assert_array_equal(windows.batch(4, 3, 9, own), windows.batch(4, 3, 9)[own])
    assert not np.array_equal(windows.batch(4, 0, 20), windows.batch(5, 0, 20))
    assert not np.array_equal(windows.batch(4, 0, 20), windows.batch(4, 1, 20))


def test_long_documents_are_counted() -> None:
    windows = DocumentWindows(find_documents(stream([[5] * 7, [6] * 8, [7]], []), END), 8)
    assert windows.cut == 1
    assert windows.tokens_per_window == pytest.approx((8 + 9 + 2) / len(windows))


def test_validation_takes_windows_from_all_over() -> None:
    texts = [[3 + i % 40] * 3 for i in range(100)]
    windows = DocumentWindows(find_documents(stream(texts, []), END), 4)
    chosen = windows.validation(5)
    assert [int(window[1, 0]) for window in chosen] == [3, 27, 12, 37, 22]


def test_nothing_to_predict_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no document of at least two tokens"):
        DocumentWindows(find_documents(np.array([END, END]), END), 8)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=60))
def test_packing_uses_every_item_once_and_fills_bins(lengths: list[int]) -> None:
    array = np.array(lengths)
    bins = pack(array, 20)
    assert sorted(item for items in bins for item in items) == list(range(len(lengths)))
    sums = sorted(int(array[items].sum()) for items in bins)
    assert sums[-1] <= 20
    if len(sums) > 1:  # else the items of the emptiest two would fit in one
        assert sums[0] + sums[1] > 20


def test_only_completions_are_predicted() -> None:
    # Start 1, marker 8 8, end 0: a prompt 5 6 with 7, a prompt 5 with 6 7, and one without marker.
    tokens = np.array([1, 5, 6, 8, 8, 7, 0, 1, 5, 8, 8, 6, 7, 0, 1, 4, 0])
    documents = find_documents(tokens, 0, has_start_marker=True, completion_marker=[8, 8])
    assert documents.predicted.tolist() == [5, 11, 15]
    windows = DocumentWindows(documents, 20).validation(9)
    (window,) = windows
    ids, targets, _ = window
    seen = {
        tuple(ids[start:end].tolist()): targets[start:end].tolist()
        for start, end in ((0, 6), (6, 12), (12, 14))
    }
    ignored = IGNORED
    assert seen == {
        (1, 5, 6, 8, 8, 7): [ignored] * 4 + [7, 0],
        (1, 5, 8, 8, 6, 7): [ignored] * 3 + [6, 7, 0],
        (1, 4): [4, 0],
    }


def test_pieces_of_a_prompt_alone_are_left_out() -> None:
    tokens = np.array([1, *[5] * 9, 8, 7, 0])
    documents = find_documents(tokens, 0, has_start_marker=True, completion_marker=[8])
    (window,) = DocumentWindows(documents, 4).validation(9)
    assert window[1].tolist() == [IGNORED, IGNORED, 7, 0] or window[1].tolist()[-2:] == [7, 0]
    with pytest.raises(DatasetError, match="no completion"):
        DocumentWindows(dataclasses.replace(documents, predicted=documents.last), 4)


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_sequences_are_found_across_chunks(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr("gpt2_helpers.data.packing._CHUNK_TOKENS", chunk)
    tokens = np.array([1, 1, 2, 3, 1, 2, 1, 2, 3])
    assert find_sequence(tokens, [1, 2, 3]).tolist() == [1, 6]
    assert find_sequence(tokens, [9]).tolist() == []
    assert find_sequence(tokens[:1], [1, 2, 3]).tolist() == []
