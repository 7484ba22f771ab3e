"""Peak memory of finetuning and generation, compared with the estimates of `training.memory`.

    nice -n 19 python benchmarks/memory.py [--below 12] [--only 124M]

Each case is a new process with random weights that takes two training steps or generates a batch of
texts. Its peak is the high-water mark of its resident memory (VmHWM), minus that after importing
TensorFlow, or TensorFlow Lite if generation uses it. Cases with an estimate above `--below` GB are
skipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    PRETRAINED_CONFIGS,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.generation.decoder import Model
from gpt2_helpers.generation.memory import generation_bytes
from gpt2_helpers.system import device
from gpt2_helpers.training.memory import finetuning_bytes, sample_settings
from machine_info import machine, peak_memory, run

GB = 2**30
MEDIUM = ModelConfig(n_vocab=8192, n_ctx=512, n_embd=512, n_head=8, n_layer=8)
SHAPES = {"tiny": ModelConfig.load(BUNDLED_FOLDER), "medium": MEDIUM, **PRETRAINED_CONFIGS}


@dataclasses.dataclass(frozen=True)
class Case:
    """What is measured for a model shape.

    With `length` 0, two training steps with `options`, and a sample of `sample_length` tokens after
    each; otherwise generation up to `length` tokens.
    """

    shape: str
    precision: str
    batch_size: int = 1
    length: int = 0
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sample_length: int = 0

    def estimate(self) -> int:
        """The package's estimate in bytes."""
        model = SHAPES[self.shape]
        if self.length:
            return generation_bytes(model, self.batch_size, self.length, self.precision)
        samples = None
        if self.sample_length:
            samples = sample_settings(RunConfig(sample_length=self.sample_length), "auto")
        return finetuning_bytes(model, self.finetune(), self.precision, samples)

    def finetune(self) -> FinetuneConfig:
        return FinetuneConfig(
            **{
                "steps": 2,
                "accumulate_gradients": 1,
                "batch_size": self.batch_size,
                "precision": "auto" if self.length else self.precision,
                **self.options,
            }
        )

    def columns(self) -> str:
        """The first cells of its table row."""
        what = f"generate {self.length}" if self.length else "finetune"
        options = [
            name if value is True else f"{name}={value}" for name, value in self.options.items()
        ]
        if self.sample_length:
            what += f", samples of {self.sample_length}"
        columns = [self.shape, what, str(self.batch_size), self.precision, ", ".join(options)]
        return f"| {' | '.join(columns)} |"


def cases() -> Iterator[Case]:
    """All cases, among them those of the table in docs/benchmarks.md."""
    saving = {"use_memory_saving_gradients": True}
    yield Case("tiny", "float32", 16)
    yield Case("tiny", "float32", 16, options=saving)
    for precision in ("float32", "bfloat16"):
        yield Case("medium", precision, 4)
        yield Case("medium", precision, 4, options=saving)
        yield Case("124M", precision)
        yield Case("124M", precision, options=saving)
        yield Case("124M", precision, options={"accumulate_gradients": 5})
    yield Case("medium", "float16", 4)
    yield Case("medium", "float32", 8, options={"accumulate_gradients": 2})
    yield Case("medium", "float32", 4, options={"dropout": 0.1})
    yield Case("medium", "bfloat16", 4, options={"dropout": 0.1})
    yield Case("124M", "float32", 2)
    yield Case("124M", "bfloat16", 4, options=saving)
    yield Case("124M", "float32", options={"optimizer": "adafactor", **saving})
    yield Case("124M", "float32", options={"optimizer": "sgd", **saving})
    yield Case("124M", "bfloat16", options={"only_train_transformer_layers": True, **saving})
    yield Case("124M", "bfloat16", options={"accumulate_gradients": 5, **saving})
    yield Case("355M", "bfloat16", options=saving)
    yield Case("355M", "float32", options=saving)
    for precision in ("float32", "bfloat16"):
        yield Case("774M", precision, options={"optimizer": "adafactor", **saving})
    yield Case("124M", "float32", options={"lora_rank": 8})
    yield Case("124M", "float32", options={"lora_rank": 8, **saving})
    yield Case("124M", "bfloat16", options={"lora_rank": 8, **saving})
    yield Case("124M", "bfloat16", options={"lora_rank": 64, "accumulate_gradients": 5, **saving})
    yield Case("355M", "bfloat16", options={"lora_rank": 8, **saving})
    for precision in ("float32", "bfloat16"):
        yield Case("1558M", precision, options={"lora_rank": 8, **saving})
    for shape, options in (
        ("124M", saving),
        ("774M", {"optimizer": "adafactor", **saving}),
        ("1558M", {"lora_rank": 8, **saving}),
    ):
        yield Case(shape, "float32", options=options, sample_length=1023)
    yield Case("124M", "float32", 1, length=100)
    yield Case("124M", "int8", 1, length=100)
    yield Case("124M", "int8", 20, length=100)
    yield Case("124M", "int8", 20, length=1023)
    yield Case("124M", "float32", 20, length=100)
    yield Case("355M", "int8", 1, length=100)
    yield Case("355M", "float32", 1, length=100)
    yield Case("124M", "bfloat16", 1, length=1023)
    yield Case("124M", "bfloat16", 20, length=100)
    yield Case("124M", "float32", 20, length=500)
    yield Case("355M", "bfloat16", 1, length=100)


