"""The inference-only model: lazy weights, and the same model in TensorFlow."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.checkpoint.model_files import load_for_inference, save_model
from gpt2_helpers.errors import CheckpointError
from toy import TOY, toy_model

SHAPE = dataclasses.replace(TOY, n_layer=1)


@pytest.fixture
def model(tmp_path: Path) -> InferenceModel:
    save_model(toy_model(SHAPE), tmp_path)
    return load_for_inference(tmp_path, "float32", "int8")


def test_weights_are_read_in_fp32(model: InferenceModel) -> None:
    weight = model.effective_weight("model/wpe")
    assert (weight.shape, weight.dtype) == ((SHAPE.n_ctx, SHAPE.n_embd), np.float32)


def test_weights_are_read_at_each_access(model: InferenceModel) -> None:
    assert model.prefix is not None
    Path(f"{model.prefix}.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be read"):
        model.effective_weight("model/wpe")


def test_the_tensorflow_model_has_the_same_weights_and_dtypes(model: InferenceModel) -> None:
    full = model.to_tensorflow()
    assert (full.config, full.decoding_precision) == (SHAPE, "int8")
    for name, variable in full.variables.items():
        np.testing.assert_array_equal(variable.numpy(), model.effective_weight(name))


def test_loading_does_not_import_tensorflow(model: InferenceModel) -> None:
    assert model.prefix is not None
    script = (
        "import sys; from gpt2_helpers.checkpoint.model_files import load_for_inference; "
        f"load_for_inference({str(model.prefix.parent)!r}, 'float32', 'int8'); "
        "print('tensorflow' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
