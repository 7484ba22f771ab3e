"""gpt2-helpers info: the overview, and the details of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from command_line import (
    FINETUNE,
    error_of,
    run,
)
from gpt2_helpers import __version__
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.cli import info
from gpt2_helpers.generation import memory
from gpt2_helpers.generation.memory import GB
from gpt2_helpers.system import device
from gpt2_helpers.training.memory import ModelFit
from paths import GOLDEN


def test_the_overview(workspace: Path) -> None:
    (workspace / "models" / "torn").mkdir()
    (workspace / "models" / "torn" / "hparams.json").write_text("{}")
    result = run("info")
    assert (result.code, result.err) == (0, "")
    machine, models, runs = result.out.split("\n\n")
    assert f"gpt2-helpers {__version__}" in machine
    assert "tensorflow " in machine
    assert "processor: " in machine
    assert re.search(r"^  toy +[\d,]+ parameters .* context 24 tokens$", models, re.MULTILINE)
    assert re.search(r"^  tiny ", models, re.MULTILINE)
    assert re.search(r"^  torn +unusable: .* is missing n_vocab", models, re.MULTILINE)
    loss = f"{RunFolder('checkpoint', 'run1').read().record.losses[-1][1]:.2f}"
    shown = rf"^  run1 +3 steps, loss {loss}, validation [\d.]+; toy on titles.csv$"
    assert re.search(shown, runs, re.MULTILINE)
    assert "none yet" in run("info", "--checkpoint-dir", "elsewhere").out


def test_the_details_of_a_run(workspace: Path) -> None:
    result = run("info", "run1")
    assert result == run("info", "--run-name", "run1")
    rows = dict(re.findall(r"^  ([\w ]+\.?\w*): +(.+)$", result.out, re.MULTILINE))
    record = RunFolder("checkpoint", "run1").read().record
    assert rows["folder"].startswith("checkpoint/run1, ")
    assert rows["checkpoints"] == "model-3 (newest)"
    assert rows["steps"] == "3"
    assert rows["base model"] == "toy"
    assert rows["dataset"] == "titles.csv"
    assert rows["loss"].startswith(f"{record.losses[0][1]:.2f} at step 1, ")
    assert f"{record.losses[-1][1]:.2f} at step 3" in rows["loss"]
    assert f"{record.validation_losses[-1][1]:.2f} at step 3" in rows["validation"]
    assert {"steps=3", "seed=1", "validation_split=0.3"} <= set(rows["options"].split(", "))
    assert "batch_size" not in rows["options"]  # it is the default
    assert "tensorflow " in rows["made with"]


def test_what_a_record_says_is_printed_without_control_characters(workspace: Path) -> None:
    path = Path("checkpoint/run1/run.json")
    values = json.loads(path.read_text())
    hostile = {
        "dataset": "\x1b[2Ja.txt",
        "base_model": "toy\u202e",
        "versions": {"python": "3\x07" * 500},
        "parameters": {"run_name": "run1\n\x9b31m", "other": ["\x1b]0;a\x07"] * 500},
    }
    path.write_text(json.dumps({**values, **hostile}))
    for arguments in (("info", "run1"), ("info",)):
        result = run(*arguments)
        assert result.code == 0
        assert not set("\x1b\x07\x9b\u202e") & set(result.out)
        assert max(map(len, result.out.splitlines())) < 1500


def test_a_run_of_gpt_2_simple(workspace: Path) -> None:
    place = GOLDEN
    result = run("info", "gpt_2_simple_run", "--checkpoint-dir", place)
    assert "model-20 (newest)" in result.out
    assert "gpt-2-simple" in result.out
    assert re.search(
        r"^  gpt_2_simple_run +20 steps$", run("info", "--checkpoint-dir", place).out, re.M
    )


@pytest.mark.usefixtures("uncompiled")
def test_a_damaged_run_does_not_hide_the_others(workspace: Path) -> None:
    assert run(*FINETUNE, "--steps", 1, "--run-name", "run2").code == 0
    (workspace / "checkpoint/run2/run.json").write_text("{")
    lines = run("info").out.splitlines()
    assert any(line.startswith("  run1  3 steps, loss") for line in lines)
    assert any("run.json cannot be read" in line for line in lines)
    assert "run.json cannot be read" in error_of("info", "run2")
    (workspace / "checkpoint/run2/model-1.data-00000-of-00001").unlink()
    lines = run("info").out.splitlines()
    assert any(line.startswith("  run1  3 steps, loss") for line in lines)
    assert any(line.startswith("  run2  unusable: ") for line in lines)


def test_models_that_fit(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    monkeypatch.setattr(device, "choose_precision", lambda: "float16")
    monkeypatch.setattr(memory, "available_memory", lambda: (8 * GB, "this machine"))
    shown = run("info").out
    assert "finetuning with default options, including samples, in 8.0 GB:" in shown
    assert re.search(
        r"\n  774M: fits with lora_rank=8 \(about .* GB\); 1,000 steps take about \d+ \w+ "
        r"without a GPU: --lora-rank 8 --use-memory-saving-gradients\n",
        shown,
    )
    monkeypatch.setattr(memory, "available_memory", lambda: (None, "this GPU"))
    assert "finetuning with" not in run("info").out


def test_steps_with_fewer_accumulated_gradients_read_fewer_tokens() -> None:
    note = info._time_note(ModelFit("124M", 0, {"accumulate_gradients": 1}, ""), "float32")
    assert re.fullmatch(r"; 1,000 steps of 1/5 of the tokens take .* without a GPU", note)
