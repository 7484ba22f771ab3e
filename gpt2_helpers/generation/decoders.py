"""Chooses the decoder for this device, and keeps compiled decoders for reuse."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from gpt2_helpers.errors import is_out_of_memory
from gpt2_helpers.generation import tflite
from gpt2_helpers.generation.decoder import (
    TFLITE_PRECISIONS,
    Decoder,
    Model,
    Weights,
    row_capacity,
)
from gpt2_helpers.generation.tflite_decoder import TfliteDecoder, TfliteWeights
from gpt2_helpers.system import device, xla

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

MAX_CACHED_DECODERS = 4


class _Key(NamedTuple):
    batch_size: int
    capacity: int
    precision: str
    copy: int  # above 0 if equal decoders are in use at the same time


class DecoderPool:
    """The decoders of one model. The last few are kept compiled, so that later calls start at once.

    pool = DecoderPool(model)
    decoder = pool.get(batch_size=4, length=100, precision="float32")
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._decoders: dict[_Key, Decoder] = {}  # the most recently used is last

    def __len__(self) -> int:
        return len(self._decoders)

    def get(self, batch_size: int, length: int, precision: str) -> Decoder:
        """Return a decoder that is not in use, with the model's current weights.

        Args:
            batch_size: Number of rows.
            length: Tokens that a row must have room for; see `row_capacity`.
            precision: float32, bfloat16, float16 or int8. Without a GPU, float32 and int8 use
                TensorFlow Lite; everything else uses TensorFlow, which has no int8 and takes the
                device's best precision instead.

        Returns:
            The decoder; set its `in_use` while it is used.
        """
        if not runs_on_tflite(precision):
            precision = device.choose_precision(precision)
        capacity = row_capacity(length, self.model.config.n_ctx)
        for copy in itertools.count():
            key = _Key(batch_size, capacity, precision, copy)
            decoder = self._decoders.pop(key, None) or self._new_decoder(key)
            self._decoders[key] = decoder
            if not decoder.in_use:
                break
        idle = [
            key for key, other in self._decoders.items() if not (other.in_use or other is decoder)
        ]
        for key in idle[: max(0, len(self) - MAX_CACHED_DECODERS)]:
            del self._decoders[key]
        if not decoder.weights.refresh():
            self.clear()
            return self.get(batch_size, length, precision)
        return decoder

    def weights(self, precision: str) -> Weights:
        """Return the model's current weights, to compute log-probabilities; see `get`."""
        return self.get(1, 1, precision).weights

    def share_embeddings(self, other: DecoderPool) -> None:
        """Use the embeddings of another model's decoders if they are equal, to save memory."""
        for decoder in self._decoders.values():
            for source in other._decoders.values():
                ours, theirs = decoder.weights, source.weights
                if isinstance(ours, TfliteWeights) and isinstance(theirs, TfliteWeights):
                    ours.share_embeddings(theirs)

    def clear(self) -> None:
        """Delete all decoders and free their memory."""
        self._decoders.clear()

    def _new_decoder(self, key: _Key) -> Decoder:
        """Make a decoder that shares its weights with others of the same precision."""
        model, shared = self.model, self._weights(key.precision)
        if runs_on_tflite(key.precision):
            tflite_weights = shared or TfliteWeights(model, key.precision)
            return TfliteDecoder(model, key.batch_size, key.capacity, tflite_weights)

        import tensorflow as tf

        from gpt2_helpers.generation.tf_decoder import TfDecoder, TfWeights

        full = cast("GPT2", model)  # an InferenceModel is only made if TensorFlow Lite decodes it
        weights = shared or TfWeights(full, tf.as_dtype(key.precision))
        if xla.is_enabled():
            from gpt2_helpers.generation.xla_decoder import XlaDecoder

            try:
                return XlaDecoder(full, key.batch_size, key.capacity, weights)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                xla.give_up(error)
        return TfDecoder(full, key.batch_size, key.capacity, weights)

    def _weights(self, precision: str) -> Any:
        """The weights of an existing decoder of this precision."""
        for key, decoder in self._decoders.items():
            if key.precision == precision:
                return decoder.weights
        return None


def runs_on_tflite(precision: str) -> bool:
    """Whether decoding in `precision` uses TensorFlow Lite on this machine."""
    return precision in TFLITE_PRECISIONS and not device.gpus() and tflite.is_available()
