"""The decoder in TensorFlow graphs."""

from __future__ import annotations

from decoding import CONFIG
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.tf_decoder import TfDecoder
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from toy import toy_weights


def test_weights_of_the_right_dtype_are_not_copied() -> None:
    frozen = GPT2(CONFIG, toy_weights(CONFIG), "bfloat16", frozen=True)
    pool = DecoderPool(frozen)
    frozen.load_adapters(new_adapters(CONFIG, 2, seed=1))
    decoder = pool.get(1, CONFIG.n_ctx, "bfloat16")
    assert isinstance(decoder, TfDecoder)
    named = decoder.weights.named
    copies = {name for name, variable in frozen.variables.items() if named[name] is not variable}
    assert copies == {name for name in named if "/h" in name and name.endswith("/w")}
