"""Builds small TensorFlow Lite programs around constant matrices. Independent of GPT-2.

On a CPU, TensorFlow Lite multiplies with XNNPACK, which packs a matrix once for all its matmuls
and has kernels for 8-bit integers. TensorFlow's own converter takes a minute for what is written
here in a second, directly in TensorFlow Lite's format (a flatbuffer of the tables in
tensorflow/compiler/mlir/lite/schema/schema.fbs).

An 8-bit matrix has one scale per output. Each row that is multiplied with it is quantized when the
program runs, with its own scale and zero point. For a model of 125 million parameters this raises
perplexity from 25.65 to 25.72 (Dettmers et al. 2022, "LLM.int8()", table 1, "zeropoint
vector-wise").
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.types import Floats

try:  # the standalone package, which loads fifty times as fast as TensorFlow
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    try:
        from tensorflow.lite.python import schema_py_generated as schema
        from tensorflow.lite.python.interpreter import Interpreter
    except ImportError:
        Interpreter = None

FLOAT, INT8 = "float32", "int8"
_ALIGNMENT = 16  # of a matrix in the file, in bytes
_QUANTIZE_BLOCK = 1 << 15  # numbers quantized at a time


def is_available() -> bool:
    """Whether an interpreter is installed, as a package or as part of TensorFlow."""
    return Interpreter is not None


class Program:
    """A compiled program, which computes arrays of any number of rows. Not thread-safe.

    Made by `Builder.program`.
    """

    def __init__(self, model: bytes, threads: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its move to another package
            self._interpreter = Interpreter(model_content=model, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._shapes: list[tuple[int, ...]] = []  # of the inputs; [] before the first call

    def __call__(self, *inputs: Floats) -> list[Floats]:
        """Run the program. Only dimensions that the inputs were declared with may vary."""
        shapes = [array.shape for array in inputs]
        if shapes != self._shapes:
            self._shapes = []  # unknown if one of the next calls fails
            for index, shape in zip(self._inputs, shapes, strict=True):
                self._interpreter.resize_tensor_input(index, shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for index, array in zip(self._inputs, inputs, strict=True):
            # Into the program's memory: `set_tensor` would first copy an array with strides.
            np.copyto(self._interpreter.tensor(index)(), array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class Builder:
    """Builds a program: each method adds an operation and returns the number of its result.

    build = Builder(INT8)
    x = build.input(768)
    double = build.program([x], [build.add(x, x)], threads=2)
    double(np.ones((3, 768), np.float32))[0].shape  # (3, 768)
    """

    def __init__(self, precision: str = FLOAT) -> None:
        """`precision` is that of the matrices: FLOAT or INT8."""
        self._precision = precision
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.subgraphs = [self._graph]
        self._model.buffers = [schema.BufferT()]  # the first one is empty by definition
        self._model.operatorCodes = []
        self._matrices: list[tuple[Any, NDArray[Any]]] = []  # buffers and their content

    def input(self, *shape: int) -> int:
        """An input (rows, width), or one of another shape, of which every dimension may vary."""
        return self._tensor(shape if len(shape) > 1 else (1, *shape))

    def dense(self, x: int, matrix: Floats, bias: Floats | None = None) -> int:
        """x (rows, n_in) by matrix (n_out, n_in), plus bias (n_out) -> (rows, n_out)."""
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        if self._precision == INT8:
            options.asymmetricQuantizeInputs = True
            weight = self._matrix(*quantize(matrix))
        else:
            weight = self._matrix(np.ascontiguousarray(matrix))
        inputs = [x, weight, -1 if bias is None else self._constant(bias)]
        shape = (*self._shape(x)[:-1], len(matrix))
        return self._operation("FULLY_CONNECTED", inputs, shape, options)

    def matmul(self, a: int, b: int, transpose_b: bool = False) -> int:
        """The matrix products of a (n, rows, k) and b (n, k, m), or b (n, m, k) if it is to be
        transposed -> (n, rows, m)."""
        options = schema.BatchMatMulOptionsT()
        options.adjY = transpose_b
        shape = (*self._shape(a)[:-1], self._shape(b)[-2 if transpose_b else -1])
        return self._operation("BATCH_MATMUL", [a, b], shape, options)

    def softmax(self, x: int) -> int:
        """The softmax over the last dimension."""
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._operation("SOFTMAX", [x], self._shape(x), options)

    def layer_norm(self, x: int, gain: Floats, bias: Floats, epsilon: float) -> int:
        """Normalize each row to mean 0 and variance 1, then scale and shift it."""
        centered = self._operation("SUB", [x, self._mean(x)], self._shape(x))
        variance = self._mean(self.multiply(centered, centered))
        stabilized = self.add(variance, self._constant(np.array([epsilon], np.float32)))
        factor = self._operation("RSQRT", [stabilized], self._shape(stabilized))
        normal = self.multiply(centered, factor)
        return self.add(self.multiply(normal, self._constant(gain)), self._constant(bias))

    def gelu(self, x: int) -> int:
        """GELU in its tanh form, computed with the sigmoid (see `model.layers.gelu`), which is
        faster than TensorFlow Lite's own operator."""
        outer = 2.0 * math.sqrt(2.0 / math.pi)
        factors = np.array([[0.044715 * outer], [outer]], np.float32)
        inner_factor, outer_factor = self._constant(factors[0]), self._constant(factors[1])
        factor = self.add(self.multiply(self.multiply(x, x), inner_factor), outer_factor)
        gate = self._operation("LOGISTIC", [self.multiply(factor, x)], self._shape(x))
        return self.multiply(gate, x)

    def add(self, a: int, b: int) -> int:
        """The sum of two results, of which `b` may have dimensions of size 1."""
        return self._operation("ADD", [a, b], self._shape(a))

    def multiply(self, a: int, b: int) -> int:
        """The elementwise product of two results."""
        return self._operation("MUL", [a, b], self._shape(a))

    def program(self, inputs: Sequence[int], outputs: Sequence[int], threads: int) -> Program:
        """Compile the program to run on `threads` threads."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        # Matrices follow the flatbuffer, which holds their offsets: this copies them once instead
        # of three times. Its length does not depend on the offsets, as long as they are not 0.
        head = len(self._packed())
        parts: list[Any] = []
        for buffer, matrix in self._matrices:
            start = head + sum(len(part) for part in parts)
            padding = -start % _ALIGNMENT
            parts += [bytes(padding), matrix.reshape(-1).view(np.uint8).data]
            buffer.offset, buffer.size = start + padding, matrix.nbytes
        content = b"".join([self._packed(), *parts])
        self._matrices.clear()
        return Program(content, threads)

    def _packed(self) -> bytes:
        import flatbuffers

        flat = flatbuffers.Builder(1 << 16)
        flat.Finish(self._model.Pack(flat), b"TFL3")
        return bytes(flat.Output())

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self._graph.tensors[tensor].shape)

    def _mean(self, x: int) -> int:
        """The mean of each row (rows, 1)."""
        options = schema.ReducerOptionsT()
        options.keepDims = True
        axis, shape = self._constant(np.array([1], np.int32)), (*self._shape(x)[:-1], 1)
        return self._operation("MEAN", [x, axis], shape, options)

    def _operation(
        self, name: str, inputs: list[int], shape: tuple[int, ...], options: Any = None
    ) -> int:
        """Add the operator `name`, which has one result of this shape."""
        code = getattr(schema.BuiltinOperator, name)
        codes = self._model.operatorCodes
        if all(known.builtinCode != code for known in codes):
            known = schema.OperatorCodeT()
            known.builtinCode = known.deprecatedBuiltinCode = code
            known.version = 1
            codes.append(known)
        operator = schema.OperatorT()
        operator.opcodeIndex = [known.builtinCode for known in codes].index(code)
        if options is None and name in ("ADD", "SUB", "MUL"):
            options = getattr(schema, f"{name.title()}OptionsT")()
        if options is not None:
            operator.builtinOptions = options
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.inputs = inputs
        operator.outputs = [self._tensor(shape)]
        self._graph.operators.append(operator)
        return operator.outputs[0]

    def _tensor(self, shape: tuple[int, ...], buffer: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.buffer = list(shape), buffer
        tensor.type = schema.TensorType.FLOAT32
        tensor.name = f"tensor{len(self._graph.tensors)}"
        if not buffer:  # the number of rows is variable
            tensor.shapeSignature = [-1, *shape[1:]]
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _constant(self, array: NDArray[Any]) -> int:
        """Add a small constant array, stored in the flatbuffer."""
        buffer, number = self._buffer_and_tensor(array)
        buffer.data = array.reshape(-1).view(np.uint8)
        return number

    def _matrix(self, array: NDArray[Any], scales: Floats | None = None) -> int:
        """Add a large constant matrix, stored after the flatbuffer. An 8-bit matrix has `scales`,
        one for each of its rows."""
        buffer, number = self._buffer_and_tensor(array)
        buffer.offset = buffer.size = _ALIGNMENT
        self._matrices.append((buffer, array))
        if scales is not None:
            tensor = self._graph.tensors[number]
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
            tensor.quantization.quantizedDimension = 0
        return number

    def _buffer_and_tensor(self, array: NDArray[Any]) -> tuple[Any, int]:
        """Add a buffer, and a tensor of this array's shape and type that reads it."""
        buffer = schema.BufferT()
        self._model.buffers.append(buffer)
        number = self._tensor(array.shape, len(self._model.buffers) - 1)
        self._graph.tensors[number].type = getattr(schema.TensorType, array.dtype.name.upper())
        return buffer, number


