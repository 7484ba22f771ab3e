"""How much memory a finetuning or a generation needs, and what fits. Shapes in, bytes out.

The terms are those of `model` and `finetuning`; how often each of them is held at the worst moment
was set by measuring (see benchmarks/memory.py). That was on a CPU: on a GPU the same tensors are
held.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    SIZES,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.generation.decoder import inference_dtype, row_capacity
from gpt2_helpers.model.block_sizes import LOSS_IDS, LOSS_TOKENS, LOSS_TOKENS_SAVING, QUERIES
from gpt2_helpers.model.lora import n_adapter_parameters

if TYPE_CHECKING:
    from gpt2_helpers.generation.decoders import DecoderPool

GB = 2**30
USABLE_GPU = 0.92  # of a card's memory; the rest is the driver's and what lies scattered

_FP32, _HALF = 4, 2  # bytes
_WIDTH = {
    "float32": 4,
    "bfloat16": 2,
    "float16": 2,
    "int8": 1,
}  # bytes of a number in matrix products
_SLOTS = {"adam": 2, "adamw": 2, "sgd": 0}  # what the optimizers keep, in numbers a weight
_LITE = ("float32", "int8")  # see `decoding`: what TensorFlow Lite writes in on a processor
_BETWEEN = 1.1  # TensorFlow Lite was measured to hold a tenth more than its parts add up to
_ANEW = 1.4  # and so much more where it is made anew for each sample, in memory that lies scattered
_DEFAULTS = FinetuneConfig()
_SAVING = {"use_memory_saving_gradients": True}
_ONE_PASS = {"accumulate_gradients": 1}
_FACTORED = {"optimizer": "adafactor"}
# What makes a model fit, the least change first, and how it is called.
_WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {}),
    (" with memory saving", _SAVING),
    (" with accumulate_gradients=1 and memory saving", {**_ONE_PASS, **_SAVING}),
    (" with adafactor and memory saving", {**_FACTORED, **_SAVING}),
    (
        " with adafactor, accumulate_gradients=1 and memory saving",
        {**_FACTORED, **_ONE_PASS, **_SAVING},
    ),
    (" with lora_rank=8", {"lora_rank": 8, **_SAVING}),
)


@dataclass(frozen=True)
class Samples:
    """What a training writes between its steps: `count` texts of `length` tokens side by side, in
    a `precision` that `DecoderPool.get` takes."""

    count: int
    length: int
    precision: str
    on_gpu: bool = False


def samples_of(run: RunConfig, precision: str) -> Samples | None:
    """What a run writes on this machine, trained in `precision` (auto among them); None where it
    writes nothing."""
    from gpt2_helpers.system.device import choose_decoding_precision, gpus

    if not run.sample_every:
        return None
    writing = choose_decoding_precision(precision)
    return Samples(run.sample_num, run.sample_length, writing, bool(gpus()))


def finetuning_bytes(
    model: ModelConfig,
    finetune: FinetuneConfig,
    precision: str,
    samples: Samples | None = None,
) -> int:
    """Bytes at the worst moment of a finetuning, on each device: of a training step, or of the
    `samples` after it. `precision` is one of float32, bfloat16 and float16.

    >>> finetune = FinetuneConfig(accumulate_gradients=1, use_memory_saving_gradients=True)
    >>> round(finetuning_bytes(SIZES["124M"], finetune, "float32") / GB, 1)
    1.9
    """
    between = _held_between_steps(model, finetune, precision)
    step = between + _held_in_a_step(model, finetune, precision)
    if samples is None:
        return int(step)
    writing = generation_bytes(
        model, samples.count, samples.length, samples.precision, samples.on_gpu
    )
    if _is_lite(samples.precision, samples.on_gpu):
        return int(step + _ANEW * writing)
    writing -= _FP32 * model.n_parameters  # the model itself, which is there
    if samples.on_gpu and is_large(model):
        # What wrote is given up each time, and lies where tensors of the step did.
        return int(max(step, between + writing))
    return int(step + writing)


def _trained(model: ModelConfig, finetune: FinetuneConfig) -> int:
    """How many numbers are trained."""
    if finetune.lora_rank:
        return n_adapter_parameters(model, finetune.lora_rank)
    if finetune.only_train_transformer_layers:
        return model.n_parameters - (model.n_vocab + model.n_ctx) * model.n_embd
    return model.n_parameters


def _output_matrix(model: ModelConfig) -> int:
    """Bytes of it, or of its gradients, in fp32."""
    return _FP32 * model.n_vocab * model.n_embd


def _held_between_steps(model: ModelConfig, finetune: FinetuneConfig, precision: str) -> int:
    """Weights, what the optimizer keeps, and the graph."""
    width = _WIDTH[precision]
    narrow = width < _FP32
    trained = _trained(model, finetune)
    if finetune.lora_rank:
        weights = _HALF * model.n_parameters + _FP32 * trained
        if not narrow:  # as they are multiplied: the embeddings for all, a layer's for each product
            weights += _output_matrix(model) + 2 * _FP32 * 4 * model.n_embd**2
    else:
        # The second as they are multiplied.
        weights = (_FP32 + narrow * width) * model.n_parameters
    saving = finetune.use_memory_saving_gradients
    graph = _graph(model, 40, 6 + model.n_ctx // 256 + 2 * saving)  # with attention's blocks
    return weights + _FP32 * _state(model, finetune, trained) + graph


def _held_in_a_step(model: ModelConfig, finetune: FinetuneConfig, precision: str) -> int:
    """Gradients, activations and what the loss needs, at the worst moment."""
    width = _WIDTH[precision]
    narrow = width < _FP32
    saving = finetune.use_memory_saving_gradients
    gradients = _FP32 * _trained(model, finetune)
    trains_output = not (finetune.lora_rank or finetune.only_train_transformer_layers)
    output = _output_matrix(model) * trains_output
    waiting = 0
    if finetune.accumulate_gradients > 1:
        waiting = 2 * gradients  # the sum so far, and the next one
    elif precision == "float16" or finetune.max_grad_norm:
        waiting = 2 * gradients  # all are looked at before the first is used, scaled
    elif finetune.optimizer == "adafactor":
        waiting = gradients // 3  # by what was measured; its small steps are many, and some wait

    layer, backwards = _activations_of_a_layer(model, finetune, width)
    tokens = finetune.batch_size * model.n_ctx
    if saving:
        kept, once_more = model.n_layer * tokens * model.n_embd * width, layer
    else:
        kept, once_more = model.n_layer * layer, 0
    # Logits of one slice of the loss and their gradients. A processor without 16-bit products
    # takes the matrix into fp32 for each of its two.
    at_once = LOSS_TOKENS_SAVING if saving else LOSS_TOKENS
    scores = min(tokens, at_once) * model.n_vocab * 2 * _FP32 + narrow * 2 * _output_matrix(model)
    # The sum of the slices' gradients, what is added to it for some ids, and that before its cast.
    added = min(output, _FP32 * LOSS_IDS * model.n_embd) * (tokens > at_once)
    sums = output + added + narrow * output * width // _FP32
    return waiting + max(
        kept + scores + sums,  # between the two passes
        kept + once_more + backwards + output,  # the way back begins
        (2 + 2 * narrow) * output,  # and ends, with the largest weight's update
    )


def _activations_of_a_layer(
    model: ModelConfig, finetune: FinetuneConfig, width: int
) -> tuple[int, int]:
    """What a layer keeps for its gradients, and what these pass through, with numbers of so many
    bytes."""
    narrow = width < _FP32
    tokens = finetune.batch_size * model.n_ctx
    row = tokens * model.n_embd
    odds = tokens * model.n_ctx * model.n_head  # what attention gives each token for each other
    # In rows: the insides of both norms, in fp32; then what the matrices multiply, which are both
    # norms, query, key, value, what is mixed, and twice the wide middle. Below is what attention
    # keeps of its own: the odds, and rows as many as were measured.
    layer = row * (2 * _FP32 + 14 * width)
    if finetune.dropout:
        layer += odds * (_FP32 + narrow * width) + (2 * odds + 4 * row) * width
        return layer, (4 * odds + 8 * row) * _FP32
    # In blocks of queries: see `attention`.
    odds = odds * (model.n_ctx + min(model.n_ctx, QUERIES)) // (2 * model.n_ctx)
    return layer + (odds + 4 * row) * width, (3 * odds + 8 * row) * _FP32


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


def is_large(model: ModelConfig) -> bool:
    """Whether what writes samples, copies of the weights among it, is worth making anew each time
    on a GPU, rather than holding it while training goes on."""
    return model.n_parameters >= 500_000_000


def _state(model: ModelConfig, finetune: FinetuneConfig, trained: int) -> int:
    """How many numbers the optimizer keeps; Adafactor one a row and one a column of a matrix, and
    one for each number of a vector."""
    if finetune.optimizer == "adafactor":
        return model.n_vocab + model.n_ctx + 29 * model.n_layer * model.n_embd
    return _SLOTS[finetune.optimizer] * trained


def generation_bytes(
    model: ModelConfig, batch_size: int, length: int, precision: str, on_gpu: bool = False
) -> int:
    """Bytes for writing `batch_size` texts of `length` tokens side by side, the loaded model
    itself included. `precision` is what `DecoderPool.get` takes.

    >>> round(generation_bytes(SIZES["355M"], 1, 100, "int8") / GB, 1)
    1.0
    """
    lite = _is_lite(precision, on_gpu)
    width = _WIDTH[precision]
    longest = min(length + 1, model.n_ctx)
    capacity = row_capacity(longest, model.n_ctx)
    # The keys and values of a layer, which NumPy has in fp32 and takes as rows grow.
    seen = 2 * batch_size * (longest if lite else capacity) * model.n_embd
    seen *= _FP32 if lite else width
    scores = 4 * _FP32 * batch_size * model.n_vocab
    weights = _writing_weights(model, precision, on_gpu)
    if lite:
        return int(_BETWEEN * (weights + model.n_layer * seen + scores))
    return weights + (model.n_layer + 1) * seen + scores + _graph(model, 20, 9)


def _writing_weights(model: ModelConfig, precision: str, on_gpu: bool) -> int:
    """Bytes of weights in the forms that writing needs."""
    width = _WIDTH[precision]
    output = model.n_vocab * model.n_embd
    if _is_lite(precision, on_gpu):
        # Each program, and beside it its matrices once more, in the order of their products.
        return 2 * width * model.n_parameters + _FP32 * output
    copies = (width < _FP32) * width * model.n_parameters + width * output  # turned once for all
    return _FP32 * model.n_parameters + copies


def _is_lite(precision: str, on_gpu: bool) -> bool:
    return precision in _LITE and not on_gpu


def to_write(decoders: DecoderPool, config: SamplingConfig) -> tuple[int, int | None, str]:
    """Bytes that a loaded model needs to write a batch of such texts, those it can use, and whose
    they are (see `here`)."""
    from gpt2_helpers.system.device import gpus

    model = decoders.model
    precision, on_gpu = inference_dtype(model, config), bool(gpus())
    needed = generation_bytes(model.config, config.batch_size, config.length, precision, on_gpu)
    available, place = here()
    if available is not None and not on_gpu:  # what it has already need not be found once more
        if not _is_lite(precision, on_gpu):
            available += _FP32 * model.config.n_parameters
        elif len(decoders):
            available += _writing_weights(model.config, precision, on_gpu)
    return needed, available, place


def _graph(model: ModelConfig, megabytes: int, a_layer: int) -> int:
    """What the description of the computation takes; on a GPU, where it stays in main memory, the
    libraries take about as much."""
    return (megabytes + a_layer * model.n_layer) * 2**20


@dataclass(frozen=True)
class Fit:
    """Whether finetuning a size fits: `line` says it, `needed` is the bytes it takes.

    `changes` are the options to set so that it fits: none where it fits as it is, and None where
    nothing helps.
    """

    name: str
    needed: int
    changes: Mapping[str, Any] | None
    line: str


def what_fits(
    available: int,
    finetune: FinetuneConfig = _DEFAULTS,
    precision: str = "float32",
    place: str = "this machine",
    samples: Samples | None = None,
) -> list[Fit]:
    """For the bundled model and each of OpenAI's sizes, whether finetuning it fits in `available`
    bytes with its `samples`, or what would make it fit. `place` is what the lines call the
    memory's owner.

    >>> for fit in what_fits(8 * GB, FinetuneConfig(accumulate_gradients=1), place="this GPU"):
    ...     print(fit.line)
    tiny: fits (about 0.2 GB)
    124M: fits (about 3.1 GB)
    355M: fits (about 7.5 GB)
    774M: fits with adafactor and memory saving (about 5.0 GB)
    1558M: fits with lora_rank=8 (about 4.7 GB)
    """
    return [
        _fit(name, model, available, finetune, precision, place, samples)
        for name, model in {BUNDLED_MODEL: ModelConfig.load(BUNDLED_FOLDER), **SIZES}.items()
    ]


def _fit(
    name: str,
    model: ModelConfig,
    available: int,
    finetune: FinetuneConfig,
    precision: str,
    place: str,
    samples: Samples | None,
) -> Fit:
    for words, options in _WAYS:
        config = dataclasses.replace(finetune, **options)
        needed = finetuning_bytes(model, config, precision, samples)
        if needed <= available:
            changes = {n: value for n, value in options.items() if getattr(finetune, n) != value}
            line = f"{name}: fits{words} (about {needed / GB:.1f} GB)"
            return Fit(name, needed, changes, line)
    line = f"{name}: needs {needed / GB:,.1f} GB even{words}, {place} has {available / GB:,.1f}"
    return Fit(name, needed, None, line)


def here() -> tuple[int | None, str]:
    """Bytes that a model can use on this machine, and whose they are: the first GPU's where there
    is one, else those of main memory that are free. None where the system does not tell."""
    from gpt2_helpers.system import device  # which brings TensorFlow where there may be a GPU

    if cards := device.gpus():
        memory = cards[0].memory
        return (None if memory is None else int(USABLE_GPU * memory)), "this GPU"
    return device.free_main_memory(), "this machine"
