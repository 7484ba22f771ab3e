"""The rate of `gpt2-helpers beam-generate`, with a kill and a restart, against one process.

    cd benchmarks && python -m scaling.beam_texts --texts 20000 --processes 2

The job is killed when a third of the texts is written, and started again by the same command. Its
texts must be those of one process. The result has the seconds and the rates of both.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "gpt2_helpers")


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a command of the package in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a command that must succeed."""
    if process.wait():
        raise SystemExit(f"{process.args!r} failed with exit code {process.returncode}")


def interrupted_job(folder: Path, arguments: list[str], shards: int) -> float:
    """Run a job, kill it after some shards, and run it again; returns the seconds of both."""
    begin = time.monotonic()
    process = start(folder, arguments)
    while len(list(folder.glob("out/*.jsonl"))) < shards:
        if process.poll() is not None:
            raise SystemExit("the job ended before it could be killed: use more texts")
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    print(f"killed after {time.monotonic() - begin:,.0f} s", flush=True)
    finish(start(folder, arguments))
    return time.monotonic() - begin


def texts_of(folder: Path) -> bytes:
    """The content of all files of a job, in the order of its index."""
    index = json.loads((folder / "out" / "texts.index.json").read_text(encoding="utf-8"))
    return b"".join((folder / "out" / shard["file"]).read_bytes() for shard in index["shards"])


def main() -> None:
    """Generate with several processes and with one, and compare the texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=20)
    options = parser.parse_args()
    count, shard = options.texts, max(1, options.texts // 80)
    with tempfile.TemporaryDirectory(prefix="beam-texts-") as name:
        folder = Path(name)
        prompts = "".join(f"Why is the number {number}\n" for number in range(count))
        (folder / "prompts.txt").write_text(prompts, encoding="utf-8")
        common = ["--model-name", "tiny", "--prompts", "prompts.txt", "--seed", "1"]
        common += ["--length", str(options.length), "--batch-size", str(options.batch_size)]
        job = ["beam-generate", *common, "--shard-size", str(shard)]
        job += ["--destination-path", "out/texts.jsonl"]
        job += [f"--direct_num_workers={options.processes}"]
        job += ["--direct_running_mode=multi_processing"]
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        seconds = interrupted_job(folder, job, shards=27)
        print(
            f"{options.processes} processes, killed once: {seconds:,.0f} s, "
            f"{count / seconds:,.1f} texts/s; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        begin = time.monotonic()
        finish(start(folder, ["generate", *common, "--destination-path", "one.jsonl"]))
        seconds = time.monotonic() - begin
        print(
            f"one process: {seconds:,.0f} s, {count / seconds:,.1f} texts/s; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        if texts_of(folder) != (folder / "one.jsonl").read_bytes():
            raise SystemExit("the texts differ from those of one process")
        print(f"all {count:,} texts are there once and equal those of one process")


if __name__ == "__main__":
    main()
