"""The bundled model without most of its layers: real words at a fraction of the time to compile."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import variable_shapes
from gpt2_helpers.tokenizer import TOKENIZER_FILES


def write_shallow(folder: Path, n_layer: int = 1) -> Path:
    """Write a model folder with the tokenizer, the embeddings and the first layers of `tiny`."""
    whole = load_model(BUNDLED_FOLDER)
    config = dataclasses.replace(whole.config, n_layer=n_layer)
    weights = {name: whole.variables[name].numpy() for name in variable_shapes(config)}
    save_model(GPT2(config, weights), folder)
    for name in TOKENIZER_FILES:
        shutil.copy(BUNDLED_FOLDER / name, folder)
    return folder
