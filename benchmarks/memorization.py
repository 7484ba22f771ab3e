"""Time and memory of `gpt2-helpers check`: generated titles against the titles of a training set.

    .venv/bin/python benchmarks/memorization.py
    .venv/bin/python benchmarks/memorization.py --generated 10000 --training 100000

The titles are made on the spot: the first half of one title of data/titles.csv and the second half
of another, with two words replaced by rarer ones. Of the generated ones a tenth are copies and a
tenth are near copies of titles in the training set. The check runs in a process of its own, whose
start, imports and output count. Peak memory is the largest resident set of all its processes
together, sampled twice per second.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine_info import ROOT, machine
from scaling.beam_data import memory_of_tree

# English syllables, so that titles have as many different trigrams as real ones.
_PARTS = (
    "b c d f g h j k l m n p qu r s t v w y z bl br ch cl cr dr fl fr gl gr ph pl pr sh sl sp st",
    "a e i o u y ai ea ee ie oa oo ou",
    "b d f g k l m n p r s t x ck ll mp nd ng nt rd rk rn rt sh sk ss st th tch",
)
_SYLLABLES = ["".join(parts) for parts in itertools.product(*(part.split() for part in _PARTS))]
_RARE_WORDS = 50_000
_SAMPLE_SECONDS = 0.5
# Prints what was found, and what it took.
_CHECK = """
import json, os, sys, time
start = time.monotonic()
from gpt2_helpers.bench.worker import peak_memory
from gpt2_helpers.evaluation.generated_files import read_generated
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.overlap_report import as_lines
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.system.files import drain
training = TrainingData([(sys.argv[2], "title")])
report = drain(check_texts(read_generated(sys.argv[1]), training))
as_lines(report)
print(json.dumps({
    "copies": report.copies, "near copies": report.near_copies, "novel": report.novel,
    "seconds": time.monotonic() - start, "processor seconds": sum(os.times()[:4]),
    "peak memory": peak_memory(),
}))
"""


def titles(seed: int) -> Iterator[str]:
    """Endless titles of about 60 characters, the same ones for a seed."""
    source = random.Random(seed)
    with (ROOT / "data" / "titles.csv").open(newline="", encoding="utf-8") as file:
        known = [row["title"].split() for row in csv.DictReader(file)]
    known = [words for words in known if len(words) >= 6]
    while True:
        first, second = source.choice(known), source.choice(known)
        words = first[: len(first) // 2] + second[len(second) // 2 :]
        for _ in range(2):
            # A few of the rare words are common, as in a real vocabulary.
            number = int(_RARE_WORDS ** source.random())
            words[source.randrange(len(words))] = _rare_word(number)
        yield " ".join(words)


@functools.cache
def _rare_word(number: int) -> str:
    source = random.Random(number)
    return "".join(source.choices(_SYLLABLES, k=source.choice((1, 1, 2))))


def write_files(folder: Path, n_generated: int, n_training: int) -> tuple[Path, Path]:
    """Write the generated titles and those of the training set; returns both paths."""
    source, made = random.Random(3), titles(1)
    training = [next(made) for _ in range(n_training)]
    fresh = titles(2)
    generated = []
    for number in range(n_generated):
        kind = number % 10
        words = (source.choice(training) if kind < 2 else next(fresh)).split()
        if kind == 1:
            words[source.randrange(len(words))] = "is"
        generated.append(" ".join(words))
    paths = folder / "texts.jsonl", folder / "titles.csv"
    lines = (json.dumps({"text": text}) + "\n" for text in generated)
    paths[0].write_text("".join(lines), encoding="utf-8")
    with paths[1].open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["title"], *([title] for title in training)])
    return paths


def measure(generated: Path, training: Path) -> dict[str, Any]:
    """Check the titles in a new process: counts, seconds and peak memory in bytes."""
    command = [sys.executable, "-c", _CHECK, str(generated), str(training)]
    peak = 0
    with subprocess.Popen(command, text=True, cwd=ROOT, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            peak = max(peak, sum(memory_of_tree(process.pid)))
            time.sleep(_SAMPLE_SECONDS)
        if process.returncode or process.stdout is None:
            raise SystemExit(f"the check failed with exit code {process.returncode}")
        found: dict[str, Any] = json.loads(process.stdout.read())
    found["peak memory"] = max(found["peak memory"], peak)  # the first is that of one process
    return found


def main() -> None:
    """Make the titles, check them, and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--generated", type=int, default=100_000)
    parser.add_argument("--training", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), options.generated, options.training)
        before = machine()
        found = measure(*paths)
    print(f"{options.generated:,} titles against {options.training:,}: {found['seconds']:.1f} s,")
    print(f"{found['processor seconds']:.1f} s of processor time,", end=" ")
    print(f"{found['peak memory'] / 2**20:,.0f} MB at most")
    print(", ".join(f"{found[kind]:,} {kind}" for kind in ("copies", "near copies", "novel")))
    print(before)


if __name__ == "__main__":
    main()
