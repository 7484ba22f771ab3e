"""Fuzz every reader of files: `make fuzz`.

python -m fuzzing [--minutes 1] [--only csv] [--corpus FOLDER]

`--corpus` keeps the generated inputs for the next call. Inputs that make a reader fail are copied
to findings/ and are tested from then on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing.targets import TARGETS, seeds

HERE = Path(__file__).parent
MEMORY = 4000  # MiB that a reader may need


class Fuzzer:
    """Client of the fork server `fuzz_worker`, for one reader at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._expect("ready")

    def fuzz(
        self,
        target: str,
        seconds: float,
        corpus: Path,
        findings: Path,
        megabytes: int = MEMORY,
        runs: int = -1,
    ) -> tuple[int, str]:
        """Fuzz one reader for some seconds, or until `runs` inputs were tried.

        Returns:
            The number of inputs and the failure, or an empty string.
        """
        seeds(target, corpus)
        findings.mkdir(parents=True, exist_ok=True)
        output = findings.with_name(f"{findings.name}.txt")
        options = [
            *(str(corpus), f"-artifact_prefix={findings}/"),
            *(f"-max_total_time={max(1, round(seconds))}", f"-runs={runs}"),
            # The worker limits the memory: libFuzzer's limit is compared with the peak of the
            # process, which Linux inherits from the process that started it.
            *("-max_len=20000", "-timeout=120", "-rss_limit_mb=0", "-print_final_stats=1"),
        ]
        task = {"target": target, "megabytes": megabytes, "output": str(output)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**task, "options": options}) + "\n")
        self._process.stdin.flush()
        code, printed = int(self._line()), output.read_text(encoding="utf-8", errors="replace")
        tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", printed)
        if code and not any(findings.iterdir()):
            raise RuntimeError(printed[-3000:])
        return int(tried[1]) if tried else 0, _failure(printed) if code else ""

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the fork server ended with {self._process.wait()}"
        return line.strip()

    def _expect(self, word: str) -> None:
        line = self._line()
        assert line == word, line


@contextlib.contextmanager
def fuzzer() -> Iterator[Fuzzer]:
    """A running fork server."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "fuzz_worker.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Fuzzer(process)
        finally:
            process.kill()


def _failure(output: str) -> str:
    """The Python traceback, or libFuzzer's output if there is none."""
    _, marked, rest = output.partition("Uncaught Python exception: ===")
    return rest[:3000] if marked else output[-3000:]


@contextlib.contextmanager
def _corpus_folder(corpus: Path | None) -> Iterator[Path]:
    if corpus:
        yield corpus
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=1, help="time limit for all readers")
    parser.add_argument("--only", choices=list(TARGETS), help="one reader")
    parser.add_argument("--corpus", type=Path, help="folder that keeps generated inputs")
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(TARGETS)
    total = found = 0
    with (
        _corpus_folder(options.corpus) as corpus,
        tempfile.TemporaryDirectory() as name,
        fuzzer() as worker,
    ):
        for target in chosen:
            findings = Path(name, target)
            seconds = 60 * options.minutes / len(chosen)
            tried, failure = worker.fuzz(target, seconds, corpus / target, findings)
            total += tried
            print(f"{target}: {tried:,} inputs tried", flush=True)
            if failure:
                found += 1
                kept = HERE / "findings" / target
                kept.mkdir(parents=True, exist_ok=True)
                for path in findings.iterdir():
                    shutil.copy(path, kept)
                    print(f"  finding saved as {kept / path.name}:{failure}", flush=True)
    print(f"{total:,} inputs tried, {found} findings", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
