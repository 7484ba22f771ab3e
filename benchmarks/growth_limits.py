"""What a machine could do at best: its rates, and what GPT-2 needs of them. Arithmetic alone.

Only what no program could leave out is counted: the weights read once a step, the keys and values
that a token looks at, the products of the matrices. Norms, sampling and the optimizer are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import ModelConfig

WEIGHT_BYTES = {"int8": 1, "float32": 4}
CACHE_BYTES = 4  # a number of the keys and values that are kept, whatever the weights are


@dataclass(frozen=True)
class Rates:
    """Bytes a second that are read from memory, and products and sums a second of matrices."""

    bandwidth: float
    float32: float
    bfloat16: float
    int8: float

    def of(self, precision: str) -> float:
        """Products and sums a second in a precision."""
        rate: float = getattr(self, precision)
        return rate


def layer_weights(model: ModelConfig) -> int:
    """Numbers in the matrices of all layers.

    >>> layer_weights(ModelConfig())
    84934656
    """
    return 12 * model.n_layer * model.n_embd**2


def output_weights(model: ModelConfig) -> int:
    """Numbers in the matrix that makes logits, the token embeddings."""
    return model.n_vocab * model.n_embd


def decoding_limit(
    model: ModelConfig, rates: Rates, precision: str, batch: int, position: float
) -> float:
    """Tokens a second that `batch` rows could write at a position: the fewer of what the memory can
    read and what the matrices can multiply."""
    weights = layer_weights(model) + output_weights(model)
    cached = 2 * model.n_layer * model.n_embd * position  # numbers a row
    read = WEIGHT_BYTES[precision] * weights + batch * CACHE_BYTES * cached
    multiply = 2 * weights / rates.of(precision) + 2 * cached / rates.float32
    return min(batch * rates.bandwidth / read, 1 / multiply)


def training_flops(model: ModelConfig, batch: int, recompute: bool) -> float:
    """Products and sums of a training step over windows of n_ctx tokens.

    6 for each weight and token (2 forwards, 4 back; Kaplan et al. 2020, "Scaling Laws for Neural
    Language Models", section 2.1), and 2 more for the layers where they are computed again, but for
    the last matrix of each, a third of its weights, whose result the next layer has kept. A token
    attends to itself and those before it, half of the square.
    """
    attention = 2 * model.n_layer * model.n_embd * (model.n_ctx + 1) / 2
    a_token = 6 * (layer_weights(model) + attention + output_weights(model))
    if recompute:
        a_token += 2 * (layer_weights(model) * 2 / 3 + attention)
    return batch * model.n_ctx * a_token
