"""LoRA adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError, brief, brief_repr
from gpt2_helpers.exchange.config_json import read_object, to_json
from gpt2_helpers.exchange.weights import (
    PREFIX,
    read_tensor,
    require_finite,
    save_tensors,
    shapes_in,
)
from gpt2_helpers.model.lora import LORA_SCALE, MATRICES, adapter_shapes, new_adapters
from gpt2_helpers.system.files import atomic_write_text

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_MAX_ALPHA = 1e6
_NAME_PREFIX = f"base_model.model.{PREFIX}"
# What changes the result of an adapter in a way that is not supported, and what it is without it.
_REQUIRED: dict[str, Any] = {
    "peft_type": "LORA",
    "bias": "none",
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
}


@dataclass(frozen=True)
class PeftAdapters:
    """Adapters read from PEFT's format.

    Attributes:
        rank: Their rank.
        arrays: The adapters under this package's names.
        base_model: What their configuration names as the base model; may be empty.
    """

    rank: int
    arrays: dict[str, np.ndarray]
    base_model: str


def is_adapter_folder(folder: Path) -> bool:
    """Whether a folder has adapters in PEFT's format."""
    return (folder / ADAPTER_CONFIG).is_file()


def _peer_name(name: str) -> str:
    """PEFT's name of an adapter.

    >>> _peer_name("model/h0/mlp/c_fc/lora_a")
    'base_model.model.transformer.h.0.mlp.c_fc.lora_A.weight'
    """
    _, layer, block, matrix, kind = name.split("/")
    kind = f"lora_{kind[-1].upper()}"
    return f"{_NAME_PREFIX}h.{layer[1:]}.{block}.{matrix}.{kind}.weight"


def write_adapters(folder: Path, adapters: Mapping[str, np.ndarray], base_model: str) -> None:
    """Write adapters in PEFT's format.

    Args:
        folder: Created if it does not exist.
        adapters: The adapters under this package's names.
        base_model: Where PEFT finds the base model: a name on the Hub or a path.

    Raises:
        CheckpointError: The weights cannot be read or written.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # PEFT stores the matrices of a linear layer, which are transposed.
    tensors = {_peer_name(name): np.ascontiguousarray(a.T) for name, a in adapters.items()}
    rank = adapters["model/h0/attn/c_attn/lora_a"].shape[1]
    save_tensors(folder / ADAPTER_WEIGHTS, tensors)
    config = {
        **_REQUIRED,
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": LORA_SCALE * rank,
        "lora_dropout": 0.0,
        "target_modules": [matrix.replace("/", ".") for matrix in MATRICES],
        "fan_in_fan_out": True,  # GPT-2's matrices are stored as (n_in, n_out)
        "inference_mode": True,
        "init_lora_weights": True,
        "use_rslora": False,
    }
    atomic_write_text(folder / ADAPTER_CONFIG, to_json(config))


def read_adapters(folder: Path, config: ModelConfig) -> PeftAdapters:
    """Read adapters in PEFT's format.

    Matrices without an adapter get one that changes nothing, since here all of them have one.

    Args:
        folder: The folder with the adapters.
        config: The base model's shape.

    Returns:
        The adapters, scaled so that this package's scale applies to them.

    Raises:
        CheckpointError: A file is missing or damaged, the adapters are for another shape, or use
            something that is not supported.
    """
    path = folder / ADAPTER_CONFIG
    values = read_object(path)
    for name, required in _REQUIRED.items():
        if (given := values.get(name) or required) != required:
            raise CheckpointError(
                f"{path}: {name} must be {required or 'empty'}, got {brief_repr(given)}: these "
                "adapters cannot be imported"
            )
    variants = sorted(n for n in values if n.startswith("use_") and values[n])
    if set(variants) - {"use_rslora"}:
        raise CheckpointError(f"{path}: adapters with {', '.join(variants)} cannot be imported")
    rank, alpha = values.get("r"), values.get("lora_alpha")
    is_rank = isinstance(rank, int) and not isinstance(rank, bool) and rank > 0
    is_scale = isinstance(alpha, int | float) and abs(alpha) <= _MAX_ALPHA  # which NaN is not
    if rank is None or alpha is None or not (is_rank and is_scale):
        raise CheckpointError(
            f"{path}: r and lora_alpha must be positive numbers, got {brief_repr(rank)} and "
            f"{brief_repr(alpha)}"
        )
    if rank > 4 * config.n_embd:
        raise CheckpointError(
            f"{path}: r is {brief_repr(rank)}, but the matrices of the base model have at most "
            f"{4 * config.n_embd} rows: these adapters cannot be imported"
        )
    scale = alpha / (math.sqrt(rank) if values.get("use_rslora") else rank)
    file = folder / ADAPTER_WEIGHTS
    shapes = shapes_in(file)
    arrays = new_adapters(config, rank, seed=0)
    for name, shape in adapter_shapes(config, rank).items():
        peer = _peer_name(name)
        stored = shapes.pop(peer, None)
        if stored is None:
            continue
        if stored != shape[::-1]:
            raise CheckpointError(
                f"{file}: {peer} has shape {list(stored)}, but the base model needs "
                f"{list(shape[::-1])}: the adapters belong to a model of another size"
            )
        factor = np.float32(scale / LORA_SCALE if name.endswith("lora_b") else 1)
        with np.errstate(over="ignore"):
            arrays[name] = np.ascontiguousarray(read_tensor(file, peer).T) * factor
        require_finite(arrays[name], file, peer)
    if shapes:
        raise CheckpointError(
            f"{file} has the adapter {brief(min(shapes))}, which the base model has no place for: "
            f"only adapters of {', '.join(MATRICES)} can be imported, for a model with as many "
            "layers"
        )
    base_model = values.get("base_model_name_or_path")
    return PeftAdapters(rank, arrays, base_model if isinstance(base_model, str) else "")
