"""Estimates of the memory that generation takes, and the memory that this machine has.

Takes shapes and returns bytes; loads no TensorFlow. How often each tensor is held at the peak was
fitted to measurements on a CPU (benchmarks/memory.py); a GPU holds the same tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.generation.decoder import (
    PREFILL_CHUNK,
    TFLITE_PRECISIONS,
    inference_dtype,
    row_capacity,
)
from gpt2_helpers.generation.prefix_cache import KEPT_ROWS

if TYPE_CHECKING:
    from gpt2_helpers.generation.decoders import DecoderPool

GB = 2**30
MB = 2**20
FP32_BYTES = 4
BYTES_PER_NUMBER = {"float32": FP32_BYTES, "bfloat16": 2, "float16": 2, "int8": 1}
USABLE_GPU_SHARE = 0.92  # the rest is taken by the driver and by fragmentation
TFLITE_OVERHEAD = 1.05  # measured: a twentieth more than the sum of its parts
# Measured: numbers that a TensorFlow Lite program holds for each token that is read in one pass, in
# widths of the model. Each layer has a program.
PROGRAM_WIDTHS = 27


def generation_bytes(
    model: ModelConfig,
    batch_size: int,
    length: int,
    precision: str,
    on_gpu: bool = False,
    prompts: bool = True,
) -> int:
    """Estimate the memory for generating a batch of texts, including the loaded model.

    Args:
        model: The model's shape.
        batch_size: Texts generated in parallel.
        length: Tokens per text, including the prompt.
        precision: float32, bfloat16, float16 or int8, as `DecoderPool.get` takes it.
        on_gpu: Whether a GPU is used.
        prompts: Whether texts have prompts, of which copies are kept for later ones (default:
            True).

    Returns:
        Bytes.

    Example:
        >>> from gpt2_helpers.config import PRETRAINED_CONFIGS
        >>> round(generation_bytes(PRETRAINED_CONFIGS["355M"], 1, 100, "int8") / GB, 1)
        1.1
    """
    on_tflite = uses_tflite(precision, on_gpu)
    length = min(length + 1, model.n_ctx)
    # TensorFlow Lite's KV cache is a NumPy array in fp32 that grows with the rows. Copies of former
    # prompts are as large as a few rows.
    capacity = length if on_tflite else row_capacity(length, model.n_ctx)
    rows = batch_size + (KEPT_ROWS if on_tflite and prompts else 0)
    cache_width = FP32_BYTES if on_tflite else BYTES_PER_NUMBER[precision]
    layer_cache = 2 * rows * capacity * model.n_embd * cache_width
    logits = 4 * FP32_BYTES * batch_size * model.n_vocab
    weights = inference_weight_bytes(model, precision, on_gpu)
    if on_tflite:
        # Of a prompt that leaves room for a text.
        pass_tokens = min(PREFILL_CHUNK, length // 2) if prompts else 1
        layer = layer_cache + PROGRAM_WIDTHS * FP32_BYTES * pass_tokens * model.n_embd
        return int(TFLITE_OVERHEAD * (weights + model.n_layer * layer + logits))
    graph = graph_bytes(model, fixed_mb=20, mb_per_layer=9)
    return weights + (model.n_layer + 1) * layer_cache + logits + graph


def estimate_generation(
    decoders: DecoderPool, config: SamplingConfig
) -> tuple[int, int | None, str]:
    """Compare what a loaded model needs to generate one batch with what is available.

    Returns:
        The bytes needed, the bytes available (None if unknown), and where: see `available_memory`.
        Memory that the model occupies already counts as available.
    """
    from gpt2_helpers.system.device import gpus

    model = decoders.model
    precision, on_gpu = inference_dtype(model, config), bool(gpus())
    needed = generation_bytes(model.config, config.batch_size, config.length, precision, on_gpu)
    available, location = available_memory()
    if available is not None and not on_gpu:
        if not uses_tflite(precision, on_gpu):
            available += FP32_BYTES * model.config.n_parameters
        elif len(decoders):
            available += inference_weight_bytes(model.config, precision, on_gpu)
    return needed, available, location


def available_memory() -> tuple[int | None, str]:
    """The bytes that a model can use, and where: "this GPU", or "this machine" without one.

    The bytes are None if the system does not report them.
    """
    from gpt2_helpers.system import device  # loads TensorFlow if there may be a GPU

    if gpus := device.gpus():
        memory = gpus[0].memory
        return (None if memory is None else int(USABLE_GPU_SHARE * memory)), "this GPU"
    return device.free_main_memory(), "this machine"


def inference_weight_bytes(model: ModelConfig, precision: str, on_gpu: bool) -> int:
    """Bytes of all copies of the weights that generation holds."""
    width = BYTES_PER_NUMBER[precision]
    embedding = model.n_vocab * model.n_embd
    if uses_tflite(precision, on_gpu):
        # The programs, and their matrices once more, packed in the order of the matmuls.
        return 2 * width * model.n_parameters + FP32_BYTES * embedding
    # In the precision of the matmuls, and the embedding once more, transposed.
    copies = (width < FP32_BYTES) * width * model.n_parameters + width * embedding
    return FP32_BYTES * model.n_parameters + copies


def uses_tflite(precision: str, on_gpu: bool) -> bool:
    """Whether texts are generated by TensorFlow Lite."""
    return precision in TFLITE_PRECISIONS and not on_gpu


def graph_bytes(model: ModelConfig, fixed_mb: int, mb_per_layer: int) -> int:
    """Bytes of a compiled TensorFlow graph.

    A GPU's graphs are in main memory, but its libraries take about as much GPU memory.
    """
    return (fixed_mb + mb_per_layer * model.n_layer) * MB
