"""Progress bars of copies and downloads."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Generator

import pytest

from gpt2_helpers.system.files import CopyProgress
from gpt2_helpers.system.progress import Bar, show_bytes


def copying() -> Generator[CopyProgress, None, str]:
    yield CopyProgress(1_000_000, 3_000_000)
    yield CopyProgress(1_000_000, 3_000_000, "retrying in 4 s")
    yield CopyProgress(3_000_000, 3_000_000)
    return "done"


def test_a_bar_in_a_log_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_bytes(copying(), "run1 to Drive")
    with Bar(total=2000, desc="finetuning", unit="step") as bar:
        for _ in range(2000):
            bar.set_postfix_str("loss 1.00")
            bar.update()
            if not bar.n % 500:
                Bar.write("a line above the bar")
    shown = capsys.readouterr()
    assert shown.out == "a line above the bar\n" * 4
    message, copied, trained = shown.err.splitlines()
    assert message == "run1 to Drive: retrying in 4 s"
    assert copied.startswith("run1 to Drive: 100%")
    assert re.fullmatch(r"finetuning: 100%\|.*\| 2000/2000 \[.*, loss 1\.00\]", trained)
    assert "\r" not in shown.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_bar_in_a_terminal_is_redrawn() -> None:
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    script = (
        "from gpt2_helpers.system.progress import Bar\n"
        "with Bar(total=3, mininterval=0) as bar:\n    [bar.update() for _ in range(3)]"
    )
    try:
        subprocess.run([sys.executable, "-c", script], stderr=theirs, check=True, timeout=300)
        shown = os.read(ours, 10000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.count("\r") > 3


def test_a_bar_counts_bytes_and_returns_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_bytes(copying(), "run1 to Drive") == "done"
    output = capsys.readouterr()
    assert output.out == ""
    assert "retrying in 4 s" in output.err
    assert re.search(r"run1 to Drive: 100%.* 3\.00M/3\.00M \[.*B/s\]", output.err.split("\r")[-1])


def test_a_bar_can_be_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_bytes(copying(), "run1 to Drive", shown=False) == "done"
    assert capsys.readouterr() == ("", "")


def test_a_bar_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bar, "monitor", None)  # bars of other packages may have started one
    with Bar(total=1) as bar:
        bar.update()
    assert Bar.monitor is None
