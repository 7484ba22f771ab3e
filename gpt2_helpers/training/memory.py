"""Estimates of the memory that finetuning takes, and the options that make a model fit.

Takes shapes and returns bytes; loads no TensorFlow. How often each tensor is held at the peak was
fitted to measurements on a CPU (benchmarks/memory.py); a GPU holds the same tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    PRETRAINED_CONFIGS,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.generation.memory import (
    BYTES_PER_NUMBER,
    FP32_BYTES,
    generation_bytes,
    graph_bytes,
    uses_tflite,
)
from gpt2_helpers.model.block_sizes import LOSS_IDS, LOSS_TOKENS, LOSS_TOKENS_SAVING, QUERIES
from gpt2_helpers.model.lora import n_adapter_parameters
from gpt2_helpers.system.sizes import memory_size

FROZEN_BYTES = 2  # per weight of a frozen model
LARGE_MODEL = 500_000_000  # parameters
SAMPLING_OVERHEAD = 1.4  # measured: decoders rebuilt for each sample fragment the memory
OPTIMIZER_SLOTS = {"adam": 2, "adamw": 2, "sgd": 0}  # numbers kept per trained parameter

_SAVING = {"use_memory_saving_gradients": True}
_ONE_PASS = {"accumulate_gradients": 1}
_ADAFACTOR = {"optimizer": "adafactor"}
# Changes of options that save memory, the smallest change first, each with its name in messages.
_SAVINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {}),
    (" with memory saving", _SAVING),
    (" with accumulate_gradients=1 and memory saving", {**_ONE_PASS, **_SAVING}),
    (" with adafactor and memory saving", {**_ADAFACTOR, **_SAVING}),
    (
        " with adafactor, accumulate_gradients=1 and memory saving",
        {**_ADAFACTOR, **_ONE_PASS, **_SAVING},
    ),
    (" with lora_rank=8", {"lora_rank": 8, **_SAVING}),
)


@dataclass(frozen=True)
class SampleSettings:
    """The samples that a run generates between steps: `count` texts of `length` tokens in parallel.

    `precision` is as `DecoderPool.get` takes it.
    """

    count: int
    length: int
    precision: str
    on_gpu: bool = False


def sample_settings(run: RunConfig, precision: str) -> SampleSettings | None:
    """The samples of a run on this machine; None if it generates none.

    `precision` is that of training, which may be auto.
    """
    from gpt2_helpers.system.device import choose_decoding_precision, gpus

    if not run.sample_every:
        return None
    inference_precision = choose_decoding_precision(precision)
    return SampleSettings(run.sample_num, run.sample_length, inference_precision, bool(gpus()))


def finetuning_bytes(
    model: ModelConfig,
    finetune: FinetuneConfig,
    precision: str,
    samples: SampleSettings | None = None,
    on_gpu: bool = False,
) -> int:
    """Estimate the peak memory of finetuning, on each device.

    Args:
        model: The model's shape.
        finetune: The training options.
        precision: float32, bfloat16 or float16.
        samples: The samples generated between steps, if any.
        on_gpu: Whether a GPU trains, which computes attention in one block.

    Returns:
        Bytes.

    Example:
        >>> finetune = FinetuneConfig(accumulate_gradients=1, use_memory_saving_gradients=True)
        >>> round(finetuning_bytes(PRETRAINED_CONFIGS["124M"], finetune, "float32") / 2**30, 1)
        1.9
    """
    between_steps = _bytes_between_steps(model, finetune, precision)
    step = between_steps + _bytes_of_a_step(model, finetune, precision, on_gpu)
    if samples is None:
        return int(step)
    sampling = generation_bytes(
        model, samples.count, samples.length, samples.precision, samples.on_gpu, prompts=False
    )
    if uses_tflite(samples.precision, samples.on_gpu):
        return int(step + SAMPLING_OVERHEAD * sampling)
    sampling -= FP32_BYTES * model.n_parameters  # the model itself is loaded already
    if samples.on_gpu and is_large(model):
        # Decoders are freed after each sample and reuse the memory of the step's tensors.
        return int(max(step, between_steps + sampling))
    return int(step + sampling)


def is_large(model: ModelConfig) -> bool:
    """Whether a GPU should free the decoders after each sample, despite the time to rebuild them.

    They include a copy of the weights.
    """
    return model.n_parameters >= LARGE_MODEL


def _bytes_between_steps(model: ModelConfig, finetune: FinetuneConfig, precision: str) -> int:
    """Weights, optimizer state and graph."""
    width = BYTES_PER_NUMBER[precision]
    trained = _n_trained(model, finetune)
    if finetune.lora_rank:
        weights = FROZEN_BYTES * model.n_parameters + FP32_BYTES * trained
        if width == FP32_BYTES:
            # Frozen weights cast to fp32: the embedding, and one layer's matrices at a time.
            weights += _embedding_bytes(model) + 2 * FP32_BYTES * 4 * model.n_embd**2
    else:
        # In fp32, and cast to the precision of the matmuls.
        weights = (FP32_BYTES + (width < FP32_BYTES) * width) * model.n_parameters
    # Attention in blocks and recomputed activations make the graph larger.
    mb_per_layer = 6 + model.n_ctx // 256 + 2 * finetune.use_memory_saving_gradients
    graph = graph_bytes(model, fixed_mb=40, mb_per_layer=mb_per_layer)
    return weights + FP32_BYTES * _optimizer_numbers(model, finetune, trained) + graph


def _n_trained(model: ModelConfig, finetune: FinetuneConfig) -> int:
    """The number of trained parameters."""
    if finetune.lora_rank:
        return n_adapter_parameters(model, finetune.lora_rank)
    if finetune.only_train_transformer_layers:
        return model.n_parameters - (model.n_vocab + model.n_ctx) * model.n_embd
    return model.n_parameters


def _embedding_bytes(model: ModelConfig) -> int:
    """Bytes of the token embedding in fp32, or of its gradient."""
    return FP32_BYTES * model.n_vocab * model.n_embd


def _optimizer_numbers(model: ModelConfig, finetune: FinetuneConfig, trained: int) -> int:
    """How many numbers the optimizer keeps.

    Adafactor keeps one per row and column of a matrix, and one per element of a vector.
    """
    if finetune.optimizer == "adafactor":
        return model.n_vocab + model.n_ctx + 29 * model.n_layer * model.n_embd
    return OPTIMIZER_SLOTS[finetune.optimizer] * trained


def _bytes_of_a_step(
    model: ModelConfig, finetune: FinetuneConfig, precision: str, on_gpu: bool
) -> int:
    """Gradients, activations and the loss's tensors, at the peak of a step."""
    width = BYTES_PER_NUMBER[precision]
    half = width < FP32_BYTES
    saving = finetune.use_memory_saving_gradients
    gradients = FP32_BYTES * _n_trained(model, finetune)
    trains_embedding = not (finetune.lora_rank or finetune.only_train_transformer_layers)
    embedding_gradient = _embedding_bytes(model) * trains_embedding
    pending = 0
    if finetune.accumulate_gradients > 1:
        pending = 2 * gradients  # the sum so far and the next summand
    elif precision == "float16" or finetune.max_grad_norm:
        pending = 2 * gradients  # all are needed before the first is applied, scaled
    elif finetune.optimizer == "adafactor":
        pending = gradients // 3  # measured: its many small operations leave some waiting

    layer, layer_backward = _layer_activation_bytes(model, finetune, width, on_gpu)
    tokens = finetune.batch_size * model.n_ctx
    if saving:
        stored, recomputed = model.n_layer * tokens * model.n_embd * width, layer
    else:
        stored, recomputed = model.n_layer * layer, 0
    # Logits of one block of the loss and their gradients. CPUs without 16-bit matmuls cast the
    # embedding to fp32 for each of two matmuls.
    block = LOSS_TOKENS_SAVING if saving else LOSS_TOKENS
    logits = min(tokens, block) * model.n_vocab * 2 * FP32_BYTES
    logits += half * 2 * _embedding_bytes(model)
    # The sum of the blocks' embedding gradients, the summand for some ids, and its uncast copy.
    summand = min(embedding_gradient, FP32_BYTES * LOSS_IDS * model.n_embd) * (tokens > block)
    loss_gradients = embedding_gradient + summand + half * embedding_gradient * width // FP32_BYTES
    return pending + max(
        stored + logits + loss_gradients,  # in the loss
        stored + recomputed + layer_backward + embedding_gradient,  # at the start of backward
        (2 + 2 * half) * embedding_gradient,  # at its end, updating the largest weight
    )


