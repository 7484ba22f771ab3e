"""Which model generates, and arguments that are not sessions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import gpt2_helpers as gpt2
from gpt2_helpers.errors import CheckpointError, OptionError
from gpt2_helpers.session import Session
from toy_runs import train, write_model, write_text


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models and three runs, which tests copy."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_text()
        write_model("toy")
        write_model("second", seed=5)
        tf.config.run_functions_eagerly(True)
        train(steps=1, run_name="run1")
        train(steps=1, run_name="run2", model_name="second")
        train(steps=1, run_name="run1", checkpoint_dir="elsewhere")
        tf.config.run_functions_eagerly(False)
    return folder


def holds(session: Session) -> str:
    return session.model_name or str(session.run_folder)


@pytest.mark.usefixtures("uncompiled")
def test_the_named_model_is_used_else_the_loaded_one(runs: Path) -> None:
    shutil.copytree(runs, ".", dirs_exist_ok=True)
    session = gpt2.start_tf_sess()
    cases: list[tuple[dict[str, Any], str]] = [
        # An empty session takes the first run; a loaded one remembers,
        ({}, "checkpoint/run1"),
        ({"run_name": "run2"}, "checkpoint/run2"),
        ({}, "checkpoint/run2"),
        # but uses what is named, even if that is the default,
        ({"run_name": "run1"}, "checkpoint/run1"),
        ({"checkpoint_dir": "elsewhere"}, "elsewhere/run1"),
        ({"run_name": "run1"}, "elsewhere/run1"),
        ({"run_name": "run1", "checkpoint_dir": "checkpoint"}, "checkpoint/run1"),
        ({"model_name": "second"}, "second"),
        ({}, "second"),
        ({"model_name": "toy"}, "toy"),
        ({"run_name": "run2"}, "checkpoint/run2"),
        # and, as with gpt-2-simple, the base model's name leaves a finetuned model in its place.
        ({"model_name": "second"}, "checkpoint/run2"),
        ({"model_name": "toy"}, "toy"),
    ]
    for asked, expected in cases:
        gpt2.generate(session, length=1, **asked)
        assert holds(session) == expected, asked


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"run_name": "run2"}, "checkpoint/run2"),
        ({"checkpoint_dir": "elsewhere"}, "elsewhere/run1"),
        ({"model_name": "toy"}, "toy"),
    ],
)
def test_an_empty_session_loads_the_named_model(
    asked: dict[str, Any], expected: str, runs: Path
) -> None:
    shutil.copytree(runs, ".", dirs_exist_ok=True)
    session = gpt2.start_tf_sess()
    gpt2.generate(session, length=1, **asked)
    assert holds(session) == expected


@pytest.mark.usefixtures("uncompiled")
def test_the_loaded_model_is_not_loaded_again() -> None:
    train(steps=1)
    session = gpt2.start_tf_sess()
    named: dict[str, Any] = {"run_name": "run1", "checkpoint_dir": "checkpoint"}
    for options in ({}, {"run_name": "run1"}, named):
        gpt2.generate(session, length=1, **options)
        model = session.model
        gpt2.generate(session, length=1, **options)
        assert session.model is model


def test_a_missing_run() -> None:
    for call in (gpt2.generate, gpt2.load_gpt2):
        with pytest.raises(CheckpointError, match="no run 'run1' in checkpoint"):
            call(gpt2.start_tf_sess())


@pytest.mark.parametrize("wrong", [None, "run1", Session])
def test_an_argument_that_is_not_a_session(wrong: Any) -> None:
    message = r"sess must be a session, got .*: sess = gpt2\.start_tf_sess\(\)"
    with pytest.raises(OptionError, match=message):
        gpt2.generate(wrong)
    with pytest.raises(OptionError, match=message):
        gpt2.generate_to_file(wrong)
    with pytest.raises(OptionError, match=message):
        gpt2.load_gpt2(wrong)
    with pytest.raises(OptionError, match=message):
        gpt2.finetune(wrong, "text.txt")
    with pytest.raises(OptionError, match=message):
        gpt2.reset_session(wrong)
