"""Fork server of the fuzz runs: each request fuzzes one reader in a forked process.

libFuzzer ends the process, so each reader needs its own; instrumenting the package takes seconds,
so it is done once here. A request is a line of JSON on stdin; the answer on stdout is the exit
code. Started by `fuzzer` of `__main__`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[3])]

with atheris.instrument_imports(include=["gpt2_helpers"]):
    from fuzzing.targets import feed


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(task: dict[str, Any]) -> None:
    """Fuzz the reader `target`. One that needs more than `megabytes` fails with a MemoryError."""
    output = os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):  # tracebacks go to stdout, statistics to stderr
        os.dup2(output, stream)
    megabytes, target = task["megabytes"], task["target"]
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
    atheris.Setup([sys.argv[0], *task["options"]], lambda data: feed(target, data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