def quantize(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """matrix (n_out, n_in) -> 8-bit integers (n_out, n_in), and the scale of each output (n_out).

    >>> quantize(np.array([[127.0, -12.7]], np.float32))
    (array([[127, -13]], dtype=int8), array([1.], dtype=float32))
    """
    n_out, n_in = matrix.shape
    numbers = np.empty(matrix.shape, np.int8)
    # In blocks that fit in a CPU cache, in the order of memory.
    if matrix.flags.c_contiguous:
        scales = np.empty(n_out, np.float32)
        for part in _blocks(n_out, n_in):
            scales[part] = _scales(matrix[part].T)
            scaled = matrix[part] / scales[part, None]
            numbers[part] = np.rint(scaled, out=scaled)
    else:
        scales = _scales(matrix.T)
        for part in _blocks(n_in, n_out):
            scaled = matrix.T[part] / scales
            numbers[:, part] = np.rint(scaled, out=scaled).T
    return numbers, scales


def _blocks(count: int, width: int) -> Iterator[slice]:
    """Slices of `count` rows of this width."""
    rows = max(1, _QUANTIZE_BLOCK // width)
    return (slice(first, first + rows) for first in range(0, count, rows))


def _scales(matrix: Floats) -> Floats:
    """matrix (n_in, n_out) -> the scale of each output (n_out)."""
    largest = np.maximum(matrix.max(axis=0), -matrix.min(axis=0))
    scales: Floats = np.maximum(largest, np.float32(1e-30)) / np.float32(127)
    return scales
