"""The dataset and the measurements of the Beam benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gpt2_helpers.config import BUNDLED_FOLDER, DatasetConfig
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from scaling.beam_data import curve, make_dataset, run, texts


def test_the_dataset_has_the_size_and_copies(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the package pyarrow")
    make_dataset(tmp_path, 0.5)
    size = sum(path.stat().st_size for path in tmp_path.glob("*.[!p]*"))
    assert 0.3e6 < size < 0.7e6
    assert {path.suffix for path in tmp_path.iterdir()} == {".txt", ".csv", ".jsonl", ".parquet"}
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    every = load_dataset(tmp_path, tokenizer)
    left = load_dataset(tmp_path, tokenizer, DatasetConfig(deduplicate=True))
    assert 0.9 < left.documents / every.documents < 1


def test_texts_are_the_same_for_a_seed() -> None:
    assert [*texts(0.01, seed=3)] == [*texts(0.01, seed=3)]
    assert [*texts(0.01, seed=3)] != [*texts(0.01, seed=4)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory is read from /proc")
def test_a_command_is_measured() -> None:
    script = "import time; data = bytearray(50 << 20); time.sleep(1.2)"
    seconds, computed, together, single = run([sys.executable, "-c", script])
    assert seconds > 1
    assert computed < seconds
    assert single > 50 << 20
    assert together >= single
    with pytest.raises(SystemExit, match="exit code 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_limit_grows_with_the_processes_up_to_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "cores", lambda: 2)
    (line,) = curve(900.0, {1: 60.0, 2: 36.0, 4: 40.0}).series
    assert [(point.x, point.measured, point.limit) for point in line.points] == [
        (1, 15.0, 15.0),
        (2, 25.0, 30.0),
        (4, 22.5, 30.0),
    ]
