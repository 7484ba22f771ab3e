"""Packs whole documents into training windows, so that no document continues another one.

A window is three rows of `n_ctx` integers:

- ids: the inputs of the model.
- targets: the id that follows each input in its document, `IGNORED` where nothing is predicted,
  such as in prompts.
- starts: for each position, the position in the window at which its document starts. The model
  attends to no earlier position, and counts its position embeddings from there.

Documents that are longer than the context are cut into pieces. The windows are filled by best-fit
decreasing bin packing: each document, the longest first, goes where the least space remains [1].

[1] D. S. Johnson, "Near-optimal bin packing algorithms", 1973.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.types import AnyIds

IGNORED = -1  # a target that is not predicted
_CHUNK_TOKENS = 1 << 20  # ids compared at a time
_EPOCH_KEY = 1 << 63  # keeps the random order of epochs apart from that of `random_windows`


@dataclass(frozen=True, eq=False)
class Documents:
    """Where the documents of a dataset are: document i predicts `tokens[first[i]:last[i]]`.

    Attributes:
        tokens: All token ids, (count,).
        first: First predicted id of each document, (documents,).
        last: The end of each document, (documents,).
        start_id: The id that the first one is predicted from; None if it is the id before it.
        predicted: The first id of each document that counts for the loss, (documents,). Those
            before it are a prompt, which the model only reads.
    """

    tokens: AnyIds
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    start_id: int | None
    predicted: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of predicted ids of each document, (documents,)."""
        return self.last - self.first


def find_documents(
    tokens: AnyIds,
    end_of_text: int,
    separator: int | None = None,
    has_start_marker: bool = False,
    completion_marker: Sequence[int] = (),
) -> Documents:
    """Find the documents in a stream of token ids.

    Args:
        tokens: All token ids, (count,).
        end_of_text: The id that ends each document, and is part of it.
        separator: An id that may separate two documents and belongs to neither, such as that of
            a newline after the rows of a table.
        has_start_marker: Whether documents begin with a marker, which is given in generation. Its
            first id is not predicted then. Otherwise it is predicted from `end_of_text`, from
            which texts without a prompt are generated.
        completion_marker: Ids between the prompt and the completion of a document. Only what
            follows the first ones of a document is predicted.

    Returns:
        The documents that have at least one id to predict besides their end.

    Example:
        >>> documents = find_documents(np.array([5, 6, 0, 9, 7, 0]), end_of_text=0, separator=9)
        >>> documents.first.tolist(), documents.last.tolist()
        ([0, 4], [3, 6])
    """
    ends = [
        start + np.flatnonzero(tokens[start : start + _CHUNK_TOKENS] == end_of_text)
        for start in range(0, len(tokens), _CHUNK_TOKENS)
    ]
    last = np.concatenate([*ends, [len(tokens) - 1]]) + 1
    first = np.concatenate([[0], last[:-1]])
    if separator is not None:
        inside = first < len(tokens)
        first[inside] += np.asarray(tokens[first[inside]]) == separator
    if has_start_marker:
        first += 1
    # A document that is only an end of text is left out.
    minimum = np.full(len(first), 1 if has_start_marker else 2)
    minimum[-1] = 1  # the last one has no end of text
    keep = last - first >= minimum
    first, last = first[keep], last[keep]
    predicted = first
    markers = find_sequence(tokens, completion_marker) if completion_marker else first[:0]
    if len(markers):
        nearest = markers[np.minimum(np.searchsorted(markers, first), len(markers) - 1)]
        is_inside = (nearest >= first) & (nearest < last)
        predicted = np.where(is_inside, nearest + len(completion_marker), first)
    start_id = None if has_start_marker else end_of_text
    return Documents(tokens, first, last, start_id, predicted)


def find_sequence(tokens: AnyIds, sequence: Sequence[int]) -> NDArray[np.int64]:
    """The positions at which a sequence of ids starts.

    >>> find_sequence(np.array([1, 2, 1, 2, 3]), [1, 2]).tolist()
    [0, 2]
    """
    found = []
    for start in range(0, len(tokens), _CHUNK_TOKENS):
        chunk = tokens[start : start + _CHUNK_TOKENS + len(sequence) - 1]
        hits = np.flatnonzero(chunk[: len(chunk) - len(sequence) + 1] == sequence[0])
        for offset, index in enumerate(sequence[1:], 1):
            hits = hits[chunk[hits + offset] == index]
        found.append(start + hits)
    return np.concatenate([np.empty(0, np.int64), *found])


