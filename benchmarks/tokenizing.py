"""Tokenizing speed compared with tiktoken, Hugging Face's tokenizers and gpt-2-simple.

    python benchmarks/tokenizing.py TEXT --vocabulary models/124M --baselines PYTHON --large 1000

Each encodes the text in a new process: cold, and then again (warm). tiktoken and tokenizers are
measured if they are installed. PYTHON is the interpreter of an environment with gpt-2-simple; it
does not need TensorFlow. `--large` also encodes a file of that many MB, made of the lines of the
text in random order, as training does.
"""

from __future__ import annotations

import argparse
import array
import hashlib
import importlib.util
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from machine_info import machine, median, peak_memory, run_interleaved

Encode = Callable[[str], Sequence[int]]
_PART = 50_000  # characters that training encodes at a time


def ours(folder: Path) -> Encode:
    """As training encodes a text, with one thread."""
    import numpy as np

    from gpt2_helpers.data.fast_encoder import fast_encoder
    from gpt2_helpers.data.tokenize import encode_texts, split_at_word_boundaries
    from gpt2_helpers.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(folder)
    fast = fast_encoder(tokenizer)

    def encode(text: str) -> Sequence[int]:
        parts = split_at_word_boundaries([text], _PART)
        return np.concatenate(list(encode_texts(parts, tokenizer, False, 1, fast)))

    return encode


def ours_without_tiktoken(folder: Path) -> Encode:
    from gpt2_helpers.tokenizer import Tokenizer

    return Tokenizer.load(folder).encode


