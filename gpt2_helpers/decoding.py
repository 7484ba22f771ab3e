"""Which decoder writes: made for what this machine has, and kept with the model."""

from __future__ import annotations

import itertools

import tensorflow as tf

from gpt2_helpers import device, lite
from gpt2_helpers.decoder import Decoder
from gpt2_helpers.graph_decoder import GraphDecoder, GraphWeights
from gpt2_helpers.lite_decoder import LiteDecoder, LiteWeights
from gpt2_helpers.model import GPT2

SLOT_SIZES = (64, 128, 256, 512, 1024)  # caches come in few sizes, so that few are compiled
KEPT_DECODERS = 4


def decoder_for(model: GPT2, batch_size: int, length: int, precision: str) -> Decoder:
    """A decoder with room for `length` tokens a row; the last few are kept, compiled, with the
    model, so that a second call starts at once. One that is `in_use` is left to its user.

    `precision` is float32, bfloat16, float16 or int8. On a processor float32 and int8 are
    TensorFlow Lite's; all else is TensorFlow's own, which has no int8.
    """
    in_lite = uses_lite(precision)
    if not in_lite:
        precision = device.choose_precision(precision)
    n_ctx, kept = model.config.n_ctx, model.decoders
    slots = next((size for size in SLOT_SIZES if size >= min(length, n_ctx)), n_ctx)
    for copy in itertools.count():
        key = (batch_size, min(slots, n_ctx), precision, copy)
        decoder: Decoder | None = kept.pop(key, None)
        if decoder is None:
            shared = next((d.weights for k, d in kept.items() if k[2] == precision), None)
            if in_lite:
                weights = shared or LiteWeights(model, precision)
                decoder = LiteDecoder(model, batch_size, key[1], weights)
            else:
                weights = shared or GraphWeights(model, tf.as_dtype(precision))
                decoder = GraphDecoder(model, batch_size, key[1], weights)
        kept[key] = decoder  # the most recently used stands last
        if not decoder.in_use:
            break
    idle = [key for key, other in kept.items() if not (other.in_use or other is decoder)]
    for key in idle[: max(0, len(kept) - KEPT_DECODERS)]:
        del kept[key]
    decoder.weights.refresh()
    return decoder


def uses_lite(precision: str) -> bool:
    """Whether decoding in `precision` goes through TensorFlow Lite on this machine."""
    return precision in (lite.FLOAT, lite.INT8) and not device.gpus() and lite.is_available()
