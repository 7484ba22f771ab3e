"""Fork server of the crash tests: each request runs one command or call in a forked process.

Importing TensorFlow takes seconds, so it is imported once here. A request is a line of JSON on
stdin; the answers on stdout are the process id and, later, the exit code. Started by `killing`,
whose `Plan` explains the ways to end a process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

FILE_EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")  # audit events
# All that the children need. They must not import TensorFlow themselves.
IMPORTED = (
    *("tensorflow", "gpt2_helpers.api", "gpt2_helpers.api.drive", "gpt2_helpers.cli.app"),
    *("gpt2_helpers.cli.encode", "gpt2_helpers.cli.finetune", "gpt2_helpers.cli.generate"),
    *("gpt2_helpers.cli.pretrain", "gpt2_helpers.google.drive_backup", "gpt2_helpers.training.run"),
)


def main() -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # the children need not traverse TensorFlow's objects, nor copy their memory
    os.fsync = lambda fd: None  # only a power failure would lose what was not flushed
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_run(json.loads(line)))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(task: dict[str, Any]) -> int:
    """Run a task, unless it is killed before its end, and return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(task["work"])
    # A separate process writes the output, so that a limit on file sizes does not apply to it.
    output = os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    printer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=output)
    assert printer.stdin is not None
    for stream in (1, 2):
        os.dup2(printer.stdin.fileno(), stream)
    printer.stdin.close()
    os.environ.update(task["environment"])
    if task["size"]:
        # Python ignores this signal, and writing fails; by default it kills in the middle of one.
        if task["dies"]:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (task["size"], task["size"]))
    if task["memory"]:
        limit = _address_space() + task["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if task["read_only"]:
        _drop_root_permissions()
    counter = _FileChangeCounter(Path(task["work"]), task["change"], task["after"], task["pause"])
    sys.addaudithook(counter)
    try:
        code = _call(task["call"])
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    counter.enabled = False
    with contextlib.suppress(OSError):
        Path(task["counted"]).write_text(f"{counter.changes}\n", encoding="ascii")
    for stream in (1, 2):
        os.close(stream)
    printer.wait()
    return code


def _call(call: list[Any]) -> int:
    """Run a command line, or ["call", function of the package, keyword arguments]."""
    if call[0] != "call":
        from gpt2_helpers.cli.app import main

        return main(call)
    import gpt2_helpers

    getattr(gpt2_helpers, call[1])(**call[2])
    return 0


def _drop_root_permissions() -> None:
    """Make file permissions apply, which root may otherwise ignore."""
    import ctypes

    override, version = 1 << 1, 0x20080522  # CAP_DAC_OVERRIDE; see capset(2)
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(version, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    if library.capget(header, sets) == 0:
        for number in range(3):
            sets[number] &= ~override
        library.capset(header, sets)


def _address_space() -> int:
    """Bytes of address space that this process uses."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


class _FileChangeCounter:
    """Audit hook that counts file changes below `work`, pauses at each, and kills at one."""

    def __init__(self, work: Path, fatal: int, after: float, pause: float) -> None:
        self._work, self._fatal, self._after, self._pause = str(work), fatal, after, pause
        self.changes, self.enabled = 0, True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.enabled or not self._is_change(event, arguments):
            return
        self.changes += 1
        if self.changes == self._fatal:
            if not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills as well, and can be scheduled
            signal.setitimer(signal.ITIMER_REAL, self._after)
        time.sleep(self._pause)

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
            if not arguments[2] & writes or not isinstance(arguments[0], (str, os.PathLike)):
                return False
        elif event not in FILE_EVENTS or isinstance(arguments[0], int):
            return False
        return os.path.abspath(os.fsdecode(arguments[0])).startswith(self._work)


if __name__ == "__main__":
    main()
