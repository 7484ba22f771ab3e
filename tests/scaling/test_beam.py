"""Beam jobs of two processes at a size that takes minutes: run by `make scale-test`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import BUNDLED_FOLDER, DatasetConfig
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.tokenizer import Tokenizer
from paths import ROOT
from scaling.beam_data import make_dataset, memory_of_tree

pytest.importorskip("apache_beam", reason="needs the package apache-beam")
pytestmark = [
    pytest.mark.scale,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory is read from /proc"),
]

MEGABYTES = 100
N_TEXTS = 2_000
PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
COMMAND = (sys.executable, "-m", "gpt2_helpers")


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=environment)


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    """Wait for a command; returns the peak memory of one of its processes, in bytes."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, *(memory_of_tree(process.pid) or [0]))
        time.sleep(0.2)
    assert process.returncode == 0
    return peak


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    make_dataset(folder, MEGABYTES)
    return folder


@pytest.mark.parametrize("options", [(), ("--deduplicate", "True")])
def test_the_ids_are_those_of_one_process_and_memory_is_bounded(
    texts: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    out = ("--out-path", "texts.tokens", "--model-name", "tiny", "--part-mb", "8")
    process = start(tmp_path, "beam-encode", str(texts), *out, *options, *PROCESSES)
    peak = peak_memory(process)
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    found = load_dataset(tmp_path / "texts.tokens", tokenizer).tokens
    if not options:
        expected = load_dataset(texts, tokenizer, DatasetConfig()).tokens
        np.testing.assert_array_equal(found, expected)
        assert peak < 400 << 20, "the text must not be in memory"
    else:  # one process forgets documents that are too far back, so it keeps a few more
        one = load_dataset(texts, tokenizer, DatasetConfig(deduplicate=True)).tokens
        assert 0.98 * len(one) < len(found) <= len(one)


def test_texts_of_a_job_that_was_killed_are_those_of_one_process(tmp_path: Path) -> None:
    prompts = [f"Why is the number {number}" for number in range(N_TEXTS)]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts), encoding="utf-8")
    options = ("--model-name", "tiny", "--prompts", "prompts.txt", "--length", "24", "--seed", "1")
    job = (*options, "--shard-size", "50", "--destination-path", "out/texts.jsonl", *PROCESSES)
    process = start(tmp_path, "beam-generate", *job)
    while len(list(tmp_path.glob("out/*.jsonl"))) < 10:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert start(tmp_path, "beam-generate", *job).wait() == 0
    one = ("--destination-path", "one.jsonl")
    assert start(tmp_path, "generate", *options, *one).wait() == 0
    index = json.loads((tmp_path / "out" / "texts.index.json").read_text(encoding="utf-8"))
    assert index["texts"] == N_TEXTS
    names = [shard["file"] for shard in index["shards"]]
    found = b"".join((tmp_path / "out" / name).read_bytes() for name in names)
    assert found == (tmp_path / "one.jsonl").read_bytes()
    assert sorted(names) == sorted(path.name for path in (tmp_path / "out").glob("*.jsonl"))
