"""The graph of GPT-2 for ONNX Runtime: the same logits as ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import open_weights
from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig
from gpt2_helpers.exchange.onnx_graph import OPSET, build_graph
from gpt2_helpers.exchange.onnx_weights import WeightFiles, stored_weights
from onnx_runner import OnnxRunner, our_logits
from toy import TOY, toy_weights

onnx = pytest.importorskip("onnx")

SHAPES = {
    "toy": TOY,
    "heads of 2 and one layer": ModelConfig(7, 40, 6, 3, 1),
    "one head and an odd width": ModelConfig(301, 33, 15, 1, 3),
}


def write(
    folder: Path, config: ModelConfig, weights: Mapping[str, np.ndarray], dtype: str, **options: Any
) -> Path:
    folder.mkdir(exist_ok=True)
    with WeightFiles(folder, **options) as files:
        for weight in stored_weights(weights, dtype):
            files.add(weight)
    (folder / "model.onnx").write_bytes(build_graph(config, files.tensors))
    return folder


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("max_bytes", [10**6, 500])
def test_a_prompt_and_steps_have_our_logits(
    shape: ModelConfig, max_bytes: int, tmp_path: Path
) -> None:
    weights = toy_weights(shape, scale=3.0)
    runner = OnnxRunner(write(tmp_path, shape, weights, "float32", max_bytes=max_bytes), shape, 4)
    assert (len(list(tmp_path.glob("*.bin"))) > 1) == (max_bytes == 500)
    ids = np.random.default_rng(1).integers(0, shape.n_vocab, 12).tolist()
    read = 0
    for count in (3, 1, 2, 1, 1, 4):  # with a past, without one, and with an empty recent segment
        logits = runner.read(ids[read : read + count])
        read += count
        assert_close(logits, our_logits(shape, weights, ids[:read]))
    assert runner.moves == 3


@pytest.fixture(scope="module")
def tiny() -> tuple[ModelConfig, dict[str, np.ndarray]]:
    config, weights = open_weights(BUNDLED_FOLDER, None)
    return config, {name: weights[name].astype(np.float32) for name in weights}


def test_the_bundled_model_has_our_logits_before_and_after_a_move(
    tiny: tuple[ModelConfig, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    config, weights = tiny
    runner = OnnxRunner(write(tmp_path, config, weights, "float32"), config)
    ids = np.random.default_rng(2).integers(0, config.n_vocab, 100).tolist()
    assert_close(runner.read(ids[:60]), our_logits(config, weights, ids[:60]))
    for position in range(60, 70):
        logits = runner.read([ids[position]])
        if position in (60, 63, 64, 69):
            assert_close(logits, our_logits(config, weights, ids[: position + 1]))
    assert runner.moves == 1
    assert_close(runner.read(ids[70:]), our_logits(config, weights, ids))


def test_a_token_with_large_activations_does_not_make_the_others_coarser(tmp_path: Path) -> None:
    weights, outlier, ids = toy_weights(TOY, scale=3.0), 5, [1, 2, 3, 4]
    weights["model/wte"][outlier] = 10 * np.eye(TOY.n_embd, dtype=np.float32)[3]
    for layer in range(TOY.n_layer):  # a neuron that is active for this token only
        weights[f"model/h{layer}/mlp/c_fc/w"][0, 3, 0] = 1000
        weights[f"model/h{layer}/mlp/c_fc/b"][0] = -3000
        weights[f"model/h{layer}/mlp/c_proj/w"][0, 0] = 0
    exact, rounded = (
        OnnxRunner(write(tmp_path / dtype, TOY, weights, dtype), TOY)
        for dtype in ("float32", "int8")
    )
    expected = exact.read([outlier, *ids])
    rounded.read([outlier])
    error = np.abs(rounded.read(ids) - expected).max()
    rounded.restart()
    error_together = np.abs(rounded.read([outlier, *ids]) - expected).max()
    assert error_together < 2 * error < 0.1 * np.ptp(expected)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_the_graph_has_standard_operators_and_one_matrix_for_tokens(
    dtype: str, tmp_path: Path
) -> None:
    weights = toy_weights(TOY)
    write(tmp_path, TOY, weights, dtype)
    onnx.checker.check_model(str(tmp_path / "model.onnx"))
    model = onnx.load(str(tmp_path / "model.onnx"), load_external_data=False)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} == {""}
    matrix = [i for i in model.graph.initializer if i.name == "model/wte"]
    assert [list(i.dims) for i in matrix] == [[TOY.n_embd, TOY.n_vocab]]
    product = "MatMul" if dtype == "float32" else "MatMulInteger"
    users = Counter(node.op_type for node in model.graph.node if "model/wte" in node.input)
    assert users == {"Gather": 1, product: 1}
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["MatMulInteger"] == (0 if dtype == "float32" else 4 * TOY.n_layer + 1)


def test_inputs_and_outputs_are_named_by_layer(tmp_path: Path) -> None:
    write(tmp_path, TOY, toy_weights(TOY), "int8")
    graph = onnx.load(str(tmp_path / "model.onnx"), load_external_data=False).graph
    shapes = {value.name: list(dimensions(value)) for value in (*graph.input, *graph.output)}
    assert shapes["input_ids"] == ["tokens"]
    assert shapes["past_length"] == []
    assert shapes["past_v_1"] == [2, "past", 8]
    assert shapes["recent_k_0"] == [2, "recent", 8]
    assert shapes["new_recent_k_1"] == [2, "recent_and_tokens", 8]
    assert shapes["logits"] == [1, TOY.n_vocab]
    assert len(graph.input) == 2 + 4 * TOY.n_layer
    assert len(graph.output) == 1 + 2 * TOY.n_layer


def dimensions(value: Any) -> Iterator[int | str]:
    for dimension in value.type.tensor_type.shape.dim:
        yield dimension.dim_param or dimension.dim_value