def _layer_activation_bytes(
    model: ModelConfig, finetune: FinetuneConfig, width: int, on_gpu: bool
) -> tuple[int, int]:
    """Bytes that a layer stores for the backward pass, and that its backward pass takes."""
    half = width < FP32_BYTES
    tokens = finetune.batch_size * model.n_ctx
    hidden = tokens * model.n_embd
    attention = tokens * model.n_ctx * model.n_head  # attention weights
    # In units of hidden states: inside both layer norms, in fp32; then the inputs of the
    # matmuls: both norms' outputs, query, key, value, attention output, and the MLP twice.
    # Attention's own tensors are below; how many hidden states they include was measured.
    layer = hidden * (2 * FP32_BYTES + 14 * width)
    if finetune.dropout:
        layer += attention * (FP32_BYTES + half * width) + (2 * attention + 4 * hidden) * width
        return layer, (4 * attention + 8 * hidden) * FP32_BYTES
    if not on_gpu:  # attention in blocks of queries skips most of what the causal mask hides
        attention = attention * (model.n_ctx + min(model.n_ctx, QUERIES)) // (2 * model.n_ctx)
    return layer + (attention + 4 * hidden) * width, (3 * attention + 8 * hidden) * FP32_BYTES


@dataclass(frozen=True)
class ModelFit:
    """Whether finetuning a model fits in memory.

    Attributes:
        name: The model's name.
        needed: Bytes, after the changes.
        changes: Options to set so that it fits; empty if it fits as it is, None if nothing helps.
        line: The result in words.
    """

    name: str
    needed: int
    changes: Mapping[str, Any] | None
    line: str


