"""Measures the rates of this machine: memory bandwidth and matmuls.

    python -m scaling.rates

Each rate is the best of several tries and shapes, since it is used as a limit.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from scaling.limits import Rates

BLOCK = 1 << 29  # bytes, far more than any cache
TRIES = 12
SQUARES = (512, 1024, 2048)
SLOW_SQUARES = (512, 1024)  # if 16-bit matmuls are emulated
PRODUCTS = ((256, 768, 3072), (256, 3072, 3072), (1024, 768, 3072), (512, 2048, 2048))


def measure() -> Rates:
    """Measure all rates, in about ten seconds."""
    import tensorflow as tf

    from gpt2_helpers.system import device

    fast = device.cpu_has_bfloat16() or bool(device.gpus())
    return Rates(
        bandwidth=_bandwidth(device.cores()),
        float32=max(_squares(side, tf.float32) for side in SQUARES),
        bfloat16=max(_squares(side, tf.bfloat16) for side in (SQUARES if fast else SLOW_SQUARES)),
        int8=max(_int8(*shape, device.cores()) for shape in PRODUCTS),
    )


def _least_seconds(run: Callable[[], object], tries: int = TRIES) -> float:
    run()
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _bandwidth(cores: int) -> float:
    """Each core reads a part of the block with a dot product, the fastest way to read."""
    block = np.ones(BLOCK // 4, np.float32)
    parts = np.array_split(block, cores)

    def read(part: np.ndarray) -> None:
        np.dot(part, part)

    with ThreadPoolExecutor(cores) as threads:
        return block.nbytes / _least_seconds(lambda: list(threads.map(read, parts)))


def _squares(side: int, dtype: object) -> float:
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((side, side)), dtype)
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))
    return 2 * side**3 / _least_seconds(lambda: multiply().numpy())


def _int8(rows: int, n_in: int, n_out: int, cores: int) -> float:
    from gpt2_helpers.generation.tflite import INT8, Builder

    random = np.random.default_rng(0)
    build = Builder(INT8)
    x = build.input(n_in)
    matrix = random.standard_normal((n_out, n_in), np.float32)
    program = build.program([x], [build.dense(x, matrix)], cores)
    numbers = random.standard_normal((rows, n_in), np.float32)
    return 2 * rows * n_in * n_out / _least_seconds(lambda: program(numbers))


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(measure())))
