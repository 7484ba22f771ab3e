"""Fixtures for tests that finetune toy models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from toy_runs import write_model, write_text


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with a toy model and a dataset."""
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


@pytest.fixture
def eager() -> Iterator[None]:
    """Compiling takes longer than a few steps of a toy model."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def compiled(eager: None) -> None:
    """Undoes `eager`."""
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def worsening(workplace: None) -> dict[str, Any]:
    """Options with which the validation loss increases: learning one letter unlearns the other."""
    write_text("a.txt", "a" * 300)
    write_text("z.txt", "z" * 100)
    return {
        "dataset": "a.txt",
        "validation_data": "z.txt",
        "eval_every": 2,
        "early_stopping_patience": 2,
        "steps": 50,
        "learning_rate": 0.5,
        "save_every": 1,
    }
