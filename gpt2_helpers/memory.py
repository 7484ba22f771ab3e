"""How much memory a finetuning or a generation needs, and what fits. Shapes in, bytes out.

The terms are those of `model` and `finetuning`; how often each of them is held at the worst moment
was set by measuring (see benchmarks/memory.py). That was on a CPU: on a GPU the same tensors are
held.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    SIZES,
    FinetuneConfig,
    ModelConfig,
)

GB = 2**30
USABLE_GPU = 0.92  # of a card's memory; the rest is the driver's and what lies scattered
FITS = "fits"
FITS_SAVING = "fits with use_memory_saving_gradients"
FITS_NOT = "does not fit"

_FP32 = 4  # bytes
_WIDTH = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes of a number in matrix products
# What the optimizers keep, in numbers a weight (Keras's Adafactor keeps velocities whole).
_SLOTS = {"adam": 2, "adamw": 2, "adafactor": 1, "sgd": 0}
_SLOT_SIZES = (64, 128, 256, 512, 1024)  # see `decoding`
_DEFAULTS = FinetuneConfig()


def finetuning_bytes(model: ModelConfig, finetune: FinetuneConfig, precision: str) -> int:
    """Bytes at the worst moment of a training step, on each device. `precision` is one of
    float32, bfloat16 and float16.

    >>> finetune = FinetuneConfig(accumulate_gradients=1)
    >>> round(finetuning_bytes(SIZES["124M"], finetune, "float32") / GB, 1)
    3.3
    """
    width = _WIDTH[precision]
    narrow = width < _FP32
    tokens = finetune.batch_size * model.n_ctx
    output = _FP32 * model.n_vocab * model.n_embd
    trained = model.n_parameters
    if finetune.only_train_transformer_layers:
        trained -= (model.n_vocab + model.n_ctx) * model.n_embd
        output = 0
    gradients = _FP32 * trained
    copies = width * model.n_parameters if narrow else 0  # the weights as they are multiplied
    held = _FP32 * model.n_parameters + _SLOTS[finetune.optimizer] * gradients + _graph(model, 14)
    if finetune.accumulate_gradients > 1:
        held += 2 * gradients  # the sum so far, and the next one

    row = tokens * model.n_embd
    odds = tokens * model.n_ctx * model.n_head  # what attention gives each token for each other
    # Kept for the gradients, in rows: the insides of both norms, in fp32; then what the matrices
    # multiply, which are both norms, query, key, value, what is mixed, and twice the wide middle.
    layer = row * (4 * _FP32 + 14 * width) + odds * (_FP32 + narrow * width)
    if finetune.dropout:
        layer += (2 * odds + 4 * row) * width
    backwards = (4 * odds + 8 * row) * _FP32  # what the gradients of one layer pass through
    if finetune.use_memory_saving_gradients:
        kept, once_more = model.n_layer * row * width, layer
    else:
        kept, once_more = model.n_layer * layer, 0
    scores = 2.25 * _FP32 * tokens * model.n_vocab  # logits, their gradients, and the odd part more
    return int(
        held
        + max(
            copies + kept + scores + output,  # between the two passes
            copies + kept + once_more + backwards + output,  # the way back begins
            gradients + layer + backwards + output,  # and ends
            gradients + 2.5 * output,  # the weights change
        )
    )


def generation_bytes(model: ModelConfig, batch_size: int, length: int, precision: str) -> int:
    """Bytes for writing `batch_size` texts of `length` tokens side by side.

    >>> round(generation_bytes(SIZES["355M"], 1, 100, "bfloat16") / GB, 1)
    2.3
    """
    width = _WIDTH[precision]
    weights = (_FP32 + (width < _FP32) * width) * model.n_parameters
    output = width * model.n_vocab * model.n_embd  # turned once for all
    longest = min(length + 1, model.n_ctx)
    slots = min(next((s for s in _SLOT_SIZES if s >= longest), longest), model.n_ctx)
    seen = 2 * batch_size * slots * model.n_embd * width  # keys and values of a layer
    scores = 4 * _FP32 * batch_size * model.n_vocab
    return weights + output + (model.n_layer + 1) * seen + scores + _graph(model, 9)


def _graph(model: ModelConfig, megabytes: int) -> int:
    """What the description of the computation takes, by `megabytes` a layer; on a GPU, where it
    stays in main memory, the libraries take about as much."""
    return (20 + megabytes * model.n_layer) * 2**20


@dataclass(frozen=True)
class Fit:
    """Whether finetuning a size fits: `verdict` is one of the three above, `line` says it.

    `needed` and `needed_saving` are bytes, without and with `use_memory_saving_gradients`.
    """

    name: str
    verdict: str
    needed: int
    needed_saving: int
    line: str


def what_fits(
    available: int,
    finetune: FinetuneConfig = _DEFAULTS,
    precision: str = "float32",
    place: str = "this machine",
) -> list[Fit]:
    """For the bundled model and each of OpenAI's sizes, whether finetuning it fits in `available`
    bytes. `place` is what the lines call the memory's owner.

    >>> for fit in what_fits(8 * GB, FinetuneConfig(accumulate_gradients=1), place="this GPU"):
    ...     print(fit.line)
    tiny: fits (about 0.2 GB)
    124M: fits (about 3.3 GB)
    355M: fits when memory is saved (about 6.2 GB)
    774M: needs 13 GB even when memory is saved, this GPU has 8
    1558M: needs 25 GB even when memory is saved, this GPU has 8
    """
    return [
        _fit(name, model, available, finetune, precision, place)
        for name, model in {BUNDLED_MODEL: ModelConfig.load(BUNDLED_FOLDER), **SIZES}.items()
    ]


def _fit(
    name: str,
    model: ModelConfig,
    available: int,
    finetune: FinetuneConfig,
    precision: str,
    place: str,
) -> Fit:
    needed, saving = (
        finetuning_bytes(
            model, dataclasses.replace(finetune, use_memory_saving_gradients=saves), precision
        )
        for saves in (False, True)
    )
    if needed <= available:
        verdict, line = FITS, f"fits (about {needed / GB:.1f} GB)"
    elif saving <= available:
        verdict, line = FITS_SAVING, f"fits when memory is saved (about {saving / GB:.1f} GB)"
    else:
        verdict = FITS_NOT
        line = (
            f"needs {saving / GB:,.0f} GB even when memory is saved, {place} has "
            f"{available / GB:,.0f}"
        )
    return Fit(name, verdict, needed, saving, f"{name}: {line}")


def here(loaded: ModelConfig | None = None) -> tuple[int | None, str]:
    """Bytes that a model can use on this machine, and whose they are: the first GPU's where there
    is one, else those of main memory that are free, and those that the weights of a model that is
    `loaded` have already. None where the system does not tell."""
    from gpt2_helpers import device  # which brings TensorFlow where there may be a GPU

    if cards := device.gpus():
        memory = cards[0].memory
        return (None if memory is None else int(USABLE_GPU * memory)), "this GPU"
    free = free_main_memory()
    if free is not None and loaded is not None:
        free += _FP32 * loaded.n_parameters
    return free, "this machine"


def free_main_memory(information: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes of main memory that a new process can have, or None where the system does not tell."""
    try:
        lines = information.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return free[0] * 1024 if free else None