class RandomWeights(Mapping[str, np.ndarray]):
    """Random weights, created one at a time, as weights are read from a checkpoint."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes, self._random = shapes, np.random.default_rng(0)

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._random.standard_normal(self._shapes[name], np.float32)
        array *= 0.02
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def measure(case: Case) -> int:
    """Peak memory of this process for the case, in bytes."""
    return measure_generation(case) if case.length else measure_training(case)


def measure_training(case: Case) -> int:
    import tensorflow as tf

    from gpt2_helpers.model.gpt2 import GPT2
    from gpt2_helpers.model.lora import new_adapters
    from gpt2_helpers.model.variables import variable_shapes
    from gpt2_helpers.training.trainer import Trainer

    tf.constant(0)  # TensorFlow sets up its devices
    before = peak_memory()
    shape, finetune = SHAPES[case.shape], case.finetune()
    weights = RandomWeights(variable_shapes(shape))
    model = GPT2(shape, weights, case.precision, frozen=finetune.lora_rank > 0)
    if finetune.lora_rank:
        model.load_adapters(new_adapters(shape, finetune.lora_rank, seed=0))
    tokens = np.arange(8 * shape.n_ctx) % shape.n_vocab
    for _ in Trainer(model, tokens, finetune):
        if case.sample_length:  # as a run does on a CPU
            generate(model, device.choose_decoding_precision(), 1, case.sample_length)
    return peak_memory() - before


def measure_generation(case: Case) -> int:
    from gpt2_helpers.checkpoint.inference_model import InferenceModel
    from gpt2_helpers.generation.decoders import runs_on_tflite
    from gpt2_helpers.model.variables import variable_shapes

    shape = SHAPES[case.shape]
    weights = RandomWeights(variable_shapes(shape))
    model: Model
    if runs_on_tflite(case.precision):
        from gpt2_helpers.generation import tflite_decoder  # noqa: F401 - loads TensorFlow Lite

        before = peak_memory()
        model = InferenceModel(shape, weights, "float32", case.precision)
    else:
        import tensorflow as tf

        from gpt2_helpers.model.gpt2 import GPT2

        tf.constant(0)
        before = peak_memory()
        model = GPT2(shape, weights, case.precision)
    generate(model, case.precision, case.batch_size, case.length)
    return peak_memory() - before


def generate(model: Model, precision: str, batch_size: int, length: int) -> None:
    """Generate a batch of texts of `length` tokens, skipping most of the steps in between."""
    from gpt2_helpers.generation.decoders import DecoderPool
    from gpt2_helpers.generation.prefix_cache import KEPT_ROWS

    decoder = DecoderPool(model).get(batch_size, length, precision)
    rows, configs = np.zeros(batch_size, np.int32), [SamplingConfig()] * batch_size
    prompt = [0] * (length // 2)
    for former in range(1, 2 + KEPT_ROWS * 2):  # whose copies are kept
        decoder.prefill(0, [former] * len(prompt))
    for row in range(batch_size):
        decoder.prefill(row, prompt)
    for position in range(len(prompt), length, max(1, length // 20)):
        decoder.step(rows, rows + position, np.zeros(len(rows), np.float32), configs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--below", type=float, default=12.0, help="skip cases with a higher estimate, in GB"
    )
    parser.add_argument("--only", help="only this shape")
    parser.add_argument("--case", type=int, help="measure this case in this process")
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(list(cases())[options.case])))
        return
    print(machine())
    print("| shape | workload | batch | precision | options | measured GB | estimated | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for order, case in enumerate(cases()):
        estimate = case.estimate()
        if estimate > options.below * GB or options.only not in (None, case.shape):
            continue
        command = [sys.executable, __file__, "--case", str(order)]
        measured = json.loads(run(command).stdout.splitlines()[-1])
        numbers = f"{measured / GB:.2f} | {estimate / GB:.2f} | {estimate / measured:.2f} |"
        print(case.columns(), numbers, flush=True)


if __name__ == "__main__":
    main()
