"""gpt2-helpers encode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import (
    QUICK,
    TITLES,
    run,
)
from gpt2_helpers.tokenizer import Tokenizer


@pytest.mark.usefixtures("uncompiled")
def test_finetune_accepts_encoded_text(workspace: Path) -> None:
    result = run("encode", "titles.csv", "--model-name", "toy", "--out-path", "titles")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "saved in titles.npz"
    assert "3 documents" in result.out
    tokens = np.load(workspace / "titles.npz")["arr_0"]
    rows = TITLES.splitlines()[1:]
    text = "".join(f"<|startoftext|>{row}<|endoftext|>\n" for row in rows)
    assert tokens.tolist() == Tokenizer.load("models/toy").encode(text, special=True)
    result = run("finetune", "titles.npz", "--model-name", "toy", *QUICK, "--steps", 1)
    assert result.code == 0, result.err


def test_the_output_has_the_suffix_npz(workspace: Path) -> None:
    assert (
        "saved in ids.v1.npz"
        in run("encode", "titles.csv", "--model-name", "toy", "--out-path", "ids.v1").out
    )
    assert (workspace / "ids.v1.npz").is_file()
