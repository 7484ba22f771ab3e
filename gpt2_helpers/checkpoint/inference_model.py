"""An inference-only model: weights are read lazily from their files, TensorFlow is not needed."""

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
    """A checkpoint's weights for decoders on a CPU; implements `decoder.Model`.

    Attributes:
        config: The model's shape.
        precision: The dtype of the model that `to_tensorflow` creates.
        decoding_precision: The dtype for generation.
        prefix: Prefix of the checkpoint's files, if the weights come from files.
        version: Always 0, since the weights never change.
        weights_hash: See `model_files.weights_hash`. Empty if it is not known.
    """

    version = 0

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
        self.weights_hash = ""
        self._weights = weights

    def effective_weight(self, name: str) -> Floats:
        """A weight in fp32. Raises CheckpointError if it cannot be read."""
        weight: Floats = self._weights[name].astype(np.float32, copy=False)
        return weight

    def to_tensorflow(self) -> GPT2:
        """The full model in TensorFlow, read from the files again."""
        from gpt2_helpers.model.gpt2 import GPT2

        model = GPT2(self.config, self._weights, self.precision)
        model.decoding_precision = self.decoding_precision
        model.weights_hash = self.weights_hash
        return model
