"""What the public functions print in a plain Python script: none of TensorFlow's messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from command_line import python_path
from toy_runs import write_model


def stderr_of_script(folder: Path, *lines: str) -> str:
    start = ("import gpt2_helpers as gpt2", "sess = gpt2.start_tf_sess()")
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*start, *lines])],
        cwd=folder,
        env={**environment, "PYTHONPATH": python_path()},
        capture_output=True,
        check=True,
    )
    return done.stderr.decode()


def test_generating_prints_only_texts(tmp_path: Path) -> None:
    lines = "gpt2.load_gpt2(sess, model_name='tiny')", "gpt2.generate(sess, length=2)"
    assert stderr_of_script(tmp_path, *lines) == ""


def test_finetuning_prints_only_its_progress(tmp_path: Path) -> None:
    write_model(str(tmp_path / "models" / "toy"))
    (tmp_path / "text.txt").write_text("What is the best thing ever? " * 50)
    call = "gpt2.finetune(sess, 'text.txt', model_name='toy', steps=2, sample_every=1)"
    printed = stderr_of_script(tmp_path, call)
    assert {line.split()[0] for line in printed.split("\n") if line} <= {"finetuning:", "Training"}
