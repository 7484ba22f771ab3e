"""Measures one point of a curve in its own process; the arguments are JSON.

python -m scaling.points '{"kind": "training", ...}'
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

READ_SIZE = 1 << 20  # characters
CHUNK = 50_000  # characters encoded together, the default of `DatasetConfig.combine`


def decoding(
    folder: str, precision: str, batches: list[int], length: int, rounds: int
) -> dict[str, Any]:
    """Seconds of each step, by batch size and round, when generating `length` tokens per text."""
    from gpt2_helpers.checkpoint.model_files import load_model
    from gpt2_helpers.config import SamplingConfig
    from gpt2_helpers.generation import generate
    from gpt2_helpers.generation.decoders import DecoderPool
    from gpt2_helpers.tokenizer import Tokenizer

    model, tokenizer = load_model(folder), Tokenizer.load(folder)
    model.decoding_precision = precision
    decoders = DecoderPool(model)
    found: dict[str, list[list[float]]] = {}
    for batch in batches:
        config = SamplingConfig(
            length=length, nsamples=batch, batch_size=batch, top_k=40, temperature=0.7
        )
        decoder = decoders.get(batch, length + 1, precision)
        step, stamps = decoder.step, [0.0]

        def timed_step(*arguments: Any, step: Any = step, stamps: list[float] = stamps) -> Any:
            stamps.append(time.perf_counter())
            return step(*arguments)

        decoder.step = timed_step  # type: ignore[assignment, method-assign]
        found[str(batch)] = []
        # The first steps allocate memory and arrange the matrices for this batch size.
        warm_up = generate.stream(decoders, tokenizer, "", config)
        for _ in islice(warm_up, 4 * batch):
            pass
        warm_up.close()  # type: ignore[attr-defined]
        for _ in range(rounds):
            stamps.clear()
            for _ in generate.generate(decoders, tokenizer, "", config):
                pass
            stamps.append(time.perf_counter())
            found[str(batch)].append(np.diff(stamps)[:length].tolist())
    return found


def training(context: int, layers: int, batch: int, recompute: bool, steps: int) -> dict[str, Any]:
    """Seconds of each step after the first, peak memory in bytes, and the estimate of it."""
    import tensorflow as tf

    from gpt2_helpers.config import FinetuneConfig, ModelConfig
    from gpt2_helpers.model.gpt2 import GPT2
    from gpt2_helpers.model.variables import variable_shapes
    from gpt2_helpers.system.device import choose_precision
    from gpt2_helpers.training.memory import finetuning_bytes
    from gpt2_helpers.training.trainer import Trainer
    from machine_info import peak_memory
    from memory import RandomWeights

    tf.constant(0)  # TensorFlow sets up its devices
    before = peak_memory()
    precision = choose_precision()
    shape = ModelConfig(n_ctx=context, n_layer=layers)
    config = FinetuneConfig(
        steps=1 + steps,
        batch_size=batch,
        accumulate_gradients=1,
        use_memory_saving_gradients=recompute,
    )
    model = GPT2(shape, RandomWeights(variable_shapes(shape)), precision)
    tokens = np.random.default_rng(0).integers(0, shape.n_vocab, 50_000)
    stamps = [time.perf_counter() for _ in Trainer(model, tokens, config)]
    return {
        "seconds": np.diff(stamps).tolist(),
        "bytes": peak_memory() - before,
        "estimate": finetuning_bytes(shape, config, precision),
        "precision": precision,
    }


def text(work: str, path: str, vocabulary: str, processes: int) -> dict[str, Any]:
    """Seconds from a file to words ("split"), ids ("encode") or a dataset ("dataset")."""
    from gpt2_helpers.data.dataset import load_dataset
    from gpt2_helpers.data.tokenize import encode_texts, split_at_word_boundaries
    from gpt2_helpers.tokenizer import WORD_PATTERN, Tokenizer

    tokenizer = Tokenizer.load(vocabulary)
    start = time.perf_counter()
    if work == "dataset":
        count = len(load_dataset(path, tokenizer, processes=processes).tokens)
    elif work == "encode":
        texts = split_at_word_boundaries(_blocks(path), CHUNK)
        count = sum(map(len, encode_texts(texts, tokenizer, True, processes)))
    else:
        texts = split_at_word_boundaries(_blocks(path), CHUNK)
        count = sum(len(WORD_PATTERN.findall(text)) for text in texts)
    return {"seconds": time.perf_counter() - start, "count": count}


def _blocks(path: str) -> Iterator[str]:
    with Path(path).open(encoding="utf-8") as file:
        while block := file.read(READ_SIZE):
            yield block


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "decoding": decoding,
    "training": training,
    "text": text,
}


def main() -> None:
    arguments = json.loads(sys.argv[1])
    print(json.dumps(KINDS[arguments.pop("kind")](**arguments)))


if __name__ == "__main__":
    main()
