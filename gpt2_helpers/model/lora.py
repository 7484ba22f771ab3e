"""Low-rank adapters: a few trained numbers beside matrices that stay. Shapes and arrays alone.

Beside each matrix W (n_in, n_out) of a layer stand A (n_in, rank) and B (rank, n_out), and what is
multiplied with is W + SCALE A B ("LoRA", Hu et al. 2021, with alpha twice the rank). B begins with
zeros, so that training begins at the model itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from gpt2_helpers.config import ModelConfig

SCALE = 2.0
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
    """How many numbers are trained.

    >>> n_adapter_parameters(ModelConfig(), 8)
    1179648
    """
    return sum(n_in * n_out for n_in, n_out in adapter_shapes(config, rank).values())


def new_adapters(config: ModelConfig, rank: int, seed: int) -> dict[str, np.ndarray]:
    """Adapters that change nothing yet: A random, evenly within 1 over the root of its inputs, as
    PyTorch draws a layer's; B zero."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in adapter_shapes(config, rank).items():
        arrays[name] = np.zeros(shape, np.float32)
        if name.endswith("lora_a"):
            bound = np.float32(1 / math.sqrt(shape[0]))
            arrays[name] = random.uniform(-bound, bound, shape).astype(np.float32)
    return arrays


class WithoutAdapters(Mapping[str, np.ndarray]):
    """The weights that adapters stood beside, got back from those they were merged into: exact but
    for the last digit of fp32. They are read one by one, as they are asked for."""

    def __init__(
        self, merged: Mapping[str, np.ndarray], adapters: Mapping[str, np.ndarray]
    ) -> None:
        self._merged, self._adapters = merged, adapters

    def __getitem__(self, name: str) -> np.ndarray:
        weight = self._merged[name]
        matrix = name.removesuffix("/w")
        if f"{matrix}/lora_a" not in self._adapters:
            return weight
        a, b = (self._adapters[f"{matrix}/lora_{kind}"] for kind in "ab")
        return weight - np.float32(SCALE) * (a @ b)[None]

    def __iter__(self) -> Iterator[str]:
        return iter(self._merged)

    def __len__(self) -> int:
        return len(self._merged)
