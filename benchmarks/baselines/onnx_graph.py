"""GPT-2 as an ONNX graph with a key-value cache, built by hand: one sequence, no batch.

Inputs are `input_ids` (time) and for each layer `past_kN` and `past_vN` (head, past, head_dim);
outputs are the `logits` of the last token (1, n_vocab), and `present_kN` and `present_vN` with all
tokens so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.config import ModelConfig

OPSET, IR_VERSION = 20, 10  # the first with Gelu; what onnxruntime 1.17 and later read
FP32, INT8 = "fp32.onnx", "int8.onnx"


class _Graph:
    """Nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: Any) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, *numbers: int) -> str:
        return self.constant(np.array(numbers, np.int64))

    def scalar(self, number: int) -> str:
        return self.constant(np.array(number, np.int64))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        (output,) = self.add_with_outputs(kind, inputs, 1, **attributes)
        return output

    def add_with_outputs(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        from onnx import helper

        names = [f"node{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def name(self, tensor: str, name: str) -> None:
        """Give an output of the graph its name."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [tensor], [name]))


def write_graphs(folder: Path, config: ModelConfig, weights: Mapping[str, Any]) -> None:
    """Write the graph in fp32, and with the matrices in 8 bits.

    Args:
        folder: Where they are written.
        config: The model's shape.
        weights: The fp32 weights, by OpenAI's names.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx.save(build(config, weights), str(folder / FP32))
    quantize_dynamic(
        folder / FP32,
        folder / INT8,
        op_types_to_quantize=["MatMul"],
        weight_type=QuantType.QInt8,
        per_channel=True,  # as ours; one scale a matrix was not faster
    )


def build(config: ModelConfig, weights: Mapping[str, Any]) -> Any:
    """The graph of a model."""
    from onnx import TensorProto, helper

    graph = _Graph()
    floats, integers = TensorProto.FLOAT, TensorProto.INT64
    past: list[str | int | None] = [config.n_head, "past", config.head_dim]
    present: list[str | int | None] = [config.n_head, "total", config.head_dim]
    inputs = [helper.make_tensor_value_info("input_ids", integers, ["time"])]
    outputs = [helper.make_tensor_value_info("logits", floats, [1, config.n_vocab])]
    for layer in range(config.n_layer):
        for part in "kv":
            inputs.append(helper.make_tensor_value_info(f"past_{part}{layer}", floats, past))
            outputs.append(helper.make_tensor_value_info(f"present_{part}{layer}", floats, present))
    embeddings = np.asarray(weights["model/wte"])
    time = graph.add("Gather", graph.add("Shape", "input_ids"), graph.scalar(0))
    before = graph.add("Gather", graph.add("Shape", "past_k0"), graph.scalar(1))
    total = graph.add("Add", before, time)
    positions = graph.add("Range", before, total, graph.scalar(1))
    x = graph.add(
        "Add",
        graph.add("Gather", graph.constant(embeddings), "input_ids"),
        graph.add("Gather", graph.constant(weights["model/wpe"]), positions),
    )  # (time, n_embd)
    keys = graph.add("Range", graph.scalar(0), total, graph.scalar(1))
    is_seen = graph.add(
        "LessOrEqual",
        graph.add("Unsqueeze", keys, graph.integers(0)),
        graph.add("Unsqueeze", positions, graph.integers(1)),
    )
    zero, masked = graph.constant(np.float32(0)), graph.constant(np.float32(-1e9))
    mask = graph.add("Where", is_seen, zero, masked)  # (time, total)
    for layer in range(config.n_layer):
        x = _layer(graph, config, weights, layer, x, mask)
    last = graph.add(
        "Slice", x, graph.integers(-1), graph.integers(np.iinfo(np.int32).max), graph.integers(0)
    )
    hidden = _norm(graph, weights, last, "model/ln_f")
    graph.name(graph.add("MatMul", hidden, graph.constant(embeddings.T)), "logits")
    made = helper.make_graph(graph.nodes, "gpt2", inputs, outputs, graph.constants)
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)


def _layer(
    graph: _Graph,
    config: ModelConfig,
    weights: Mapping[str, Any],
    layer: int,
    x: str,
    mask: str,
) -> str:
    """x (time, n_embd) after a transformer layer."""
    name = f"model/h{layer}"
    qkv = _linear(graph, weights, _norm(graph, weights, x, f"{name}/ln_1"), f"{name}/attn/c_attn")
    heads = graph.add("Reshape", qkv, graph.integers(-1, 3, config.n_head, config.head_dim))
    heads = graph.add("Transpose", heads, perm=[1, 2, 0, 3])  # (3, head, time, head_dim)
    parts = graph.add_with_outputs("Split", [heads], 3, axis=0, num_outputs=3)
    query, key, value = (graph.add("Squeeze", part, graph.integers(0)) for part in parts)
    keys = graph.add("Concat", f"past_k{layer}", key, axis=1)
    values = graph.add("Concat", f"past_v{layer}", value, axis=1)
    graph.name(keys, f"present_k{layer}")
    graph.name(values, f"present_v{layer}")
    scores = graph.add("MatMul", query, graph.add("Transpose", keys, perm=[0, 2, 1]))
    scale = graph.constant(np.float32(config.head_dim**-0.5))
    probabilities = graph.add(
        "Softmax", graph.add("Add", graph.add("Mul", scores, scale), mask), axis=-1
    )
    attended = graph.add("Transpose", graph.add("MatMul", probabilities, values), perm=[1, 0, 2])
    attended = graph.add("Reshape", attended, graph.integers(-1, config.n_embd))
    x = graph.add("Add", x, _linear(graph, weights, attended, f"{name}/attn/c_proj"))
    hidden = _linear(graph, weights, _norm(graph, weights, x, f"{name}/ln_2"), f"{name}/mlp/c_fc")
    hidden = graph.add("Gelu", hidden, approximate="tanh")
    return graph.add("Add", x, _linear(graph, weights, hidden, f"{name}/mlp/c_proj"))


def _norm(graph: _Graph, weights: Mapping[str, Any], x: str, name: str) -> str:
    gain, bias = (graph.constant(weights[f"{name}/{part}"]) for part in "gb")
    return graph.add("LayerNormalization", x, gain, bias, epsilon=1e-5)


def _linear(graph: _Graph, weights: Mapping[str, Any], x: str, name: str) -> str:
    matrix = np.asarray(weights[f"{name}/w"])[0]  # OpenAI's is (1, n_in, n_out)
    product = graph.add("MatMul", x, graph.constant(matrix))
    return graph.add("Add", product, graph.constant(weights[f"{name}/b"]))
