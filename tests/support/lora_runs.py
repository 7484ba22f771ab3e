"""A toy model with runs that were finetuned from it with LoRA, written without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gpt2_helpers.checkpoint.model_files import save_weights
from gpt2_helpers.checkpoint.weights import write_weights
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.model.lora import MergedWeights, new_adapters
from toy import toy_tokenizer, toy_weights

TOKENIZER = toy_tokenizer()
SHAPE = ModelConfig(n_vocab=TOKENIZER.n_vocab, n_ctx=32, n_embd=16, n_head=2, n_layer=2)


def write_base_and_runs() -> None:
    """Write models/base and models/other, the runs `one` and `two` with adapters of `base`, and
    `full` without, in the working directory."""
    base = toy_weights(SHAPE, seed=4, scale=9.0)
    _write("models/base", base, "model.ckpt")
    _write("models/other", toy_weights(SHAPE, seed=5), "model.ckpt")
    _write("checkpoint/full", base, "model-3")
    for run, seed in (("one", 1), ("two", 2)):
        random = np.random.default_rng(seed)
        adapters = {
            name: random.normal(0, 0.5, array.shape).astype(np.float32)
            for name, array in new_adapters(SHAPE, 2, seed).items()
        }
        _write(f"checkpoint/{run}", MergedWeights(base, adapters), "model-3")
        write_weights(Path(f"checkpoint/{run}/adapters-3"), adapters)


def _write(path: str, weights: Mapping[str, np.ndarray], checkpoint: str) -> None:
    folder = Path(path)
    folder.mkdir(parents=True)
    TOKENIZER.save(folder)
    save_weights(folder, checkpoint, SHAPE, weights)
