"""Progress bars of copies and downloads."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

from gpt2_helpers.system.files import CopyProgress
from gpt2_helpers.system.progress import Bar, show_bytes


def copying() -> Generator[CopyProgress, None, str]:
    yield CopyProgress(1_000_000, 3_000_000)
    yield CopyProgress(1_000_000, 3_000_000, "retrying in 4 s")
    yield CopyProgress(3_000_000, 3_000_000)
    return "done"


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