class DocumentWindows:
    """Training windows of whole documents. They depend only on the data, a seed and a step.

    Attributes:
        tokens: All token ids of the data, (count,).
        shape: Shape of a window, (3, n_ctx), or less if all documents fit in less.
        tokens_per_window: Predicted ids per window, on average.
        cut: Number of documents that are longer than the context.
    """

    def __init__(self, documents: Documents, n_ctx: int) -> None:
        """Pack the documents.

        Args:
            documents: The documents.
            n_ctx: Length of a window.

        Raises:
            DatasetError: There is nothing to predict.
        """
        lengths = documents.lengths
        total = int(lengths.sum())
        if not total:
            raise DatasetError("the data contains no document of at least two tokens: add text")
        self._documents, self.tokens = documents, documents.tokens
        time = min(n_ctx, total)
        self.shape: tuple[int, ...] = (3, time)
        self.cut = int(np.count_nonzero(lengths > time))
        # Pieces of at most `time` ids, in the order of the documents.
        per_document = -(-lengths // time)
        owner = np.repeat(np.arange(len(lengths)), per_document)
        number = np.arange(len(owner)) - np.repeat(
            np.cumsum(per_document) - per_document, per_document
        )
        self._first = documents.first[owner] + number * time
        self._length = np.minimum(documents.last[owner] - self._first, time)
        self._is_beginning = number == 0
        self._given = np.maximum(documents.predicted[owner] - self._first, 0)
        # A piece that is only part of a prompt teaches nothing.
        learned = np.flatnonzero(self._given < self._length)
        if not len(learned):
            raise DatasetError("the data contains no completion to predict: check the columns")
        self._windows = [learned[pieces].tolist() for pieces in pack(self._length[learned], time)]
        self.tokens_per_window = int(self._length[learned].sum()) / len(self._windows)

    def __len__(self) -> int:
        return len(self._windows)

    def describe(self) -> str:
        """How the documents were packed, as a sentence."""
        count = len(self._documents.first)
        text = f"each sequence is filled with whole texts: {count:,} in {len(self):,} sequences"
        if self.cut:
            verb = "is" if self.cut == 1 else "are"
            text += f"; {self.cut:,} of them {verb} longer than {self.shape[1]:,} tokens and cut"
        return text

    def batch(
        self, seed: int, step: int, count: int, numbers: NDArray[np.int64] | None = None
    ) -> NDArray[np.int32]:
        """The windows of one training step: every window once per epoch, in random order.

        Args:
            seed: Random seed of the run.
            step: Number of the optimizer step.
            count: Number of windows.
            numbers: Which of these windows are read and returned, (n). Default: all.

        Returns:
            The windows, (count, 3, time) or (n, 3, time).
        """
        number = step * count + (np.arange(count) if numbers is None else numbers)
        epochs, positions = np.divmod(number, len(self))
        orders = {epoch: self._order(seed, int(epoch)) for epoch in np.unique(epochs)}
        return np.stack(
            [self._window(orders[e][p]) for e, p in zip(epochs, positions, strict=True)]
        )

    def validation(self, max_windows: int) -> list[NDArray[np.int32]]:
        """Windows (3, time) for validation, evenly spaced if there are more than `max_windows`."""
        numbers = np.arange(len(self))
        if len(numbers) > max_windows:
            numbers = np.linspace(0, len(self) - 1, max_windows).astype(int)
        return [self._window(number) for number in numbers]

    def _order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        key = np.array([seed, _EPOCH_KEY + epoch], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).permutation(len(self))

    def _window(self, number: int) -> NDArray[np.int32]:
        time, tokens = self.shape[1], self.tokens
        window = np.zeros(self.shape, np.int32)
        ids, targets, starts = window
        position = 0
        for piece in self._windows[number]:
            first, length = self._first[piece], self._length[piece]
            end = position + length
            targets[position:end] = tokens[first : first + length]
            ids[position + 1 : end] = targets[position : end - 1]
            start_id = self._documents.start_id
            is_given = start_id is not None and self._is_beginning[piece]
            ids[position] = start_id if is_given else tokens[first - 1]
            targets[position : position + self._given[piece]] = IGNORED
            starts[position:end] = position
            position = end
        targets[position:] = IGNORED
        starts[position:] = np.arange(position, time)  # padding attends to itself only
        return window


def pack(lengths: NDArray[np.integer], capacity: int) -> list[list[int]]:
    """Best-fit decreasing bin packing.

    Args:
        lengths: Lengths of the items, each between 1 and `capacity`.
        capacity: Size of a bin.

    Returns:
        The indices of the items in each bin.

    Example:
        >>> pack(np.array([3, 6, 2, 4]), 8)
        [[1, 2], [3, 0]]
    """
    bins: list[list[int]] = []
    # The bins that have exactly n places left, for each n, and the set of these n as bits.
    by_space: list[list[int]] = [[] for _ in range(capacity + 1)]
    spaces = 0
    for item in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[item])
        fitting = spaces >> length
        if fitting:
            space = length + (fitting & -fitting).bit_length() - 1
            number = by_space[space].pop()
            if not by_space[space]:
                spaces &= ~(1 << space)
        else:
            space, number = capacity, len(bins)
            bins.append([])
        bins[number].append(item)
        if space > length:
            by_space[space - length].append(number)
            spaces |= 1 << (space - length)
    return bins
