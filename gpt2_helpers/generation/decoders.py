"""Which decoder writes: made for what this machine has, and kept with the model."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, cast

from gpt2_helpers.generation import tflite
from gpt2_helpers.generation.decoder import Decoder, Model
from gpt2_helpers.generation.tflite_decoder import TfliteDecoder, TfliteWeights
from gpt2_helpers.system import device

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

SLOT_SIZES = (64, 128, 256, 512, 1024)  # caches come in few sizes, so that few are compiled
KEPT_DECODERS = 4


def decoder_for(model: Model, batch_size: int, length: int, precision: str) -> Decoder:
    """A decoder with room for `length` tokens a row; the last few are kept, compiled, with the
    model, so that a second call starts at once. One that is `in_use` is left to its user.

    `precision` is float32, bfloat16, float16 or int8. On a processor float32 and int8 are
    TensorFlow Lite's; all else is TensorFlow's own, which has no int8.
    """
    if not runs_on_tflite(precision):
        precision = device.choose_precision(precision)
    n_ctx, kept = model.config.n_ctx, model.decoders
    slots = next((size for size in SLOT_SIZES if size >= min(length, n_ctx)), n_ctx)
    for copy in itertools.count():
        key = (batch_size, min(slots, n_ctx), precision, copy)
        decoder: Decoder = kept.pop(key, None) or _new_decoder(model, key[0], key[1], precision)
        kept[key] = decoder  # the most recently used stands last
        if not decoder.in_use:
            break
    idle = [key for key, other in kept.items() if not (other.in_use or other is decoder)]
    for key in idle[: max(0, len(kept) - KEPT_DECODERS)]:
        del kept[key]
    decoder.weights.refresh()
    return decoder


def _new_decoder(model: Model, batch_size: int, slots: int, precision: str) -> Decoder:
    """Made for these sizes; it shares its weights with others of the same precision."""
    others = [other for key, other in model.decoders.items() if key[2] == precision]
    shared = others[0].weights if others else None
    if runs_on_tflite(precision):
        return TfliteDecoder(model, batch_size, slots, shared or TfliteWeights(model, precision))

    import tensorflow as tf

    from gpt2_helpers.generation.tf_decoder import TfDecoder, TfWeights

    whole = cast("GPT2", model)  # only a whole one is ever asked for what TensorFlow does
    weights = shared or TfWeights(whole, tf.as_dtype(precision))
    return TfDecoder(whole, batch_size, slots, weights)


def runs_on_tflite(precision: str) -> bool:
    """Whether decoding in `precision` goes through TensorFlow Lite on this machine."""
    return precision in (tflite.FLOAT, tflite.INT8) and not device.gpus() and tflite.is_available()
