"""Penalties for tokens that have occurred, from the history of one sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.types import Floats, Ids


class Penalties:
    """Repetition, presence and frequency penalty; see `LogitsProcessor`.

    The repetition penalty (Keskar et al. 2019) divides the positive logits of the tokens in the
    prompt and in the text by the penalty, and multiplies the negative ones, as transformers does.
    The other two are subtracted from the logits of generated tokens: `presence_penalty` once,
    `frequency_penalty` for each time the token occurs, as in OpenAI's API.

    >>> config = SamplingConfig(repetition_penalty=2.0, frequency_penalty=0.5)
    >>> penalties = Penalties(config, prompt_ids=[0])
    >>> penalties.append(1)
    >>> logits = np.array([3.0, -1.0, 4.0], np.float32)
    >>> penalties.apply(logits)
    >>> logits
    array([ 1.5, -2.5,  4. ], dtype=float32)
    """

    def __init__(self, config: SamplingConfig, prompt_ids: Sequence[int]) -> None:
        self._config = config
        self._seen = dict.fromkeys(prompt_ids)  # a set with an order
        self._generated: Counter[int] = Counter()

    @staticmethod
    def are_used(config: SamplingConfig) -> bool:
        """Whether any of the penalties has an effect."""
        return bool(
            config.repetition_penalty != 1.0 or config.presence_penalty or config.frequency_penalty
        )

    def append(self, token: int) -> None:
        self._seen[token] = None
        self._generated[token] += 1

    def apply(self, logits: Floats) -> None:
        config = self._config
        if config.repetition_penalty != 1.0:
            seen = _array(self._seen)
            penalty, values = np.float32(config.repetition_penalty), logits[seen]
            logits[seen] = np.where(values < 0, values * penalty, values / penalty)
        if config.presence_penalty or config.frequency_penalty:
            counts = _array(self._generated.values())
            penalties = config.presence_penalty + config.frequency_penalty * counts
            logits[_array(self._generated)] -= penalties.astype(np.float32)


def _array(numbers: Collection[int]) -> Ids:
    return np.fromiter(numbers, np.int32, len(numbers))
