"""gpt2-helpers card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run
from toy_runs import RUN1, train, write_model, write_text


@pytest.mark.usefixtures("uncompiled")
def test_the_card_of_a_run_and_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()
    train(steps=2)
    result = run("card", "run1")
    assert (result.code, result.err) == (0, "")
    assert result.out == (RUN1 / "MODEL_CARD.md").read_text()
    assert "| steps | 2 |" in result.out
    sentence = run("card", "--sentence").out
    assert sentence == (
        "Written by the language model run1 (GPT-2 toy, finetuned for 2 steps on text.txt).\n"
    )
    record = json.loads((RUN1 / "run.json").read_text())
    (RUN1 / "run.json").write_text(json.dumps({**record, "device": "a\x1b[31mb"}))
    assert "\x1b" not in run("card", "run1").out


def test_a_missing_run() -> None:
    result = run("card", "missing")
    assert result.code == 2
    assert "missing" in result.err
