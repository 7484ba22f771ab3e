"""The model and adapters that transformers and PEFT saved, and a model of this package's own."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.exchange.model_folder import open_model, write_model
from gpt2_helpers.tokenizer import Tokenizer
from paths import ROOT
from toy import TOY, toy_tokenizer, toy_weights

GOLDEN = ROOT / "tests" / "support" / "golden" / "hugging_face"
# As in golden/make_hugging_face.py.
TEXTS = [
    "Der alte Fischer saß am Ufer.",
    "Die Straße führt über die Brücke, und was ist das?\n\n  Привет, 日本! 3½",
]
SIZES = [(48, 24), (47, 1), (20, 7), (9, 9)]  # windows and strides of `scores.npz`
SHAPE = dataclasses.replace(TOY, n_vocab=toy_tokenizer().n_vocab, n_ctx=48)


def golden(name: str) -> dict[str, np.ndarray]:
    """The ids and logits of TEXTS that transformers computed: `ids_N` and `logits_N`."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def golden_model() -> tuple[InferenceModel, Tokenizer]:
    """The golden model and its tokenizer, without TensorFlow."""
    model = open_model(GOLDEN / "model")
    return InferenceModel(model.config, model.weights, "float32", "float32"), model.tokenizer


def copy_model(folder: Path) -> Path:
    """A copy of the golden model, to change its files."""
    return Path(shutil.copytree(GOLDEN / "model", folder))


def change_json(path: Path, **values: Any) -> None:
    """Replace some values of a JSON object; None removes one."""
    content = json.loads(path.read_text(encoding="utf-8")) | values
    kept = {name: value for name, value in content.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def write_own_model(folder: Path, **options: Any) -> None:
    """The toy model, written by this package."""
    write_model(folder, SHAPE, toy_tokenizer(), toy_weights(SHAPE), "# card", **options)
