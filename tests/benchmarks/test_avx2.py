"""Hiding AVX-512 from a program."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("avx2", reason="runs on Linux")
from avx2 import compile_preload, environment, replace_cpuid

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or not all(map(shutil.which, ("gcc", "objdump"))),
    reason="needs an x86-64 processor, gcc and objdump",
)
# A leaf's EBX. The constant has the bytes of a cpuid instruction, which is data.
SOURCE = """
#include <cpuid.h>
const unsigned char data[2] = {0x0f, 0xa2};
unsigned ebx(unsigned leaf) {
  unsigned a, b, c, d;
  __cpuid_count(leaf, 0, a, b, c, d);
  return b;
}
int constant(void) { return 0x12a20f34; }
"""
READ = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.ebx.restype = ctypes.c_uint32
print(library.ebx(0), library.ebx(7), hex(library.constant()))
"""
AVX2, AVX512F, AVX512VL = 1 << 5, 1 << 16, 1 << 31


def read(library: Path, **variables: str) -> list[str]:
    command = [sys.executable, "-c", READ, str(library)]
    return subprocess.check_output(command, env={**os.environ, **variables}, text=True).split()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library that executes cpuid."""
    source, library = tmp_path / "features.c", tmp_path / "features.so"
    source.write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def test_a_library_sees_avx2_and_no_avx512(library: Path, tmp_path: Path) -> None:
    vendor, features, constant = read(library)
    assert replace_cpuid(library) == 1
    preload = compile_preload(tmp_path)
    hidden_vendor, hidden_features, hidden_constant = read(library, LD_PRELOAD=str(preload))
    assert (hidden_vendor, hidden_constant) == (vendor, constant) == (vendor, "0x12a20f34")
    assert int(hidden_features) & AVX2 == int(features) & AVX2
    assert not int(hidden_features) & (AVX512F | AVX512VL)


def test_without_the_preloaded_library_it_traps(library: Path) -> None:
    replace_cpuid(library)
    with pytest.raises(subprocess.CalledProcessError):
        read(library)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="install gcc and objdump"):
        environment()


def test_a_library_without_the_instruction_is_not_changed(tmp_path: Path) -> None:
    library = tmp_path / "empty.so"
    library.write_bytes(b"not even a library")
    assert replace_cpuid(library) == 0
    assert library.read_bytes() == b"not even a library"
