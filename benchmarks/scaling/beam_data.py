"""Reading, cleaning, deduplicating and encoding of large datasets with `gpt2-helpers beam-encode`.

    cd benchmarks && python -m scaling.beam_data --megabytes 1000 --processes 1 2 4 --write
    python -m scaling.beam_data --megabytes 5000 --processes 2
    python -m scaling.beam_data --megabytes 1000 --processes 2 --deduplicate

The dataset is made from sentences of data/stories.txt: a large text file, and CSV, JSON Lines and
Parquet files. It is deleted afterwards. Each line of the result has the seconds, the rate, and the
seconds of processor time, and the largest memory of all processes together and of one of them,
sampled from /proc. With --write the rates are drawn in pictures/beam-data.png.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gpt2_helpers.system import device
from machine_info import HERE, ROOT
from scaling.curve import Curve, Point, Series

PICTURE = HERE / "pictures" / "beam-data.png"
FILE_MB = 64  # of the tables
COPY_RATE = 0.05  # of the texts, half of them with one sentence changed
_EARLIER = 2_000  # texts that copies are taken from
_SAMPLE_SECONDS = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")
COMMAND = (sys.executable, "-m", "gpt2_helpers", "beam-encode")


def texts(megabytes: float, seed: int = 1) -> Iterator[str]:
    """Random texts of about 500 characters, `megabytes` in total, some of them copies."""
    chance = random.Random(seed)
    lines = (ROOT / "data" / "stories.txt").read_text(encoding="utf-8").split("\n")
    sentences = [line for line in lines if len(line) > 40]
    done, number = 0, 0
    earlier: list[list[str]] = []
    while done < megabytes * 1e6:
        parts = chance.sample(sentences, 6)
        if earlier and chance.random() < COPY_RATE:
            parts = list(chance.choice(earlier))
            if chance.random() < 0.5:
                parts[chance.randrange(len(parts))] = f"This one is number {number}."
        elif len(earlier) < _EARLIER:
            earlier.append(parts)
        number += 1
        text = f"{parts[0]} {number} {' '.join(parts[1:])}"
        done += len(text)
        yield text


def make_dataset(folder: Path, megabytes: float) -> None:
    """Two fifths in one text file, and a fifth each in CSV, JSON Lines and Parquet files."""
    with (folder / "a.txt").open("w", encoding="utf-8") as file:
        for text in texts(0.4 * megabytes, seed=1):
            file.write(f"{text}<|endoftext|>\n")
    share = 0.2 * megabytes
    count = max(1, round(share / FILE_MB))
    for order in range(count):
        part = share / count
        with (folder / f"b{order:03d}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text"])
            rows.writerows([text] for text in texts(part, seed=100 + order))
        with (folder / f"c{order:03d}.jsonl").open("w", encoding="utf-8") as file:
            for text in texts(part, seed=1100 + order):
                file.write(json.dumps({"text": text}) + "\n")
        _write_parquet(folder / f"d{order:03d}.parquet", texts(part, seed=2100 + order))


def _write_parquet(path: Path, rows: Iterator[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([("text", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        batch: list[str] = []
        for text in rows:
            batch.append(text)
            if len(batch) == 10_000:
                writer.write_table(pyarrow.table([batch], schema))
                batch = []
        writer.write_table(pyarrow.table([batch], schema))


def memory_of_tree(pid: int) -> list[int]:
    """Resident memory in bytes of a process and its descendants."""
    parents, sizes = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # it has ended
                continue
            fields = stat.rpartition(")")[2].split()
            parents[int(entry)], sizes[int(entry)] = int(fields[1]), int(fields[21]) * _PAGE
    tree = {pid}
    while more := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return [sizes[one] for one in tree if one in sizes]


def run(command: list[str]) -> tuple[float, float, int, int]:
    """Seconds, processor seconds, and the peak memory in bytes of all processes of a command
    together and of one of them."""
    start, before = time.monotonic(), processor_seconds()
    together = single = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            found = memory_of_tree(process.pid) or [0]
            together, single = max(together, sum(found)), max(single, *found)
            time.sleep(_SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return time.monotonic() - start, processor_seconds() - before, together, single


def processor_seconds() -> float:
    """Processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def curve(megabytes: float, seconds: dict[int, float]) -> Curve:
    """The speed by number of processes. At best it grows in proportion to their number, up to the
    number of cores."""
    cores = device.cores()
    alone = megabytes / seconds[min(seconds)] / min(min(seconds), cores)
    points = [
        Point(count, [megabytes / taken], alone * min(count, cores))
        for count, taken in sorted(seconds.items())
    ]
    return Curve(
        "beam-encode",
        "processes",
        "MB of text per second",
        f"the speed of one process times their number, at most {cores} (cores)",
        [Series(f"{megabytes:,.0f} MB", points)],
    )


def main() -> None:
    """Make the dataset, and encode it with each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--deduplicate", action="store_true")
    parser.add_argument("--model-name", default="tiny", help="whose tokenizer is used")
    parser.add_argument("--write", action="store_true", help="update the picture")
    options = parser.parse_args()
    if options.write and options.deduplicate:
        parser.error("the picture shows the speed without --deduplicate")
    with tempfile.TemporaryDirectory(prefix="beam-data-") as name:
        folder = Path(name)
        (folder / "texts").mkdir()
        make_dataset(folder / "texts", options.megabytes)
        size = sum(path.stat().st_size for path in (folder / "texts").iterdir())
        print(f"made {size / 1e6:,.0f} MB; load {os.getloadavg()[0]:.1f}", flush=True)
        taken = {}
        for processes in options.processes:
            out = folder / f"out{processes}.tokens"
            command = [*COMMAND, str(folder / "texts"), "--out-path", str(out)]
            command += ["--model-name", options.model_name, f"--direct_num_workers={processes}"]
            if processes > 1:
                command.append("--direct_running_mode=multi_processing")
            if options.deduplicate:
                command += ["--deduplicate", "True"]
            seconds, computed, together, single = run(command)
            taken[processes] = seconds
            count = json.loads(out.read_bytes())["count"]
            print(
                f"{processes} processes: {seconds:,.0f} s, {size / 1e6 / seconds:.1f} MB/s, "
                f"{computed:,.0f} s of processor time ({size / 1e6 / computed:.1f} MB/s of it), "
                f"{together / 2**20:,.0f} MB together, {single / 2**20:,.0f} MB in one, "
                f"{count:,} tokens; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    if options.write:
        from scaling.plots import draw

        draw([curve(size / 1e6, taken)], PICTURE)


if __name__ == "__main__":
    main()
