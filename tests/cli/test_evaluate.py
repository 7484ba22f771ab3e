"""gpt2-helpers evaluate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import error_of, run
from gpt2_helpers.evaluation.perplexity import measure
from paths import ROOT

pytestmark = pytest.mark.usefixtures("workspace")

TEXT = "What is the best thing that people would ever have to start? And you. " * 3


@pytest.fixture(autouse=True)
def held_out(workspace: Path) -> None:
    Path("held-out.txt").write_text(TEXT + "<|endoftext|>\nHow?", encoding="utf-8")


def results(*arguments: object) -> list[dict[str, Any]]:
    result = run("evaluate", "--json", *arguments)
    assert result.code == 0, result.err
    models: list[dict[str, Any]] = json.loads(result.out)["models"]
    return models


def test_the_documents_of_run1_are_evaluated_by_default() -> None:
    lines = run("evaluate", "held-out.txt", "--prompt-prefix", "").out.splitlines()
    assert lines[0].split() == ["all", "documents", "tokens", "loss", "perplexity", *BITS]
    assert lines[1].startswith("run1 ")
    assert lines[3].split() == ["document", "tokens", "loss", "perplexity", *BITS]
    assert lines[4].endswith("  What is the best thing that people woul…")
    assert lines[5].startswith("held-out.txt:2 ")
    assert lines[5].endswith("  How?")


BITS = ["bits", "per", "byte"]


def test_runs_checkpoints_and_models_are_compared_in_the_order_given() -> None:
    names = ["--model-name", "toy", "--run-name", "run1/model-3", "--run-name", "run1"]
    toy, checkpoint, newest = results(*names, "held-out.txt", "--prompt-prefix", "")
    assert [toy["name"], checkpoint["name"], newest["name"]] == ["toy", "run1/model-3", "run1"]
    assert checkpoint["total"] == newest["total"] != toy["total"]
    first = toy["documents"][0]
    assert first["bits_per_byte"] == pytest.approx(measure("models/toy", TEXT), rel=1e-4)
    assert toy["precision"] == "float32"
    lines = run("evaluate", *names, "held-out.txt").out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["toy", "run1/model-3", "run1"]
    assert lines[5].split() == [*BITS, "toy", "run1/model-3", "run1"]


def test_a_run_of_a_table_sees_its_marker_before_each_row() -> None:
    (marked,) = results("titles.csv")
    (plain,) = results("titles.csv", "--prompt-prefix", "")
    assert marked["total"]["documents"] == 3
    assert marked["total"]["tokens"] == plain["total"]["tokens"]
    assert marked["total"]["loss"] != plain["total"]["loss"]


def test_window_and_stride_change_the_context() -> None:
    (default,) = results("held-out.txt", "--prompt-prefix", "")
    assert (default["window"], default["stride"]) == (24, 12)
    arguments = ("held-out.txt", "--prompt-prefix", "", "--window", 8, "--stride", 2)
    (small,) = results(*arguments)
    assert (small["window"], small["stride"]) == (8, 2)
    assert small["total"]["loss"] != default["total"]["loss"]


def test_whole_files_are_one_document() -> None:
    (model,) = results("held-out.txt", "--whole-files", "--model-name", "toy")
    (document,) = model["documents"]
    assert document["bytes"] == len(TEXT) + len("\nHow?")


def test_wrong_arguments_are_reported() -> None:
    assert "FILE is missing" in error_of("evaluate")
    assert "does not exist" in error_of("evaluate", "no-such.txt")
    assert "no run 'run9'" in error_of("evaluate", "held-out.txt", "--run-name", "run9")
    wrong = error_of("evaluate", "held-out.txt", "--run-name", "run1/model-9")
    assert "no checkpoint 'model-9'" in wrong
    assert "existing checkpoints: model-3" in wrong
    assert "window must be at most" in error_of("evaluate", "held-out.txt", "--window", "25")


def test_evaluating_on_a_cpu_loads_no_tensorflow(workspace: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the interpreter is part of TensorFlow here")
    script = """
import sys
from gpt2_helpers.system import device
from gpt2_helpers.cli import main
device.may_have_gpus = lambda: False
assert main(["evaluate", sys.argv[1], "--model-name", "tiny"]) == 0
print(*{name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "matplotlib"})
"""
    command = [sys.executable, "-c", script, str(workspace / "held-out.txt")]
    printed = subprocess.check_output(command, cwd=ROOT, text=True, timeout=120)
    assert printed.splitlines()[-1] == "", printed
