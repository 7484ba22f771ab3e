"""The parent of processes that are killed: each does one piece of work of gpt2-helpers.

Loading TensorFlow takes seconds, so it is loaded once here, and every process is a fork of this
one. A line of JSON on stdin asks for one; its number and then how it ended are lines on stdout.
Run by `killing`; see `Plan` there for the ways to die.
"""

from __future__ import annotations

import contextlib
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

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")  # of files


def main() -> None:

    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_live(json.loads(line)))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live(task: dict[str, Any]) -> int:
    """Do the work, unless killed before; returns the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(task["work"])
    # Through a process of its own: no bound on the size of files is one on what is printed.
    output = os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    printer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=output)
    assert printer.stdin is not None
    for stream in (1, 2):
        os.dup2(printer.stdin.fileno(), stream)
    printer.stdin.close()
    os.environ.update(task["environment"])
    if task["size"]:
        # Python has this signal ignored, and writing fails; by default it kills, in mid-write.
        if task["dies"]:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (task["size"], task["size"]))
    if task["memory"]:
        room = _used() + task["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
    if task["read_only"]:
        _obey_permissions()
    count = _Count(Path(task["work"]), task["change"], task["after"], task["pause"])
    sys.addaudithook(count)
    try:
        code = _work(task["call"])
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    count.is_on = False
    with contextlib.suppress(OSError):
        Path(task["counted"]).write_text(f"{count.changes}\n", encoding="ascii")
    for stream in (1, 2):
        os.close(stream)
    printer.wait()
    return code


def _work(call: list[Any]) -> int:
    """A command's arguments, or the name of a function of the package and its own."""
    if call[0] != "call":
        from gpt2_helpers.cli.app import main

        return main(call)
    import gpt2_helpers

    getattr(gpt2_helpers, call[1])(**call[2])
    return 0


def _obey_permissions() -> None:
    """As any other user: root may write also where nobody may."""
    import ctypes

    override, version = 1 << 1, 0x20080522  # CAP_DAC_OVERRIDE; see capset(2)
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(version, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    if library.capget(header, sets) == 0:
        for number in range(3):
            sets[number] &= ~override
        library.capset(header, sets)


def _used() -> int:
    """Bytes of addresses that this process has in use."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


class _Count:
    """Counts changes of files below `work` as they begin, lingers at each, and kills at one."""

    def __init__(self, work: Path, fatal: int, after: float, pause: float) -> None:
        self._work, self._fatal, self._after, self._pause = str(work), fatal, after, pause
        self.changes, self.is_on = 0, True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on or not self._is_change(event, arguments):
            return
        self.changes += 1
        if self.changes == self._fatal:
            if not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # it kills as well, and can be set
            signal.setitimer(signal.ITIMER_REAL, self._after)
        time.sleep(self._pause)

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
            if not arguments[2] & writes or not isinstance(arguments[0], (str, os.PathLike)):
                return False
        elif event not in CHANGES or isinstance(arguments[0], int):
            return False
        return os.path.abspath(os.fsdecode(arguments[0])).startswith(self._work)


if __name__ == "__main__":
    main()
