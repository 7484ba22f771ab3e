"""The graph for GPUs: the same logits as ours, with the outputs of a call as inputs of the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.exchange.onnx_gpu_graph import build_gpu_graph
from gpt2_helpers.exchange.onnx_weights import WeightFiles, stored_weights
from onnx_runner import our_logits
from toy import TOY, toy_weights

onnx = pytest.importorskip("onnx")


class GpuRunner:
    """A session of ONNX Runtime with the cache of one text."""

    def __init__(self, folder: Path, config: ModelConfig, dtype: str, max_bytes: int) -> None:
        runtime = pytest.importorskip("onnxruntime")
        folder.mkdir()
        with WeightFiles(folder, max_bytes) as files:
            for weight in stored_weights(toy_weights(config, scale=3.0), dtype):
                files.add(weight)
        path = folder / "model.gpu.onnx"
        path.write_bytes(build_gpu_graph(config, files.tensors))
        self._session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        # As in gpu_decoder.js, since a GPU has no empty tensors.
        first = np.full((config.n_head, 1, config.head_dim), 7.0, np.float32)
        names = [f"{kind}_{layer}" for layer in range(config.n_layer) for kind in "kv"]
        self._cache = dict.fromkeys(names, first)

    def read(self, ids: list[int], length: int) -> np.ndarray:
        """Read tokens after the first `length` of the text; returns the logits (n_vocab)."""
        inputs = {"input_ids": np.array(ids, np.int64), "past_length": np.asarray(np.int64(length))}
        inputs |= {f"recent_{name}": array for name, array in self._cache.items()}
        names = ["logits", *(f"new_recent_{name}" for name in self._cache)]
        logits, *grown = self._session.run(names, inputs)
        self._cache = dict(zip(self._cache, grown, strict=True))
        found: np.ndarray = logits[0]
        return found


@pytest.mark.parametrize("shape", [TOY, ModelConfig(301, 33, 15, 1, 3)], ids=["toy", "odd width"])
@pytest.mark.parametrize("max_bytes", [10**6, 500])
def test_a_text_is_read_in_parts_and_shortened(
    shape: ModelConfig, max_bytes: int, tmp_path: Path
) -> None:
    weights = toy_weights(shape, scale=3.0)
    runner = GpuRunner(tmp_path / "model", shape, "float32", max_bytes)
    ids = np.random.default_rng(1).integers(0, shape.n_vocab, 12).tolist()
    # The last two calls replace tokens that were read before.
    for start, end in ((0, 3), (3, 4), (4, 9), (2, 7), (0, 12)):
        np.testing.assert_allclose(
            runner.read(ids[start:end], start),
            our_logits(shape, weights, ids[:end]),
            rtol=0,
            atol=1e-4,
        )


def test_8_bit_matrices_are_close(tmp_path: Path) -> None:
    runner = GpuRunner(tmp_path / "model", TOY, "int8", 10**6)
    ids = [1, 2, 3, 4, 5]
    expected = our_logits(TOY, toy_weights(TOY, scale=3.0), ids)
    assert np.abs(runner.read(ids, 0) - expected).max() < 0.05 * np.ptp(expected)
    model = onnx.load(tmp_path / "model" / "model.gpu.onnx", load_external_data=False)
    kinds = {node.op_type for node in model.graph.node}
    assert "DequantizeLinear" in kinds
    assert "MatMulInteger" not in kinds, "WebGPU has none"
