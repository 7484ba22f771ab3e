"""Subprocesses of the benchmarks, interleaved rounds, and facts about the machine."""

from __future__ import annotations

import sys

import pytest

import machine_info


def test_subprocesses_import_this_checkout() -> None:
    script = "import gpt2_helpers, workloads; print(gpt2_helpers.__file__)"
    printed = machine_info.run([sys.executable, "-c", script]).stdout.strip()
    assert printed == str(machine_info.ROOT / "gpt2_helpers" / "__init__.py")


def test_a_failing_command_shows_its_error() -> None:
    with pytest.raises(SystemExit, match="no such luck"):
        machine_info.run([sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_rounds_alternate_after_an_uncounted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Result:
        def __init__(self, name: str) -> None:
            order.append(name)
            self.stdout = f'log line\n{{"seconds": {len(order)}}}\n'

    monkeypatch.setattr(machine_info, "run", lambda command: Result(command[0]))
    results = machine_info.run_interleaved({"a": ["a"], "b": ["b"]}, rounds=2)
    assert order == ["a", "b"] * 3
    assert results == {
        "a": [{"seconds": 3}, {"seconds": 5}],
        "b": [{"seconds": 4}, {"seconds": 6}],
    }
    assert machine_info.median(results["a"], "seconds") == 4


def test_hidden_instructions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert "hidden" not in machine_info.machine()
    monkeypatch.setenv("LD_PRELOAD", "build/avx2/hide_avx512.so")
    assert "(AVX-512 hidden)" in machine_info.machine()


def test_the_machine_is_one_line_with_its_cores() -> None:
    line = machine_info.machine()
    assert " cores" in line
    assert "\n" not in line


def test_peak_memory_grows_with_what_is_held() -> None:
    # In a new process: the peak of this one may be gigabytes, which the block would have to exceed.
    script = """
import machine_info
before = machine_info.peak_memory()
block = bytearray(b"1" * 50_000_000)
print(machine_info.peak_memory() - before)
"""
    assert int(machine_info.run([sys.executable, "-c", script]).stdout) >= 40_000_000
