"""The interface of decoders: a batch of sequences, each extended by one token per decode step.

Each sequence is in a row with its own position, so a row whose text has finished can start another
one while the other rows continue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.sampling import sample_next_tokens_by_row
from gpt2_helpers.types import Floats, Ids


class Model(Protocol):
    """The part of a model that decoders use."""

    config: ModelConfig
    decoding_precision: str

    @property
    def version(self) -> int:
        """Incremented whenever the weights change."""

    def effective_weight(self, name: str) -> Any:
        """The fp32 weight of this name, including its adapter's contribution, if it has one."""


class LogProbabilities(NamedTuple):
    """A part of the log-probabilities of a batch of texts, in nats.

    Attributes:
        targets: Those of the ids (batch, time).
        top_ids: The likeliest ids in each place, the likeliest first (batch, time, top).
        top: Their log-probabilities (batch, time, top).
    """

    targets: Floats
    top_ids: Ids
    top: Floats


class Weights(Protocol):
    """A model's weights in the form that a decoder multiplies with; decoders may share them."""

    def refresh(self) -> bool:
        """Copy the model's weights if they have changed. False if that is impossible because
        adapters were added to the model: new weights and decoders are then needed."""

    def log_probabilities(self, ids: Ids, top: int = 0) -> Iterator[LogProbabilities]:
        """How likely each id is after those before it in its row.

        Args:
            ids: Token ids (batch, time), at most one more per row than the model's context.
            top: How many of the likeliest ids to find in each place. Defaults to none.

        Yields:
            The log-probabilities of all ids but the first of each row (batch, time - 1), in parts
            along the time, so that a server can do other work in between.
        """


# Precisions that TensorFlow Lite generates in, on machines without a GPU.
TFLITE_PRECISIONS = ("float32", "int8")
PREFILL_CHUNK = 128  # tokens of a prompt in one pass: more are not faster and take more memory
CAPACITIES = (64, 128, 256, 512, 1024)  # few, so that few decoders are compiled


def row_capacity(length: int, n_ctx: int) -> int:
    """Choose the capacity of a decoder's rows.

    Args:
        length: Tokens that a row must have room for.
        n_ctx: The model's context length.

    Returns:
        The smallest of a few capacities that is sufficient, at most `n_ctx`.

    >>> row_capacity(100, n_ctx=1024)
    128
    """
    length = min(length, n_ctx)
    return min(next((size for size in CAPACITIES if size >= length), n_ctx), n_ctx)


def inference_dtype(model: Model, config: SamplingConfig, batch_invariant: bool = True) -> str:
    """Choose the precision to generate in.

    Args:
        model: The model that generates.
        config: With a seed, texts must be reproducible.
        batch_invariant: Whether a seed must give the same texts for every batch size. 16-bit
            matmuls depend slightly on the batch size.

    Returns:
        The model's own precision, or float32 if a 16-bit model must be batch-invariant.
    """
    is_16_bit = model.decoding_precision in ("bfloat16", "float16")
    if batch_invariant and config.seed is not None and is_16_bit:
        return "float32"
    return model.decoding_precision


class Decoder(ABC):
    """`batch_size` rows with room for `capacity` tokens each.

    `prefill`, or `prefill_chunk` repeatedly, gives a row its prompt; then each `step` adds a
    token. The user of a decoder sets `in_use` while it has sequences in it.
    """

    def __init__(self, config: ModelConfig, batch_size: int, capacity: int) -> None:
        self.config, self.batch_size, self.capacity = config, batch_size, capacity
        self.in_use = False

    @property
    @abstractmethod
    def weights(self) -> Weights:
        """The weights that this decoder multiplies with."""

    def prefill(self, row: int, ids: Sequence[int]) -> None:
        """Compute the keys and values of `ids` for `row`, at positions 0 and up.

        What earlier prompts have in common with it is not computed again if it is still available.

        Args:
            row: The row to fill.
            ids: Token ids of the prompt.

        Raises:
            OptionError: There are more ids than the row has room for.
        """
        done = self.prefill_chunk(row, ids, 0)
        while done < len(ids):
            done = self.prefill_chunk(row, ids, done)

    def prefill_chunk(
        self, row: int, ids: Sequence[int], start: int, max_tokens: int | None = None
    ) -> int:
        """Prefill a part of a prompt.

        Decode steps may run between chunks, also of this row at position `start`: the next chunk
        overwrites what they store there. The first chunk may start from what earlier prompts have
        in common with this one, without computing it again.

        Args:
            row: The row to fill.
            ids: Token ids of the whole prompt.
            start: How many of them are prefilled already.
            max_tokens: About how many to compute now; default: all.

        Returns:
            How many of `ids` are now prefilled.

        Raises:
            OptionError: There are more ids than the row has room for.
        """
        self._check_room(len(ids))
        return self._prefill_chunk(row, ids, start, max_tokens)

    def idle_position(self, row: int) -> int:
        """The position that a step should use for a row without a text, if no row is less far: what
        is stored before it may be useful to a later prompt."""
        return 0

    def step(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        uniform_samples: NDArray[np.float32],
        configs: Sequence[SamplingConfig],
        adjust: Mapping[int, Callable[[Floats], None]] | None = None,
    ) -> NDArray[np.int32]:
        """Run one decode step and sample the next id of each row.

        Args:
            ids: The newest id of each row (row).
            positions: The positions of these ids (row).
            uniform_samples: A random number in [0, 1) for each row (row).
            configs: Sampling options of each row (row).
            adjust: By row, what changes its logits (n_vocab) in place before an id is sampled.

        Returns:
            The next ids (row).
        """
        logits = self.logits(ids, positions)
        if adjust:
            logits = logits.copy()  # TensorFlow's may be read-only
            for row, change in adjust.items():
                change(logits[row])
        return sample_next_tokens_by_row(logits, uniform_samples, configs)

    def logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        """Run one decode step.

        Arrays shorter than `batch_size` are for the first rows; the others must be free. The
        positions of a row must follow its prefill, or start at 0, without gaps.

        Args:
            ids: The newest id of each row (row).
            positions: The positions of these ids (row).

        Returns:
            The fp32 logits of the next ids (row, n_vocab).

        Raises:
            OptionError: A position is outside the decoder's capacity.
        """
        self._check_room(int(positions.max()) + 1)
        return self._logits(ids, positions)

    @abstractmethod
    def _prefill_chunk(
        self, row: int, ids: Sequence[int], start: int, max_tokens: int | None
    ) -> int: ...

    @abstractmethod
    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats: ...

    def _check_room(self, tokens: int) -> None:
        if tokens > self.capacity:  # they would overwrite the next row's
            raise OptionError(
                f"a row of this decoder has room for {self.capacity} tokens, got {tokens}: "
                "get a decoder with a greater length"
            )
