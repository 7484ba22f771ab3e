"""The demo: its output, and running it twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpt2_helpers.cli import demo
from gpt2_helpers.errors import Gpt2Error
from toy_runs import save_run


@pytest.mark.usefixtures("shallow_tiny")
def test_the_demo_plots_the_loss_and_prints_ten_titles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    earlier = save_run("titles", step=300, checkpoint_dir=demo.FOLDER / "checkpoint")
    assert demo.main(steps=2) == 0  # replaces an earlier run
    shown = capsys.readouterr().out
    assert (tmp_path / "demo" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in earlier.path.glob("model-*.index")] == ["model-2.index"]
    titles = [line for line in shown.splitlines() if line.startswith("  ")]
    assert len(titles) == 10
    count = re.search(r"(\d+) of these 10 titles are not in titles.csv", shown)
    assert count is not None
    assert 0 <= int(count[1]) <= 10


def test_the_demo_needs_the_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TITLES", Path("nowhere/titles.csv"))
    with pytest.raises(Gpt2Error, match=r"titles\.csv is missing"):
        demo.main(steps=1)
