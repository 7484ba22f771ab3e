"""What a graph would do on a GPU, according to TensorFlow's kernel registry. Needs no GPU.

TensorFlow's package for Linux on x86_64 registers its CUDA kernels on machines without a GPU too.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import kernels as registry
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

GPU = ("GPU", "DEFAULT")  # names under which kernels for a GPU are registered
XLA_GPU = ("XLA_GPU_JIT",)  # for XLA's code on a GPU
# Run by the executor itself.
NO_KERNEL = {"Placeholder", "_Arg", "_Retval", "NoOp"}
CALLS = {
    "PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "If", "StatelessIf",
    "Case", "StatelessCase",
}  # fmt: skip
# Not stored in the memory of a device.
HANDLES = (tf.resource, tf.string, tf.variant)


class Nodes:
    """The nodes of a graph, and of all functions that it calls, also in loops and branches."""

    def __init__(self, graph: Any) -> None:
        functions = graph.as_graph_def().library.function
        nested = (function_def_to_graph(definition) for definition in functions)
        self._parts = [_Part(part) for part in (graph, *nested)]

    def missing_kernels(self, devices: tuple[str, ...] = GPU) -> Counter[str]:
        """The nodes that have no kernel on these devices, and how often each occurs."""
        missing: Counter[str] = Counter()
        for part in self._parts:
            for node in part.nodes.values():
                if node.op not in NO_KERNEL and part.kernel(node.name, devices) is None:
                    types = {
                        name: tf.as_dtype(value.type).name
                        for name, value in node.attr.items()
                        if value.WhichOneof("value") == "type"
                    }
                    missing[f"{node.op} {types}"] += 1
        return missing

    def host_copies(self, smallest: int, unknown: int) -> Counter[str]:
        """The tensors that would be copied between the GPU's memory and main memory.

        Args:
            smallest: Tensors of fewer elements are ignored.
            unknown: Size to assume for unknown dimensions.

        Returns:
            A description of each copy, and how often it occurs.
        """
        copies: Counter[str] = Counter()
        for part in self._parts:
            for op in part.operations:
                for order, tensor in enumerate(op.inputs):
                    if tensor.dtype in HANDLES or _size(tensor.shape, unknown) < smallest:
                        continue
                    here = part.reads_main_memory(op, order, tensor.dtype)
                    there = part.writes_main_memory(tensor)
                    # Constants are computed once, when the graph is optimized.
                    if here != there and op.type not in NO_KERNEL and not part.is_constant(tensor):
                        way = "to main memory" if here else "to the GPU"
                        copies[f"{way}: {tensor.op.type} -> {op.type} {tensor.dtype.name}"] += 1
        return copies


class _Part:
    """The nodes of one graph, without those of the functions that it calls."""

    def __init__(self, graph: Any) -> None:
        self.operations = graph.get_operations()
        self.nodes = {node.name: node for node in graph.as_graph_def().node}
        self._constant: dict[str, bool] = {}

    def kernel(self, name: str, devices: tuple[str, ...] = GPU) -> Any:
        """The kernel that runs a node on the first of these devices that has one, or None."""
        node = self.nodes[name]
        kernels = _kernels(node.op)
        for device in devices:
            for kernel in kernels:
                if kernel.device_type == device and not kernel.label and _accepts(kernel, node):
                    return kernel
        return None

    def reads_main_memory(self, op: Any, order: int, dtype: tf.DType) -> bool:
        """Whether a node on a GPU reads this input in main memory."""
        return self._uses_main_memory(op, order, dtype, "input_arg")

    def writes_main_memory(self, tensor: Any) -> bool:
        """Whether a node on a GPU writes this output in main memory."""
        return self._uses_main_memory(tensor.op, tensor.value_index, tensor.dtype, "output_arg")

    def _uses_main_memory(self, op: Any, order: int, dtype: tf.DType, arguments: str) -> bool:
        if op.type in NO_KERNEL or op.type in CALLS:
            return dtype == tf.int32  # as arguments and results of functions are
        kernel = self.kernel(op.name)
        if kernel is None:
            return True  # it runs on the processor
        host = set(kernel.host_memory_arg)
        return bool(host) and _argument(self.nodes[op.name], order, arguments) in host

    def is_constant(self, tensor: Any) -> bool:
        """Whether a tensor depends on constants only."""
        op = tensor.op
        if op.name not in self._constant:
            self._constant[op.name] = False  # in case of a cycle
            definition = op_def_registry.get(op.type)
            pure = op.type not in NO_KERNEL | CALLS and not definition.is_stateful
            self._constant[op.name] = pure and all(map(self.is_constant, op.inputs))
        return self._constant[op.name]


def _size(shape: tf.TensorShape, unknown: int) -> float:
    if shape.rank is None:
        return math.inf
    return math.prod(unknown if size is None else size for size in shape.as_list())


@cache
def _kernels(op_type: str) -> tuple[Any, ...]:
    return tuple(registry.get_registered_kernels_for_op(op_type).kernel)


def _accepts(kernel: Any, node: Any) -> bool:
    """Whether a kernel is registered for the types of a node."""
    for constraint in kernel.constraint:
        attribute = node.attr[constraint.name]
        is_one = attribute.WhichOneof("value") == "type"
        types = [attribute.type] if is_one else attribute.list.type
        if not set(types) <= set(constraint.allowed_values.list.type):
            return False
    return True


def _argument(node: Any, order: int, arguments: str) -> str:
    """The name of a node's argument, "input_arg" or "output_arg", that this tensor belongs to."""
    names: list[str] = []
    for argument in getattr(op_def_registry.get(node.op), arguments):
        count = 1
        if argument.number_attr:
            count = node.attr[argument.number_attr].i
        elif argument.type_list_attr:
            count = len(node.attr[argument.type_list_attr].list.type)
        names += [argument.name] * count
    return names[order]
