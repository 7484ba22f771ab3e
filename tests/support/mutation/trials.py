"""Runs test files of changed modules in forked processes, in which pytest, TensorFlow and all other
packages are loaded already: starting them would take longer than most tests."""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

# Processor seconds of a changed module's tests, if they do not end; and the time until then on a
# busy machine. A change may also allocate without end.
CPU_LIMIT = 10.0
TIME_LIMIT = 120.0
MEMORY_LIMIT = 8 << 30

_FORK = multiprocessing.get_context("fork")


@dataclass
class Tests:
    """The tests of a module without a change: how long each takes and which lines it executes."""

    passed: bool = False
    seconds: dict[str, float] = field(default_factory=dict)  # of processor time
    lines: dict[str, set[int]] = field(default_factory=dict)
    shared_lines: set[int] = field(default_factory=set)  # by imports and fixtures of several tests
    packages: list[str] = field(default_factory=list)  # that the tests have imported

    def reaching(self, lines: set[int]) -> list[str]:
        """The tests that execute one of the lines, fastest first."""
        found = [
            test
            for test in self.seconds
            if lines & self.shared_lines or lines & self.lines.get(test, set())
        ]
        return sorted(found, key=lambda test: self.seconds[test])


def copy_checkout(root: Path, folder: Path) -> Path:
    """Copy the files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(command, cwd=root, text=True).split("\0"):
        if name and (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    return folder


def run_unchanged(copy: Path, file: Path, test_file: Path) -> Tests:
    """Run the tests of a file, both relative to the copy, and load the packages they import."""
    receive, send = _FORK.Pipe(duplex=False)
    recorder = _Recorder(str(copy / file))
    process = _FORK.Process(target=_record, args=(copy, test_file, recorder, send))
    process.start()
    send.close()
    with receive:
        try:
            tests = Tests(**receive.recv())
        except EOFError:
            tests = Tests()
    process.join()
    for name in tests.packages:
        if name not in sys.modules:
            with suppress(Exception):  # only saves time
                importlib.import_module(name)
    gc.freeze()
    return tests


class Trial:
    """A running test of a changed module; `sentinel` is ready when it is over."""

    def __init__(
        self, copy: Path, file: Path, code: str, test_file: Path, tests: Tests, names: list[str]
    ) -> None:
        self.copy = copy
        self._path = copy / file
        self._original = self._path.read_text(encoding="utf-8"), self._path.stat().st_mtime
        seconds = sum(tests.seconds[name] for name in names)
        self.deadline = time.monotonic() + TIME_LIMIT + 30 * seconds
        self._path.write_text(code, encoding="utf-8")
        Trial._number += 1  # as the time of the file: Python must not use older bytecode
        os.utime(self._path, (Trial._number, Trial._number))
        limit = CPU_LIMIT + 3 * seconds
        self._process = _FORK.Process(target=_try, args=(copy, test_file, names, limit))
        self._process.start()
        self.sentinel = self._process.sentinel

    _number = 0

    def end(self) -> str:
        """Return "passed", "failed" or "timeout", stop all processes and restore the module."""
        process = self._process
        process.join(0 if time.monotonic() > self.deadline else None)
        code = process.exitcode
        if code is None:
            process.kill()
        if process.pid:
            with suppress(ProcessLookupError):  # what the tests have started
                os.killpg(process.pid, signal.SIGKILL)
        process.join()
        text, modified = self._original
        self._path.write_text(text, encoding="utf-8")
        os.utime(self._path, (modified, modified))
        if code is None or code in (-signal.SIGXCPU, -signal.SIGKILL):
            return "timeout"
        return "passed" if code == 0 else "failed"


def statement_lines(code: str, line: int) -> set[int]:
    """The lines of the innermost statement that contains a line, without the body of a block."""
    found = {line}
    shortest = None
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.stmt):
            last = node.end_lineno or node.lineno
            body = getattr(node, "body", None)
            if body:
                last = max(node.lineno, body[0].lineno - 1)
            lines = range(node.lineno, last + 1)
            if line in lines and (shortest is None or len(lines) < shortest):
                shortest, found = len(lines), set(lines)
    return found


class _Recorder:
    """A plugin for pytest that fills in Tests."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._shared: set[int] = set()
        self._current = self._shared
        self.tests = Tests(shared_lines=self._shared)

    @contextmanager
    def recording(self) -> Iterator[None]:
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if frame.f_code.co_filename != self._path:
            return None
        # Of a module or class, which is executed once for all tests
        if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            return self._shared_line
        return self._line

    def _line(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        self._current.add(frame.f_lineno)
        return self._line

    def _shared_line(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        self._shared.add(frame.f_lineno)
        return self._shared_line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._current = self.tests.lines.setdefault(item.nodeid, set())
        sys.settrace(self._trace)  # Python removes it after an error in it, such as RecursionError
        start = time.process_time()
        result = yield
        self.tests.seconds[item.nodeid] = time.process_time() - start
        self._current = self._shared
        return result  # type: ignore[return-value]

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        before = self._current
        if fixturedef.scope != "function":
            self._current = self._shared
        try:
            return (yield)  # type: ignore[return-value]
        finally:
            self._current = before


class _Selection:
    """A plugin for pytest that runs some tests, in this order."""

    def __init__(self, names: list[str]) -> None:
        self._order = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order),
            key=lambda item: self._order[item.nodeid],
        )


def _record(copy: Path, test_file: Path, recorder: _Recorder, send: Connection) -> None:
    with recorder.recording():
        code = _run_pytest(copy, test_file, recorder)
    recorder.tests.passed = code == 0
    recorder.tests.packages = [
        name for name, module in sys.modules.items() if not _is_below(module, copy)
    ]
    send.send(vars(recorder.tests))
    send.close()
    os._exit(0)


def _try(copy: Path, test_file: Path, names: list[str], seconds: float) -> None:
    limit = int(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_LIMIT,) * 2)
    os._exit(_run_pytest(copy, test_file, _Selection(names)))


def _run_pytest(copy: Path, test_file: Path, plugin: object) -> int:
    """Run the tests of a copy in this process, which has been forked for it."""
    os.setsid()
    os.chdir(copy)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.environ["PYTHONPATH"] = str(copy)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # for speed; xdist is in conftest.py
    root = Path(__file__).parents[3]
    for name, module in list(sys.modules.items()):
        if _is_below(module, root) and name != "__main__":
            del sys.modules[name]  # to be imported from the copy
    sys.path[:] = [str(copy), *(entry for entry in sys.path if not _is_source(Path(entry), root))]
    sys.dont_write_bytecode = False  # the unchanged modules are compiled once
    without = (f"-pno:{name}" for name in ("cacheprovider", "unraisableexception"))
    arguments = ["-qx", "--tb=no", "-pxdist.plugin", *without, str(test_file)]
    return int(pytest.main(arguments, plugins=[plugin]))


def _is_below(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and _is_source(Path(file), folder)


def _is_source(path: Path, folder: Path) -> bool:
    """Whether a file is below a checkout, but not in its virtual environment."""
    return path.is_relative_to(folder) and "site-packages" not in path.parts
