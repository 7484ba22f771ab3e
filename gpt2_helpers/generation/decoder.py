"""What every decoder does: rows of tokens that grow by one at each step. Ids in, ids out, no text.

Each row of the batch stands at a position of its own, so that a row whose text has ended can start
another while its neighbours go on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.sampling import next_ids_by_row
from gpt2_helpers.types import Floats


class Model(Protocol):
    """What decoders need of a model."""

    config: ModelConfig
    decoding_precision: str
    decoders: dict[Any, Any]  # those that were made for it, which live as long as it does

    @property
    def version(self) -> int:
        """Counts changes of the weights."""

    def effective_weight(self, name: str) -> Any:
        """The fp32 weight of this name as an array or tensor."""


class Weights(Protocol):
    """A model's weights as a decoder multiplies with them; several decoders share them."""

    def refresh(self) -> None:
        """Take over what training has changed."""


def inference_dtype(model: Model, config: SamplingConfig, batch_invariant: bool = True) -> str:
    """What texts are written in: the model's own, but fp32 where a seed must give the same texts in
    batches of any size, on which products of 16-bit numbers depend a little."""
    narrow = model.decoding_precision in ("bfloat16", "float16")
    if batch_invariant and config.seed is not None and narrow:
        return "float32"
    return model.decoding_precision


class Decoder(ABC):
    """`batch_size` rows with room for `slots` tokens each. `prefill`, or `read` part by part, gives
    a row its beginning, each `step` the token after.

    Whoever steps through a text sets `in_use` until it is done: two would write over each other.
    """

    def __init__(self, config: ModelConfig, batch_size: int, slots: int) -> None:
        self.config, self.batch_size, self.slots = config, batch_size, slots
        self.in_use = False

    @property
    @abstractmethod
    def weights(self) -> Weights:
        """What it multiplies with."""

    def prefill(self, row: int, ids: Sequence[int]) -> None:
        """Let row `row` have seen `ids`, at positions 0 and up. Many rows often begin alike: what
        was computed for one of them is only copied for the next."""
        done = self.read(row, ids, 0)
        while done < len(ids):
            done = self.read(row, ids, done)

    def read(self, row: int, ids: Sequence[int], done: int, at_most: int | None = None) -> int:
        """Let row `row`, which has seen the first `done` of `ids`, see more of them, about
        `at_most`; returns how many it has seen then.

        Other rows may step before the rest is read, this one too at position `done`: what is kept
        of that, the rest writes over.
        """
        self._check_room(len(ids))
        return self._read(row, ids, done, at_most)

    def step(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        uniforms: NDArray[np.float32],
        configs: Sequence[SamplingConfig],
    ) -> NDArray[np.int32]:
        """Each row's token (rows) at its position (rows) -> each row's next token (rows), drawn as
        its own config says."""
        return next_ids_by_row(self.logits(ids, positions), uniforms, configs)

    def logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        """Each row's token (rows) at its position (rows) -> fp32 logits (rows, n_vocab) of what
        follows. Fewer than `batch_size` are the first rows; the others must hold no text. A row's
        positions must follow its `prefill`, or start at 0, without a gap."""
        self._check_room(int(positions.max()) + 1)
        return self._logits(ids, positions)

    @abstractmethod
    def _read(self, row: int, ids: Sequence[int], done: int, at_most: int | None) -> int: ...

    @abstractmethod
    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats: ...

    def _check_room(self, tokens: int) -> None:
        if tokens > self.slots:  # they would be written among the next row's
            raise OptionError(
                f"a row of this decoder holds {self.slots} tokens, got {tokens}: "
                "ask decoder_for for a greater length"
            )
