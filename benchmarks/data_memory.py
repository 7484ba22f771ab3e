"""Memory and time of reading large datasets: one file per format, each in a process of its own.

    .venv/bin/python benchmarks/data_memory.py --megabytes 1000 jsonl parquet

The files are made from sentences of data/stories.txt and deleted afterwards. Peak memory is the
largest resident set of the process, in which the token ids are written to a file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FORMATS = ("jsonl", "json", "csv", "jsonl.gz", "parquet")
_BATCH = 10_000  # records written at a time

# Prints the peak memory in MB, the documents and the seconds.
_READ = """
import sys, time
from gpt2_helpers.bench.worker import peak_memory
from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.data import load_dataset
from gpt2_helpers.tokenizer import Tokenizer
start = time.monotonic()
dataset = load_dataset(sys.argv[1], Tokenizer.load(BUNDLED_FOLDER), cache=sys.argv[2])
peak = peak_memory() / 2**20  # ru_maxrss would have that of the process that started this one
print(f"{peak:.0f} {dataset.documents} {time.monotonic() - start:.0f}")
"""


def texts(megabytes: float) -> Iterator[list[str]]:
    """Batches of random texts of about 500 characters, `megabytes` in total."""
    random_source = random.Random(1)
    lines = (ROOT / "data" / "stories.txt").read_text(encoding="utf-8").split("\n")
    sentences = [line for line in lines if len(line) > 40]
    done = 0
    while done < megabytes * 1e6:
        batch = [" ".join(random_source.sample(sentences, 6)) for _ in range(_BATCH)]
        done += sum(map(len, batch))
        yield batch


def write(path: Path, megabytes: float) -> None:
    """Write a dataset in the format of the file's suffix."""
    kind = path.name.partition(".")[2]
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        schema = pyarrow.schema([("text", pyarrow.string())])
        with pyarrow.parquet.ParquetWriter(path, schema) as writer:
            for batch in texts(megabytes):
                writer.write_table(pyarrow.table({"text": batch}), row_group_size=1 << 20)
        return
    opened = gzip.open if kind.endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8") as file:
        file.write({"json": "[", "csv": "text\n"}.get(kind, ""))
        separator = ""
        for batch in texts(megabytes):
            for text in batch:
                if kind == "json":
                    file.write(separator + json.dumps({"text": text}))
                    separator = ",\n"
                elif kind == "csv":
                    file.write('"' + text.replace('"', '""') + '"\n')
                else:
                    file.write(json.dumps({"text": text}) + "\n")
        file.write("]" if kind == "json" else "")


def measure(path: Path, cache: Path) -> tuple[int, int, int]:
    """Peak memory in MB, documents and seconds of reading a file in a new process."""
    command = [sys.executable, "-c", _READ, str(path), str(cache)]
    printed = subprocess.check_output(command, text=True, cwd=ROOT)
    peak, documents, seconds = map(int, printed.split())
    return peak, documents, seconds


def main() -> None:
    """Measure the formats and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("formats", nargs="*", default=FORMATS)
    parser.add_argument("--megabytes", type=float, default=1000)
    options = parser.parse_args()
    print("| format | size on disk | documents | peak memory | time |\n|---|---|---|---|---|")
    for kind in options.formats:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"texts.{kind}")
            write(path, options.megabytes)
            start = time.monotonic()
            peak, documents, _ = measure(path, Path(folder, "ids.npy"))
            size = path.stat().st_size / 1e6
            seconds = time.monotonic() - start
            print(f"| {kind} | {size:,.0f} MB | {documents:,} | {peak} MB | {seconds:.0f} s |")


if __name__ == "__main__":
    main()