def fit_models(
    available: int,
    finetune: FinetuneConfig | None = None,
    precision: str = "float32",
    location: str = "this machine",
    samples: SampleSettings | None = None,
    on_gpu: bool = False,
) -> list[ModelFit]:
    """Find out for every model size whether finetuning fits in memory, or what makes it fit.

    Args:
        available: Bytes.
        finetune: The training options; defaults to those of `finetune`.
        precision: float32, bfloat16 or float16.
        location: Whose memory it is, as the lines call it: see `available_memory`.
        samples: The samples generated between steps, if any.
        on_gpu: Whether a GPU trains.

    Returns:
        One entry for the bundled model and for each of OpenAI's.

    Example:
        >>> one_pass = FinetuneConfig(accumulate_gradients=1)
        >>> for fit in fit_models(8 << 30, one_pass, location="this GPU"):
        ...     print(fit.line)
        tiny: fits (about 0.2 GB)
        124M: fits (about 3.1 GB)
        355M: fits (about 7.5 GB)
        774M: fits with adafactor and memory saving (about 5.0 GB)
        1558M: fits with lora_rank=8 (about 4.7 GB)
    """
    finetune = finetune or FinetuneConfig()
    return [
        _fit_model(name, model, available, finetune, precision, location, samples, on_gpu)
        for name, model in {
            BUNDLED_MODEL: ModelConfig.load(BUNDLED_FOLDER),
            **PRETRAINED_CONFIGS,
        }.items()
    ]


def _fit_model(
    name: str,
    model: ModelConfig,
    available: int,
    finetune: FinetuneConfig,
    precision: str,
    location: str,
    samples: SampleSettings | None,
    on_gpu: bool,
) -> ModelFit:
    for description, options in _SAVINGS:
        config = dataclasses.replace(finetune, **options)
        needed = finetuning_bytes(model, config, precision, samples, on_gpu)
        if needed <= available:
            changes = {n: value for n, value in options.items() if getattr(finetune, n) != value}
            line = f"{name}: fits{description} (about {memory_size(needed)})"
            return ModelFit(name, needed, changes, line)
    line = (
        f"{name}: needs {memory_size(needed)} even{description}, "
        f"{location} has {memory_size(available)}"
    )
    return ModelFit(name, needed, None, line)


def save_bytes(model: ModelConfig, config: FinetuneConfig) -> int:
    """The approximate size of one save: weights and adapters in fp32, Adam's two numbers for each
    trained parameter, and all of that twice if the best checkpoint is kept as well."""
    numbers = trained = model.n_parameters
    if config.lora_rank:
        trained = n_adapter_parameters(model, config.lora_rank)
        numbers += trained
    if config.optimizer.startswith("adam"):
        numbers += 2 * trained
    return 4 * numbers * (2 if config.stops_early else 1)


def ways_to_save_memory(config: FinetuneConfig) -> str:
    """What to change after running out of memory, the smallest change first.

    >>> ways_to_save_memory(FinetuneConfig(accumulate_gradients=1, optimizer="sgd", lora_rank=8))
    'set use_memory_saving_gradients=True, or use a smaller model'
    """
    ways = []
    if config.batch_size > 1:
        ways.append(f"lower batch_size (now {config.batch_size})")
    if not config.use_memory_saving_gradients:
        ways.append("set use_memory_saving_gradients=True")
    if config.accumulate_gradients > 1:
        ways.append(f"set accumulate_gradients=1 (now {config.accumulate_gradients})")
    if config.optimizer.startswith("adam"):
        ways.append("set optimizer='adafactor'")
    if not config.lora_rank:
        ways.append("set lora_rank=8")
    return ", ".join([*ways, "or use a smaller model"]) if ways else "use a smaller model"
