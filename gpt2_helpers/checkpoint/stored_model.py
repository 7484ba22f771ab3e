"""A model that only writes: its weights stay in their files but for what decoding takes of them, so
that TensorFlow is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.types import Floats

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2


class InferenceModel:
    """The weights of a checkpoint, as decoders on a processor ask for them (see `decoder.Model`).

    `precision` is that of the model in TensorFlow, which `to_tensorflow` makes; `prefix` is where
    the weights come from, if from files.
    """

    version = 0  # its weights never change

    def __init__(
        self,
        config: ModelConfig,
        weights: Mapping[str, np.ndarray],
        precision: str,
        decoding_precision: str,
        prefix: Path | None = None,
    ) -> None:
        self.config, self.prefix = config, prefix
        self.precision, self.decoding_precision = precision, decoding_precision
        self._weights = weights

    def effective_weight(self, name: str) -> Floats:
        """The fp32 weight of this name; CheckpointError where it cannot be read."""
        weight: Floats = self._weights[name].astype(np.float32, copy=False)
        return weight

    def to_tensorflow(self) -> GPT2:
        """The same model with all that it can do, read from the files once more."""
        from gpt2_helpers.model.gpt2 import GPT2

        model = GPT2(self.config, self._weights, self.precision)
        model.decoding_precision = self.decoding_precision
        return model
