"""How long `import gpt2_helpers` takes in a new process, and which packages it loads.

    python benchmarks/importing.py

Python's own start-up is measured separately and not subtracted.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time

from machine_info import machine, run

HEAVY = ("tensorflow", "keras", "numpy", "pandas", "matplotlib", "IPython", "ipywidgets")


def seconds_of(statement: str) -> float:
    start = time.perf_counter()
    run([sys.executable, "-c", statement])
    return time.perf_counter() - start


def loaded_by(module: str) -> set[str]:
    """Packages outside the standard library that importing `module` loads."""
    script = f"""
import json, sys
before = set(sys.modules)
import {module}
new = set(sys.modules) - before
print(json.dumps(sorted({{name.split(".")[0] for name in new}} - sys.stdlib_module_names)))
"""
    return set(json.loads(run([sys.executable, "-c", script]).stdout))


def time_by_package(module: str) -> dict[str, float]:
    """Milliseconds that each top-level package's own modules take, by `-X importtime`."""
    totals: dict[str, float] = {}
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    for line in run(command).stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            package = parts[2].strip().split(".")[0]
            totals[package] = totals.get(package, 0.0) + int(parts[0]) / 1000
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--module", default="gpt2_helpers")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    statements = {"python only": "pass", f"import {options.module}": f"import {options.module}"}
    times: dict[str, list[float]] = {name: [] for name in statements}
    for turn in range(options.rounds + 1):
        for name, statement in statements.items():
            seconds = seconds_of(statement)
            if turn:  # the first one fills the file caches
                times[name].append(seconds)

    print(f"{machine()}; Python {platform.python_version()}; {options.rounds} new processes each\n")
    for name, measured in times.items():
        print(
            f"{name:24} median {statistics.median(measured):.3f} s, "
            f"from {min(measured):.3f} to {max(measured):.3f}"
        )
    packages = loaded_by(options.module)
    print(f"\npackages loaded: {', '.join(sorted(packages))}")
    heavy = [name for name in HEAVY if name in packages]
    print(f"heavy packages: {', '.join(heavy) or 'none'}")
    print("\nslowest packages (ms with -X importtime, own modules only):")
    slowest = sorted(time_by_package(options.module).items(), key=lambda item: -item[1])
    for name, milliseconds in slowest[:6]:
        print(f"  {name:20}{milliseconds:8.1f}")


if __name__ == "__main__":
    main()
