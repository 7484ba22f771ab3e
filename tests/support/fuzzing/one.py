"""Fuzzes one reader: python one.py TARGET MEGABYTES CORPUS [libFuzzer options].

libFuzzer ends the process, so each reader needs its own; see `__main__`. A reader that needs more
memory than MEGABYTES fails with a MemoryError.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[3])]

with atheris.instrument_imports(include=["gpt2_helpers"]):
    from fuzzing.targets import feed


def main() -> None:
    target, megabytes = sys.argv.pop(1), int(sys.argv.pop(1))
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
    atheris.Setup(sys.argv, lambda data: feed(target, data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
