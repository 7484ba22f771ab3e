"""Runs a program as on a processor without AVX-512 and AMX, for measuring on a newer one.

    python benchmarks/avx2.py benchmarks/autocomplete.py

TensorFlow Lite and onnxruntime ask the processor itself what it has. In copies of both packages,
which the program and its subprocesses load, each `cpuid` instruction is replaced by one that traps,
and `hide_avx512.c` answers it. The other libraries have environment variables for this. Their
kernels are then those of AVX2; clock and memory are still this machine's.

Needs Linux, gcc and objdump. onnxruntime is taken from `.venv-baselines`. The copies are in
build/avx2; delete it after a package was upgraded.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from machine_info import ROOT

FOLDER = ROOT / "build/avx2"
BASELINES_PYTHON = ROOT / ".venv-baselines/bin/python"
CPUID, UD2 = b"\x0f\xa2", b"\x0f\x0b"
LIMITS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch
    "CT2_FORCE_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


def environment() -> dict[str, str]:
    """The environment of a program that is to see AVX2 alone, after preparing what it loads."""
    if not all(map(shutil.which, ("gcc", "objdump"))):
        raise SystemExit("install gcc and objdump first (Debian: apt install gcc binutils)")
    preload = compile_preload(FOLDER)
    packages = FOLDER / "packages"
    interpreters = [(sys.executable, "ai_edge_litert"), (str(BASELINES_PYTHON), "onnxruntime")]
    for python, package in interpreters:
        source = _package_folder(python, package)
        if source is None and python == sys.executable:
            raise SystemExit(f"{package} is not installed: pip install ai-edge-litert")
        if source is not None and not (packages / package).exists():
            copy_without_cpuid(source, packages / package)
    paths = [str(packages), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **LIMITS,
        "LD_PRELOAD": str(preload),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def compile_preload(folder: Path) -> Path:
    """Compile `hide_avx512.c` into a library in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "hide_avx512.so"
    source = Path(__file__).with_name("hide_avx512.c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def copy_without_cpuid(source: Path, target: Path) -> None:
    """Copy a package, with its `cpuid` instructions replaced."""
    partial = target.with_name(f"{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    for path in partial.rglob("*.so*"):
        replace_cpuid(path)
    partial.replace(target)


def replace_cpuid(path: Path) -> int:
    """Replace the `cpuid` instructions of a library by `ud2`, which traps.

    Returns:
        How many there were.
    """
    content = bytearray(path.read_bytes())
    if CPUID not in content:
        return 0
    segments = list(_segments(content))
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True
    )
    # The two bytes also occur inside other instructions, so only disassembled ones count.
    addresses = re.findall(r"^\s*([0-9a-f]+):\s+cpuid\s*$", listing.stdout, re.MULTILINE)
    for address in (int(digits, 16) for digits in addresses):
        start, offset = next(
            (start, offset) for start, size, offset in segments if 0 <= address - start < size
        )
        place = slice(address - start + offset, address - start + offset + 2)
        if content[place] != CPUID:
            raise ValueError(f"{path}: no cpuid instruction at {address:#x}")
        content[place] = UD2
    path.write_bytes(content)
    return len(addresses)


def _segments(content: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """Address, size and offset in the file of each loaded segment of a 64-bit ELF file."""
    (table,) = struct.unpack_from("<Q", content, 32)  # e_phoff
    entry_size, count = struct.unpack_from("<HH", content, 54)  # e_phentsize, e_phnum
    for place in range(table, table + entry_size * count, entry_size):
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", content, place)
        if kind == 1:  # PT_LOAD
            yield address, size, offset


def _package_folder(python: str, package: str) -> Path | None:
    """Where an interpreter has a package, which is not imported; None if it has not."""
    if not Path(python).exists():
        return None
    command = f"from importlib.util import find_spec; print(find_spec({package!r}).origin)"
    found = subprocess.run([python, "-c", command], capture_output=True, text=True)
    return Path(found.stdout.strip()).parent if found.returncode == 0 else None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("script", help="Python script to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args()
    command = [sys.executable, options.script, *options.arguments]
    return subprocess.run(command, env=environment()).returncode


if __name__ == "__main__":
    sys.exit(main())
