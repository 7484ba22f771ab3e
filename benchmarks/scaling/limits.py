"""The best possible speed of GPT-2 on a machine with given rates. Arithmetic only.

Counts only what no implementation can avoid: reading the weights once per step, reading the keys
and values that a token attends to, and the matmuls. Excludes norms, sampling and optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import ModelConfig

WEIGHT_BYTES = {"int8": 1, "float32": 4}
CACHE_BYTES = 4  # per number of the KV cache, for any weight type


@dataclass(frozen=True)
class Rates:
    """Memory bandwidth in bytes/s, and the rates of matmuls in FLOP/s by precision."""

    bandwidth: float
    float32: float
    bfloat16: float
    int8: float

    def of(self, precision: str) -> float:
        """FLOP/s in a precision."""
        rate: float = getattr(self, precision)
        return rate


def layer_weights(model: ModelConfig) -> int:
    """Number of weights in the matrices of all layers.

    >>> layer_weights(ModelConfig())
    84934656
    """
    return 12 * model.n_layer * model.n_embd**2


def output_weights(model: ModelConfig) -> int:
    """Number of weights in the output matrix, the token embeddings."""
    return model.n_vocab * model.n_embd


def decoding_limit(
    model: ModelConfig, rates: Rates, precision: str, batch: int, position: float
) -> float:
    """Tokens/s of a batch at a position: the lower of the limits by bandwidth and by FLOP/s."""
    weights = layer_weights(model) + output_weights(model)
    cached = 2 * model.n_layer * model.n_embd * position  # numbers per sequence
    read = WEIGHT_BYTES[precision] * weights + batch * CACHE_BYTES * cached
    multiply = 2 * weights / rates.of(precision) + 2 * cached / rates.float32
    return min(batch * rates.bandwidth / read, 1 / multiply)


def training_flops(model: ModelConfig, batch: int, recompute: bool) -> float:
    """Floating-point operations of a training step with windows of n_ctx tokens.

    6 per weight and token (2 forward, 4 backward; Kaplan et al. 2020, "Scaling Laws for Neural
    Language Models", section 2.1). With recomputation 2 more for the layers, except for the last
    matrix of each (a third of its weights), whose output the next layer has kept. Attention is
    causal, so half of the square counts.
    """
    attention = 2 * model.n_layer * model.n_embd * (model.n_ctx + 1) / 2
    a_token = 6 * (layer_weights(model) + attention + output_weights(model))
    if recompute:
        a_token += 2 * (layer_weights(model) * 2 / 3 + attention)
    return batch * model.n_ctx * a_token
