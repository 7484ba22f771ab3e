"""engine/random.js gives NumPy's random numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from javascript import run_javascript

CODE = """
import { RandomStream, randomSeed } from "./static/engine/random.js";
function main(keys) {
  const streams = keys.map(([seed, sample]) => new RandomStream(BigInt(seed), sample));
  const numbers = streams.map((stream) => Array.from({ length: 50 }, () => stream.next()));
  return { numbers, seed: `${randomSeed()}` };
}
"""


def test_numbers_are_those_of_numpy(tmp_path: Path) -> None:
    keys = [(0, 0), (1, 0), (1, 3), (2**63 - 1, 7), (123456789012345678, 2**40)]
    found = run_javascript(tmp_path, CODE, [[str(seed), sample] for seed, sample in keys])
    for (seed, sample), numbers in zip(keys, found["numbers"], strict=True):
        stream = np.random.Generator(np.random.Philox(key=[seed, sample]))
        assert numbers == [float(stream.random(dtype=np.float32)) for _ in range(50)]
    assert 0 <= int(found["seed"]) < 2**63
