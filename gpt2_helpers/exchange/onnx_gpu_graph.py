"""GPT-2 as an ONNX graph for a GPU, which keeps the cache there between calls.

It differs from that of `onnx_graph` in two ways:

- There is one segment of keys and values, `recent_k_0` (H, R, D) and so on, of which only the first
  `past_length` tokens are used. So the outputs of a call are the inputs of the next one
  without a change, even if the text was shortened. The used part is copied on the GPU.
- 8-bit matrices are converted to fp32 on the GPU, since the runtime has no integer products for
  WebGPU. Their input is not rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.exchange.onnx_graph import Graph, Segments, import_onnx
from gpt2_helpers.exchange.onnx_weights import ZERO_POINT, StoredTensor


def build_gpu_graph(config: ModelConfig, tensors: Mapping[str, Sequence[StoredTensor]]) -> bytes:
    """Build the graph of a model whose weights are in other files, see `build_graph`.

    Args:
        config: The model's shape.
        tensors: Where the weights are.

    Returns:
        The content of `model.gpu.onnx`.

    Raises:
        MissingPackageError: The package onnx is not installed.
    """
    return _GpuGraph(import_onnx(), config, tensors).model()


class _GpuGraph(Graph):
    """The nodes of a graph for a GPU."""

    def _cache_inputs(self, kind: str, layer: int) -> None:
        heads, size = self._config.n_head, self._config.head_dim
        self._input(f"recent_{kind}_{layer}", np.float32, [heads, "recent", size])

    def _segments(self, n_tokens: str) -> Segments:
        past = self._op("Reshape", "past_length", self._ints(1))
        end = self._op("Squeeze", self._op("Add", past, n_tokens))
        one = self._int(1)
        queries = self._op("Range", "past_length", end, one)
        queries = self._op("Unsqueeze", queries, self._ints(1))  # (T, 1)
        keys = self._op("Range", self._int(0), end, one)  # (P + T)
        visible = self._op("LessOrEqual", keys, queries)
        return Segments(self._bias(visible), past)

    def _attended(self, layer: int, query: str, key: str, value: str, segments: Segments) -> str:
        found = {}
        for kind, new in (("k", key), ("v", value)):
            cached = f"recent_{kind}_{layer}"
            used = self._op("Slice", cached, self._ints(0), segments.lengths, self._ints(1))
            found[kind] = self._grown(kind, layer, used, new)
        keys = self._op("Transpose", found["k"], perm=[0, 2, 1])
        scores = self._op("Add", self._op("MatMul", query, keys), segments.bias)
        return self._op("MatMul", self._op("Softmax", scores, axis=-1), found["v"])

    def _integer_product(self, x: str, matrix: str, scales: str) -> str:
        n_columns = self._initializers[matrix].dims[1]
        zero_points = f"zero_points_{n_columns}"
        if zero_points not in self._initializers:
            values = np.full(n_columns, ZERO_POINT, np.uint8)
            self._initializers[zero_points] = self._onnx.numpy_helper.from_array(
                values, zero_points
            )
        floats = self._op("DequantizeLinear", matrix, scales, zero_points, axis=1)
        return self._op("MatMul", x, floats)

    def _set_rows(self, n_rows: str) -> None:
        """The inputs of products are not rounded."""