def tiktoken(folder: Path) -> Encode:
    os.environ["TIKTOKEN_CACHE_DIR"] = ""  # it would copy the two files
    from tiktoken import Encoding
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks
    from tiktoken_ext.openai_public import r50k_pat_str

    ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    encoding = Encoding("gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary


def tokenizers(folder: Path) -> Encode:
    from tokenizers import ByteLevelBPETokenizer

    files = folder / "encoder.json", folder / "vocab.bpe"
    tokenizer = ByteLevelBPETokenizer(*map(str, files))
    return lambda text: list(tokenizer.encode(text).ids)


def gpt_2_simple(folder: Path) -> Encode:
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
    encode: Encode = module.Encoder(vocabulary, [tuple(line.split()) for line in lines]).encode
    return encode


# What prepares each variant, and the packages whose versions are printed.
LOADERS: dict[str, tuple[Callable[[Path], Encode], Sequence[str]]] = {
    "gpt2-helpers": (ours, ["tiktoken"]),
    "without tiktoken": (ours_without_tiktoken, ["regex"]),
    "tiktoken": (tiktoken, ["tiktoken"]),
    "tokenizers": (tokenizers, ["tokenizers"]),
    "gpt-2-simple": (gpt_2_simple, ["gpt-2-simple", "regex"]),
}


def measure(name: str, text: Path, folder: Path) -> None:
    """Print, as JSON, the seconds of loading, and of the first and second encoding of the text."""
    load, packages = LOADERS[name]
    start = time.perf_counter()
    encode = load(folder)
    seconds = {"load": time.perf_counter() - start}
    content = text.read_text(encoding="utf-8")
    for round_name in ("cold", "warm"):
        start, cpu = time.perf_counter(), time.process_time()
        ids = encode(content)
        seconds[round_name] = time.perf_counter() - start
        seconds[f"{round_name} CPU"] = time.process_time() - cpu
    numbers = array.array("I", ids)
    print(
        json.dumps(
            {
                **seconds,
                "tokens": len(numbers),
                "digest": hashlib.sha256(numbers.tobytes()).hexdigest(),
                "bytes": len(content.encode("utf-8")),
                "versions": f"Python {platform.python_version()}"
                + "".join(f", {package} {version(package)}" for package in packages),
            }
        )
    )


def measure_large(name: str, path: Path, folder: Path) -> None:
    """Print, as JSON, the seconds and the peak memory of encoding a file that is read in parts."""
    if name == "tiktoken":
        encode = tiktoken(folder)
        start = time.perf_counter()
        count = sum(len(array.array("H", encode(part))) for part in _lines(path))
    else:
        from gpt2_helpers.data.dataset import load_dataset
        from gpt2_helpers.tokenizer import Tokenizer

        threads, tokenizer = int(name.split()[1]), Tokenizer.load(folder)
        start = time.perf_counter()
        count = len(load_dataset(path, tokenizer, processes=threads).tokens)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "tokens": count, "memory": peak_memory()}))


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, about 50,000 characters at a time."""
    with path.open(encoding="utf-8", newline="") as file:
        while lines := file.readlines(_PART):
            yield "".join(lines)


def write_large(text: Path, path: Path, size: int) -> None:
    """Write the lines of the text in random order, again and again, up to `size` bytes."""
    lines = text.read_bytes().splitlines(keepends=True)
    order = random.Random(0)
    with path.open("wb") as file:
        while file.tell() < size:
            order.shuffle(lines)
            file.write(b"".join(lines)[: size - file.tell()].decode("utf-8", "ignore").encode())
            file.write(b"\n")


def compare(commands: dict[str, list[str]], rounds: int, text: Path) -> None:
    results = run_interleaved(commands, rounds)
    first = next(iter(results.values()))[0]
    megabytes = first["bytes"] / 1e6
    print(f"{text.name}: {megabytes:.2f} MB, {first['tokens']} tokens\n")
    print("               load s   cold s    MB/s  of CPU   warm s    MB/s  of CPU  versions")
    kinds = ("cold", "warm")
    for name, runs in results.items():
        columns = [f"{name:16}{median(runs, 'load'):6.3f}"]
        for kind in kinds:
            seconds, cpu = median(runs, kind), median(runs, f"{kind} CPU")
            columns.append(f"{seconds:9.3f}{megabytes / seconds:8.2f}{megabytes / cpu:8.2f}")
        print("".join(columns), runs[0]["versions"], sep="  ")
    print("\ngpt2-helpers' speed, as a multiple of (median of the rounds' ratios, cold and warm):")
    ours_runs = results["gpt2-helpers"]
    for name, runs in results.items():
        pairs = list(zip(runs, ours_runs, strict=True))
        ratios = [
            median([{"ratio": their[key] / our[key]} for their, our in pairs], "ratio")
            for key in (*kinds, *(f"{kind} CPU" for kind in kinds))
        ]
        if name != "gpt2-helpers":
            cold, warm, cold_cpu, warm_cpu = ratios
            print(f"{name:16}{cold:6.2f}{warm:6.2f}   of CPU time {cold_cpu:6.2f}{warm_cpu:6.2f}")
    same = len({run["digest"] for runs in results.values() for run in runs}) == 1
    print(f"\nThe ids are {'identical' if same else 'NOT identical'}.")


def compare_large(commands: dict[str, list[str]], rounds: int, megabytes: int) -> None:
    results = run_interleaved(commands, rounds)
    print(f"\nA file of {megabytes} MB, read in parts:\n")
    print("                       s    MB/s   peak GB")
    for name, runs in results.items():
        seconds, memory = median(runs, "seconds"), median(runs, "memory")
        print(f"{name:16}{seconds:8.1f}{megabytes / seconds:8.2f}{memory / 2**30:10.2f}")


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
    parser.add_argument("--large", type=int, help="size of a large file in MB (default: none)")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    text, folder = options.text.resolve(), options.vocabulary.resolve()
    if options.measure:
        run = measure_large if options.large else measure
        run(options.measure, text, folder)
        return

    installed = [name for name in ("tiktoken", "tokenizers") if importlib.util.find_spec(name)]
    pythons = dict.fromkeys(["gpt2-helpers", "without tiktoken", *installed], sys.executable)
    if options.baselines:
        # Not resolved: the link of a virtual environment is what makes it one.
        local = Path(options.baselines).absolute()
        pythons["gpt-2-simple"] = str(local) if local.is_file() else options.baselines
    has_tiktoken = "tiktoken" in installed
    arguments = ["--vocabulary", str(folder), "--measure"]
    print(f"{machine()}; medians of {options.rounds} interleaved rounds")
    commands = {
        name: [python, __file__, str(text), *arguments, name] for name, python in pythons.items()
    }
    compare(commands, options.rounds, text)
    if options.large:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "large.txt"
            write_large(text, path, options.large * 10**6)
            command = [sys.executable, __file__, str(path), "--large", str(options.large)]
            names = ["threads: 1", "threads: 2", *(["tiktoken"] if has_tiktoken else [])]
            commands = {name: [*command, *arguments, name] for name in names}
            compare_large(commands, options.rounds, options.large)


if __name__ == "__main__":
    main()
