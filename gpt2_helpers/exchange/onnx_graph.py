"""GPT-2 as an ONNX graph with a KV cache, in standard operators.

Inputs, for a model with H heads of D numbers:

| name | type | |
|---|---|---|
| `input_ids` | int64 (T) | the new tokens, at least one |
| `past_length` | int64 scalar | number of tokens before them: their first position |
| `past_k_0` ... | float32 (H, D, P) | older keys of each layer; P may be 0 |
| `past_v_0` ... | float32 (H, P, D) | their values |
| `recent_k_0`, `recent_v_0` ... | float32 (H, R, D) | the newer ones; R may be 0 |

Outputs are `logits` (1, n_vocab) of the last token, and `new_recent_k_0`, `new_recent_v_0` ...
(H, R + T, D), the next call's `recent`.

The cache has two segments because ONNX has no update in place: a decode step copies `recent` only.
The caller appends it to `past` when it has grown to some length, such as 64 tokens. Attention
concatenates the scores of both segments, not their keys. Older keys come transposed: to transpose
them for each token would take longer than the products with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import import_optional
from gpt2_helpers.exchange.onnx_weights import LARGEST, SCALES, ZERO_POINT, StoredTensor
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON

OPSET, IR_VERSION = 20, 9  # onnxruntime 1.17 and later
_END = 2**31 - 1  # the end of a slice that has none
_MASKED = -1e9
_SMALLEST = 1e-12  # added to a scale, which must not be 0


def import_onnx() -> ModuleType:
    """The package onnx. MissingPackageError if it is not installed."""
    return import_optional("onnx", "exporting an ONNX model", "onnx")


def build_graph(
    config: ModelConfig,
    tensors: Mapping[str, Sequence[StoredTensor]],
) -> bytes:
    """Build the graph of a model whose weights are in other files.

    Args:
        config: The model's shape.
        tensors: Where the weights are: the parts of each variable, split along its last axis. They
            are 8-bit numbers with scales (see `onnx_weights`), or fp32.

    Returns:
        The content of `model.onnx`.

    Raises:
        MissingPackageError: The package onnx is not installed.

    Example:
        Path("model.onnx").write_bytes(build_graph(config, files.tensors))
    """
    return Graph(import_onnx(), config, tensors).model()


@dataclass(frozen=True)
class Segments:
    """What the attention of all layers shares: sizes and the mask."""

    bias: str  # (T, R + T), added to the scores of the recent segment
    lengths: str  # P and R + T; for a GPU only P


class Graph:
    """Collects nodes. Methods that add nodes return the names of their outputs."""

    def __init__(
        self,
        onnx: ModuleType,
        config: ModelConfig,
        tensors: Mapping[str, Sequence[StoredTensor]],
    ) -> None:
        self._onnx, self._config, self._tensors = onnx, config, tensors
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._quantized: dict[str, tuple[str, str]] = {}  # input of a product -> integers, scales
        self._zero_points = ""  # of each row of the current inputs of products

    def model(self) -> bytes:
        """The whole model in ONNX's format."""
        helper = self._onnx.helper
        self._forward()
        graph = helper.make_graph(
            self._nodes, "gpt2", self._inputs, self._outputs, list(self._initializers.values())
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="gpt2-helpers",
        )
        content: bytes = model.SerializeToString()
        return content

    # The forward pass

    def _forward(self) -> None:
        config = self._config
        self._input("input_ids", np.int64, ["tokens"])
        self._input("past_length", np.int64, [])
        for layer in range(config.n_layer):
            for kind in "kv":
                self._cache_inputs(kind, layer)
        self._output("logits", np.float32, [1, config.n_vocab])
        n_tokens = self._op("Shape", "input_ids")
        self._set_rows(n_tokens)
        segments = self._segments(n_tokens)
        x = self._op("Add", self._embeddings(), self._positions(n_tokens))
        for layer in range(config.n_layer):
            name = f"model/h{layer}"
            attended = self._attention(layer, self._norm(x, f"{name}/ln_1"), segments)
            x = self._op("Add", x, attended)
            hidden = self._linear(self._norm(x, f"{name}/ln_2"), f"{name}/mlp/c_fc")
            hidden = self._op("Gelu", hidden, approximate="tanh")
            x = self._op("Add", x, self._linear(hidden, f"{name}/mlp/c_proj"))
        last = self._op("Slice", x, self._ints(-1), self._ints(_END), self._ints(0))
        self._set_rows(self._ints(1))
        self._matmul(self._norm(last, "model/ln_f"), "model/wte", result="logits")

    def _cache_inputs(self, kind: str, layer: int) -> None:
        heads, size = self._config.n_head, self._config.head_dim
        shape: list[int | str] = [heads, size, "past"] if kind == "k" else [heads, "past", size]
        self._input(f"past_{kind}_{layer}", np.float32, shape)
        self._input(f"recent_{kind}_{layer}", np.float32, [heads, "recent", size])

    def _segments(self, n_tokens: str) -> Segments:
        past = self._op("Shape", "past_v_0", start=1, end=2)
        recent = self._op("Shape", "recent_k_0", start=1, end=2)
        both = self._op("Add", recent, n_tokens)
        first, end = self._op("Squeeze", recent), self._op("Squeeze", both)
        one = self._int(1)
        queries = self._op("Unsqueeze", self._op("Range", first, end, one), self._ints(1))  # (T, 1)
        keys = self._op("Range", self._int(0), end, one)  # (R + T)
        visible = self._op("LessOrEqual", keys, queries)
        return Segments(self._bias(visible), self._op("Concat", past, both, axis=0))

    def _bias(self, visible: str) -> str:
        """What is added to scores, so that only visible tokens count."""
        return self._op("Where", visible, self._float(0.0), self._float(_MASKED))

    def _positions(self, n_tokens: str) -> str:
        """The position embeddings of the new tokens.

        A Slice, since onnxruntime 1.32 makes an invalid one of a Gather with a Range.
        """
        first = self._op("Reshape", "past_length", self._ints(1))
        parts = [
            self._op("Slice", part, first, self._op("Add", first, n_tokens), self._ints(0))
            for part in self._parts("model/wpe")
        ]
        return self._joined(parts, 1)

    def _embeddings(self) -> str:
        """The token embeddings of the new tokens, columns of the output matrix."""
        parts, start = [], 0
        stored = self._tensors["model/wte"]
        for order, (tensor, name) in enumerate(zip(stored, self._parts("model/wte"), strict=True)):
            ids, n_columns = "input_ids", tensor.shape[1]
            if len(stored) > 1:
                ids = self._op("Sub", ids, self._ints(start))
                inside = self._op("Clip", ids, self._int(0), self._int(n_columns - 1))
                found = self._op("Unsqueeze", self._op("Equal", ids, inside), self._ints(1))
                ids = inside
            columns = self._op("Transpose", self._op("Gather", name, ids, axis=1), perm=[1, 0])
            if tensor.dtype == np.uint8:
                scales = self._op("Gather", self._parts("model/wte" + SCALES)[order], ids)
                columns = self._op("Cast", columns, to=self._onnx.TensorProto.FLOAT)
                columns = self._op("Sub", columns, self._float(ZERO_POINT))
                columns = self._op("Mul", columns, self._op("Unsqueeze", scales, self._ints(1)))
            if len(stored) > 1:
                columns = self._op("Where", found, columns, self._float(0.0))
            parts.append(columns)
            start += n_columns
        return self._op("Sum", *parts) if len(parts) > 1 else parts[0]

    def _attention(self, layer: int, x: str, segments: Segments) -> str:
        config = self._config
        heads, size, name = config.n_head, config.head_dim, f"model/h{layer}/attn"
        qkv = self._op(
            "Reshape", self._linear(x, f"{name}/c_attn"), self._ints(-1, 3 * heads, size)
        )
        qkv = self._op("Transpose", qkv, perm=[1, 0, 2])  # (3H, T, D)
        query, key, value = self._ops("Split", 3, qkv, axis=0, num_outputs=3)
        query = self._op("Mul", query, self._float(size**-0.5))
        attended = self._attended(layer, query, key, value, segments)
        attended = self._op("Transpose", attended, perm=[1, 0, 2])
        attended = self._op("Reshape", attended, self._ints(-1, config.n_embd))
        return self._linear(attended, f"{name}/c_proj")

    def _grown(self, kind: str, layer: int, before: str, new: str) -> str:
        """The keys or values of the recent segment with the new ones, which are an output."""
        heads, size = self._config.n_head, self._config.head_dim
        result = self._op("Concat", before, new, axis=1, result=f"new_recent_{kind}_{layer}")
        self._output(result, np.float32, [heads, "recent_and_tokens", size])
        return result

    def _attended(self, layer: int, query: str, key: str, value: str, segments: Segments) -> str:
        """The means of the values, weighted by attention (H, T, D)."""
        recent = {
            kind: self._grown(kind, layer, f"recent_{kind}_{layer}", new)
            for kind, new in (("k", key), ("v", value))
        }
        past_scores = self._op("MatMul", query, f"past_k_{layer}")  # (H, T, P)
        scores = self._op("MatMul", query, self._op("Transpose", recent["k"], perm=[0, 2, 1]))
        scores = self._op("Add", scores, segments.bias)  # (H, T, R + T)
        weights = self._op("Softmax", self._op("Concat", past_scores, scores, axis=2), axis=-1)
        past_weights, recent_weights = self._ops("Split", 2, weights, segments.lengths, axis=2)
        return self._op(
            "Add",
            self._op("MatMul", past_weights, f"past_v_{layer}"),
            self._op("MatMul", recent_weights, recent["v"]),
        )

    def _norm(self, x: str, name: str) -> str:
        gain, bias = self._whole(f"{name}/g"), self._whole(f"{name}/b")
        return self._op("LayerNormalization", x, gain, bias, epsilon=LAYER_NORM_EPSILON)

    def _linear(self, x: str, name: str) -> str:
        return self._op("Add", self._matmul(x, f"{name}/w"), self._whole(f"{name}/b"))

    # Matrix products

    def _matmul(self, x: str, name: str, result: str | None = None) -> str:
        """`x` (T, K) times a stored matrix (K, N)."""
        products = []
        for order, (tensor, part) in enumerate(
            zip(self._tensors[name], self._parts(name), strict=True)
        ):
            if tensor.dtype != np.uint8:
                products.append(self._op("MatMul", x, part))
                continue
            scales = self._parts(name + SCALES)[order]
            products.append(self._integer_product(x, part, scales))
        product = self._joined(products, 1)
        return self._op("Identity", product, result=result) if result else product

    def _integer_product(self, x: str, matrix: str, scales: str) -> str:
        """Quantize `x` with a scale for each row, and multiply integers.

        Not DynamicQuantizeLinear: its one scale for all rows would depend on the other tokens of
        the call, and one outlier would make it too coarse for them.
        """
        if x not in self._quantized:
            largest = self._op("ReduceMax", self._op("Abs", x), self._ints(-1))
            steps = self._op("Mul", largest, self._float(1 / LARGEST))
            steps = self._op("Add", steps, self._float(_SMALLEST))  # (T, 1)
            vector = self._op("Squeeze", steps, self._ints(1))
            integers = self._op("QuantizeLinear", x, vector, self._zero_points, axis=0)
            self._quantized[x] = integers, steps
        integers, steps = self._quantized[x]
        zero_point = self._constant(np.uint8(ZERO_POINT))
        product = self._op("MatMulInteger", integers, matrix, zero_point, zero_point)
        product = self._op("Cast", product, to=self._onnx.TensorProto.FLOAT)
        return self._op("Mul", self._op("Mul", product, steps), scales)

    def _set_rows(self, n_rows: str) -> None:
        """Set the number of rows of the following integer products."""
        if self._tensors["model/wte"][0].dtype == np.uint8:
            zero_point = self._constant(np.array([ZERO_POINT], np.uint8))
            self._zero_points = self._op("Expand", zero_point, n_rows)

    def _joined(self, parts: Sequence[str], axis: int) -> str:
        return self._op("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]

    # Nodes and values

    def _op(self, kind: str, *inputs: str, result: str | None = None, **attributes: Any) -> str:
        return self._ops(kind, 1, *inputs, names=result and [result], **attributes)[0]

    def _ops(
        self,
        kind: str,
        n_outputs: int,
        *inputs: str,
        names: Any = None,
        **attributes: Any,
    ) -> list[str]:
        order = len(self._nodes)
        outputs: list[str] = names or [f"{kind}_{order}_{i}" for i in range(n_outputs)]
        node = self._onnx.helper.make_node(kind, inputs, outputs, f"{kind}_{order}", **attributes)
        self._nodes.append(node)
        return outputs

    def _input(self, name: str, dtype: type, shape: list[int | str]) -> None:
        self._inputs.append(self._value(name, dtype, shape))

    def _output(self, name: str, dtype: type, shape: list[int | str]) -> None:
        self._outputs.append(self._value(name, dtype, shape))

    def _value(self, name: str, dtype: type, shape: list[int | str]) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self._onnx.helper.make_tensor_value_info(name, kind, shape)

    def _ints(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def _int(self, value: int) -> str:
        return self._constant(np.int64(value))

    def _float(self, value: float) -> str:
        return self._constant(np.float32(value))

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        numbers = "_".join(map(str, array.reshape(-1).tolist()))
        name = f"{array.dtype}{list(array.shape)}_{numbers}"
        if name not in self._initializers:
            self._initializers[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def _whole(self, name: str) -> str:
        """A stored vector."""
        return self._joined(self._parts(name), 0)

    def _parts(self, name: str) -> list[str]:
        """The initializers of a stored variable."""
        stored = self._tensors[name]
        names = [name if len(stored) == 1 else f"{name}.{i}" for i in range(len(stored))]
        for part, tensor in zip(names, stored, strict=True):
            if part not in self._initializers:
                self._initializers[part] = self._external(part, tensor)
        return names

    def _external(self, name: str, stored: StoredTensor) -> Any:
        proto = self._onnx.TensorProto(name=name, dims=stored.shape)
        proto.data_type = self._onnx.helper.np_dtype_to_tensor_dtype(stored.dtype)
        proto.data_location = self._onnx.TensorProto.EXTERNAL
        where = {"location": stored.file, "offset": stored.offset, "length": stored.size}
        for key, value in where.items():
            proto.external_data.add(key=key, value=str(value))
        return proto
