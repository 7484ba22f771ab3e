"""A GPT-2 in Hugging Face's layout: opening a folder and writing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange import config_json
from gpt2_helpers.exchange.model_card import CARD_MARKER
from gpt2_helpers.exchange.tokenizer_files import load_tokenizer, save_tokenizer
from gpt2_helpers.exchange.weights import WEIGHTS_FILE, SafetensorsWeights, save_weights
from gpt2_helpers.system.files import atomic_write_text
from gpt2_helpers.tokenizer import Tokenizer

CARD_FILE = "README.md"


@dataclass(frozen=True)
class HuggingFaceModel:
    """A model in Hugging Face's layout; its weights are read when they are accessed."""

    config: ModelConfig
    tokenizer: Tokenizer
    weights: SafetensorsWeights


def is_model_folder(folder: Path) -> bool:
    """Whether a folder has a `config.json`."""
    return (folder / config_json.CONFIG_FILE).is_file()


def open_model(folder: str | Path) -> HuggingFaceModel:
    """Open a GPT-2 in Hugging Face's layout.

    Args:
        folder: A folder with `config.json`, safetensors and the tokenizer's files, as transformers
            saves and the Hub has them.

    Returns:
        The model.

    Raises:
        CheckpointError: A file is missing or damaged, or the model is not a GPT-2.

    Example:
        open_model("distilgpt2").config.n_layer  # 6
    """
    folder = Path(folder)
    path = folder / config_json.CONFIG_FILE
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder with a model")
    values = config_json.read_object(path)
    config = config_json.model_config(values, path)
    weights = SafetensorsWeights(folder, config)
    tokenizer = load_tokenizer(folder, config.n_vocab, values.get("eos_token_id"))
    return HuggingFaceModel(config, tokenizer, weights)


def write_model(
    folder: str | Path,
    config: ModelConfig,
    tokenizer: Tokenizer,
    weights: Mapping[str, np.ndarray],
    card: str,
    dtype: str = "float32",
) -> None:
    """Write a model in Hugging Face's layout. Other files in the folder are not changed.

    Args:
        folder: Created if it does not exist.
        config: The model's shape.
        tokenizer: The model's tokenizer.
        weights: The model's variables under OpenAI's names.
        card: The model card, for README.md.
        dtype: float32 or float16, of the saved weights.

    Raises:
        CheckpointError: A weight cannot be read or written.
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / WEIGHTS_FILE, weights, dtype)
    save_tokenizer(tokenizer, config.n_ctx, folder)
    end = tokenizer.end_of_text
    for name, values in (
        (config_json.GENERATION_FILE, config_json.generation_json(config, end)),
        (config_json.CONFIG_FILE, config_json.config_json(config, end, dtype)),
    ):
        atomic_write_text(folder / name, config_json.to_json(values))
    write_card(folder, card)


def write_card(folder: Path, card: str) -> None:
    """Write README.md, unless the folder has one that this package did not write."""
    path = folder / CARD_FILE
    if not path.is_file() or CARD_MARKER in path.read_text(encoding="utf-8", errors="replace"):
        atomic_write_text(path, card)
