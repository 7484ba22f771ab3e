"""gpt2-helpers beam-encode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import QUICK, run
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.tokenizer import Tokenizer

ENCODE = ("beam-encode", "titles.csv", "--model-name", "toy", "--out-path", "titles")


def test_a_dataset_is_needed(workspace: Path) -> None:
    result = run("beam-encode", "--out-path", "a.tokens")
    assert result.code == 2
    assert "pass a dataset, or a BigQuery table" in result.err


@pytest.mark.usefixtures("uncompiled")
def test_finetune_accepts_shards(workspace: Path) -> None:
    pytest.importorskip("apache_beam", reason="needs the package apache-beam")
    result = run(*ENCODE)
    assert result.code == 0, result.err
    assert "saved in titles.tokens" in result.out
    tokenizer = Tokenizer.load("models/toy")
    np.testing.assert_array_equal(
        load_dataset("titles.tokens", tokenizer).tokens,
        load_dataset("titles.csv", tokenizer).tokens,
    )
    assert "complete already" in run(*ENCODE).out
    trained = run(
        *("finetune", "titles.tokens", "--model-name", "toy", "--run-name", "shards"),
        *("--steps", 2, "--learning-rate", 0.001, *QUICK),
    )
    assert trained.code == 0, trained.err


def test_unknown_options_are_rejected(workspace: Path) -> None:
    pytest.importorskip("apache_beam", reason="needs the package apache-beam")
    result = run(*ENCODE, "--out-pat", "a.tokens")
    assert result.code == 2
    assert "unknown option --out-pat" in result.err
