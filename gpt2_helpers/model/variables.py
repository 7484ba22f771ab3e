"""Names, shapes and initial values of a GPT-2's variables. Needs no TensorFlow."""

from __future__ import annotations

import math

import numpy as np

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


def random_weights(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Initial weights as GPT-2's were drawn, from normal distributions.

    The standard deviation is 0.02, and 0.01 for positions. That of projections into the residual
    stream is divided by the square root of their number. Gains are 1 and biases 0.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in variable_shapes(config).items():
        if name.endswith("/g"):
            weights[name] = np.ones(shape, np.float32)
        elif name.endswith("/b"):
            weights[name] = np.zeros(shape, np.float32)
        else:
            scale = 0.01 if name == "model/wpe" else 0.02
            if name.endswith("c_proj/w"):
                scale /= math.sqrt(2 * config.n_layer)
            weights[name] = random.standard_normal(shape, np.float32) * np.float32(scale)
    return weights
