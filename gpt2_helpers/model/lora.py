"""LoRA adapters: shapes, initial values, and merging them into weights and out of them again.

Needs no TensorFlow. Each matrix W (n_in, n_out) of a layer gets an A (n_in, rank) and a B
(rank, n_out), and is replaced by W + LORA_SCALE A B ("LoRA", Hu et al. 2021, with alpha twice the
rank). Only A and B are trained. B is zero at first, so that training starts from the model itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from gpt2_helpers.config import ModelConfig

LORA_SCALE = 2.0
MATRICES = ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj")


def adapter_shapes(config: ModelConfig, rank: int) -> dict[str, tuple[int, int]]:
    """Every adapter's name and shape: `.../lora_a` and `.../lora_b` under its matrix's name.

    >>> adapter_shapes(ModelConfig(n_layer=1), 8)["model/h0/mlp/c_fc/lora_b"]
    (8, 3072)
    """
    width = config.n_embd
    sizes = ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width))
    shapes: dict[str, tuple[int, int]] = {}
    for layer in range(config.n_layer):
        for matrix, (n_in, n_out) in zip(MATRICES, sizes, strict=True):
            name = f"model/h{layer}/{matrix}"
            shapes |= {f"{name}/lora_a": (n_in, rank), f"{name}/lora_b": (rank, n_out)}
    return shapes


def n_adapter_parameters(config: ModelConfig, rank: int) -> int:
    """Number of trained parameters.

    >>> n_adapter_parameters(ModelConfig(), 8)
    1179648
    """
    return sum(n_in * n_out for n_in, n_out in adapter_shapes(config, rank).values())


def new_adapters(config: ModelConfig, rank: int, seed: int) -> dict[str, np.ndarray]:
    """Adapters that do not change the model yet: B is zero, and A uniform within 1 / sqrt(n_in),
    as PyTorch initializes a linear layer."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in adapter_shapes(config, rank).items():
        arrays[name] = np.zeros(shape, np.float32)
        if name.endswith("lora_a"):
            bound = np.float32(1 / math.sqrt(shape[0]))
            arrays[name] = random.uniform(-bound, bound, shape).astype(np.float32)
    return arrays


class MergedWeights(Mapping[str, np.ndarray]):
    """Weights with adapters added, in fp32. Each weight is read when it is accessed."""

    _scale = LORA_SCALE

    def __init__(
        self, weights: Mapping[str, np.ndarray], adapters: Mapping[str, np.ndarray]
    ) -> None:
        self._weights, self._adapters = weights, adapters

    def __getitem__(self, name: str) -> np.ndarray:
        weight = self._weights[name]
        matrix = name.removesuffix("/w")
        if f"{matrix}/lora_a" not in self._adapters:
            return weight
        a, b = (self._adapters[f"{matrix}/lora_{kind}"] for kind in "ab")
        return weight + np.float32(self._scale) * (a @ b)[None]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


class UnmergedWeights(MergedWeights):
    """Weights with merged adapters subtracted again, exact up to fp32 rounding."""

    _scale = -LORA_SCALE
