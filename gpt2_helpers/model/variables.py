"""The names and shapes of a GPT-2's variables, as OpenAI gave them. Knows nothing of TensorFlow."""

from __future__ import annotations

from gpt2_helpers.config import ModelConfig

LAYER_NORM_EPSILON = 1e-5


def variable_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every variable of a GPT-2 and its shape, under OpenAI's names, in the model's order.

    >>> variable_shapes(ModelConfig(n_layer=1))["model/h0/attn/c_attn/w"]
    (1, 768, 2304)
    """
    width = config.n_embd
    shapes: dict[str, tuple[int, ...]] = {
        "model/wte": (config.n_vocab, width),
        "model/wpe": (config.n_ctx, width),
    }
    for layer in range(config.n_layer):
        prefix = f"model/h{layer}/"
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"{prefix}{norm}/g": (width,), f"{prefix}{norm}/b": (width,)}
        for name, n_in, n_out in (
            ("attn/c_attn", width, 3 * width),
            ("attn/c_proj", width, width),
            ("mlp/c_fc", width, 4 * width),
            ("mlp/c_proj", 4 * width, width),
        ):
            shapes |= {f"{prefix}{name}/w": (1, n_in, n_out), f"{prefix}{name}/b": (n_out,)}
    return shapes | {"model/ln_f/g": (width,), "model/ln_f/b": (width,)}
