"""Hugging Face's `config.json` and `generation_config.json` of a GPT-2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import CheckpointError, OptionError, brief, brief_repr
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.system.bounded_files import read_json

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"

# Our names of the shape, and those of transformers' GPT2Config.
_SHAPE = {
    "n_vocab": "vocab_size",
    "n_ctx": "n_positions",
    "n_embd": "n_embd",
    "n_head": "n_head",
    "n_layer": "n_layer",
}
# Three names of GELU's tanh approximation. "gelu" is the exact function, which differs by 5e-4.
_ACTIVATIONS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")
# What OpenAI's GPT-2 has, and what a missing entry means.
_REQUIRED = {
    "layer_norm_epsilon": LAYER_NORM_EPSILON,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file. CheckpointError if it is missing, damaged or something else."""
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {brief(error)}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} must be a JSON object, got {brief_repr(values)}")
    return values


def to_json(values: Any) -> str:
    """Indented JSON that keeps characters other than ASCII, with a line end."""
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def model_config(values: dict[str, Any], path: Path) -> ModelConfig:
    """The shape of a model from the content of its `config.json`.

    Args:
        values: The content.
        path: The file, for messages.

    Returns:
        The shape.

    Raises:
        CheckpointError: It is not a GPT-2, or computes something that OpenAI's GPT-2 does not.
    """
    kind = values.get("model_type", "gpt2")
    if kind != "gpt2":
        raise CheckpointError(
            f"{path}: model_type must be gpt2, got {brief_repr(kind)}: other architectures cannot "
            "be imported"
        )
    if values.get("quantization_config"):
        raise CheckpointError(f"{path}: quantized weights cannot be imported: use the original")
    for name, required in _REQUIRED.items():
        if (given := values.get(name, required)) != required:
            raise _unsupported(path, name, given, str(required).lower())
    activation = values.get("activation_function", _ACTIVATIONS[0])
    if activation not in _ACTIVATIONS:
        raise _unsupported(path, "activation_function", activation, " or ".join(_ACTIVATIONS))
    defaults = ModelConfig()
    shape = {ours: values.get(name, getattr(defaults, ours)) for ours, name in _SHAPE.items()}
    try:
        config = ModelConfig(**shape)
    except OptionError as error:
        raise CheckpointError(f"{path}: {error}") from None
    inner = values.get("n_inner")
    if inner not in (None, 4 * config.n_embd):
        raise _unsupported(path, "n_inner", inner, f"4 n_embd = {4 * config.n_embd}")
    return config


def _unsupported(path: Path, name: str, given: object, required: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: {name} must be {required} as in OpenAI's GPT-2, got {brief_repr(given)}: the "
        "model cannot be imported"
    )


def config_json(config: ModelConfig, end_of_text: int, dtype: str) -> dict[str, Any]:
    """The content of `config.json`.

    Args:
        config: The shape.
        end_of_text: Id of the end token; texts also begin with it, as OpenAI's do.
        dtype: float32 or float16, of the saved weights.
    """
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        **{name: getattr(config, ours) for ours, name in _SHAPE.items()},
        "n_ctx": config.n_ctx,  # transformers ignores it, other tools read it
        "n_inner": None,
        "activation_function": _ACTIVATIONS[0],
        **_REQUIRED,
        "attn_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "torch_dtype": dtype,  # transformers 5 calls it dtype, and reads both
    }


def generation_json(config: ModelConfig, end_of_text: int) -> dict[str, Any]:
    """The content of `generation_config.json`: transformers samples as `generate` does here."""
    defaults = SamplingConfig()
    return {
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "pad_token_id": end_of_text,
        "do_sample": True,
        "temperature": defaults.temperature,
        "top_k": defaults.top_k,
        "max_length": min(defaults.length, config.n_ctx),
    }
