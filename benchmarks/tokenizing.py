"""Tokenizing speed compared with gpt-2-simple: cold, in a new process, and then warm.

    python benchmarks/tokenizing.py TEXT --vocabulary models/124M --baselines PYTHON

PYTHON is the interpreter of an environment with gpt-2-simple; it does not need TensorFlow.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from machine_info import machine, median, run_interleaved

Encode = Callable[[str], list[int]]


def ours(folder: Path) -> tuple[Encode, str]:
    from gpt2_helpers.tokenizer import Tokenizer

    return Tokenizer.load(folder).encode, "this checkout"


def gpt_2_simple(folder: Path) -> tuple[Encode, str]:
    # Its package imports TensorFlow, which the encoder does not need.
    package = importlib.util.find_spec("gpt_2_simple")
    if package is None or package.origin is None:
        raise SystemExit(f"{sys.executable} has no gpt-2-simple: pip install gpt-2-simple==0.8.1")
    path = Path(package.origin).parent / "src" / "encoder.py"
    spec = importlib.util.spec_from_file_location("gpt_2_simple_encoder", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vocabulary = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    lines = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:-1]
    encoder = module.Encoder(vocabulary, [tuple(line.split()) for line in lines])
    return encoder.encode, version("gpt-2-simple")


LOADERS = {"gpt2-helpers": ours, "gpt-2-simple": gpt_2_simple}


def measure(name: str, text: Path, folder: Path) -> None:
    """Print, as JSON, the seconds of the first and second encoding of the text."""
    encode, release = LOADERS[name](folder)
    content = text.read_text(encoding="utf-8")
    seconds = {}
    for round_name in ("cold", "warm"):
        start = time.perf_counter()
        ids = encode(content)
        seconds[round_name] = time.perf_counter() - start
    print(
        json.dumps(
            {
                **seconds,
                "tokens": len(ids),
                "digest": hashlib.sha256(str(ids).encode()).hexdigest(),
                "bytes": len(content.encode("utf-8")),
                "versions": f"{release}, Python {platform.python_version()}, "
                f"regex {version('regex')}",
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path, help="a UTF-8 text file of about a megabyte")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        default=Path("models/124M"),
        help="folder with encoder.json and vocab.bpe",
    )
    parser.add_argument("--baselines", help="the Python of an environment with gpt-2-simple")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", choices=LOADERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    text, folder = options.text.resolve(), options.vocabulary.resolve()
    if options.measure:
        measure(options.measure, text, folder)
        return

    pythons = {"gpt2-helpers": sys.executable}
    if options.baselines:
        # Not resolved: the link of a virtual environment is what makes it one.
        local = Path(options.baselines).absolute()
        pythons["gpt-2-simple"] = str(local) if local.is_file() else options.baselines
    arguments = [str(text), "--vocabulary", str(folder)]
    commands = {
        name: [python, __file__, *arguments, "--measure", name] for name, python in pythons.items()
    }
    results = run_interleaved(commands, options.rounds)

    first = next(iter(results.values()))[0]
    print(f"{machine()}; medians of {options.rounds} interleaved rounds")
    print(f"{text.name}: {first['bytes'] / 1e6:.2f} MB, {first['tokens']} tokens\n")
    print(f"{'':14}{'cold s':>9}{'MB/s':>8}{'warm s':>9}{'MB/s':>8}   versions")
    for name, runs in results.items():
        cold, warm = median(runs, "cold"), median(runs, "warm")
        speeds = [first["bytes"] / 1e6 / seconds for seconds in (cold, warm)]
        print(
            f"{name:14}{cold:9.3f}{speeds[0]:8.2f}{warm:9.3f}{speeds[1]:8.2f}   "
            f"{runs[0]['versions']}"
        )
    if len(results) == 2:
        ratios = [
            median(results["gpt-2-simple"], kind) / median(results["gpt2-helpers"], kind)
            for kind in ("cold", "warm")
        ]
        print(f"{'times faster':14}{ratios[0]:9.2f}{'':8}{ratios[1]:9.2f}")
        same = len({run["digest"] for runs in results.values() for run in runs}) == 1
        print(f"\nThe ids are {'identical' if same else 'NOT identical'}.")


if __name__ == "__main__":
    main()
