"""Finetuning: the loaded model, printed steps, invalid options."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import gpt2_helpers as gpt2
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.session import Session
from toy_runs import SHORT, assert_same, weights_of, write_model, write_text

Captured = pytest.CaptureFixture[str]
FEW = {name: value for name, value in SHORT.items() if name != "batch_size"}


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with the toy model, compiled once for all tests that only generate."""
    session = Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("loaded"))
        write_model()
        session.load_pretrained("toy", precision="float32")
    return session


@pytest.mark.usefixtures("uncompiled")
def test_a_finetuned_model_stays_loaded_without_its_optimizer() -> None:
    def variables() -> int:
        return sum(isinstance(thing, tf.Variable) for thing in gc.get_objects())

    gc.collect()
    before = variables()
    session = gpt2.start_tf_sess()
    gpt2.finetune(session, "text.txt", **{**FEW, "optimizer": "adam", "steps": 1})
    assert str(session.run_folder) == "checkpoint/run1"
    assert variables() - before == len(session.model.variables)


@pytest.mark.usefixtures("uncompiled")
def test_finetune_accepts_paths_and_prints_every_step(capsys: Captured) -> None:
    options = {
        **FEW,
        "steps": 2,
        "checkpoint_dir": Path("runs"),
        "validation_data": Path("held-out.txt"),
    }
    shutil.copy("text.txt", "held-out.txt")
    gpt2.finetune(gpt2.start_tf_sess(), Path("text.txt"), **options)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines if line.startswith("[")] == ["[1 |", "[2 |"]
    assert lines[-1] == "saved: runs/run1, step 2"


@pytest.mark.usefixtures("uncompiled")
def test_a_diverged_model_is_removed_from_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = gpt2.start_tf_sess()
    gpt2.finetune(session, "text.txt", **FEW)
    good = weights_of(session.model)
    monkeypatch.setattr(
        "gpt2_helpers.training.trainer.Trainer._train_step", lambda *_: float("nan")
    )
    with pytest.raises(Gpt2Error, match="loss is nan"):
        gpt2.finetune(session, "text.txt", **FEW)
    assert not session.is_loaded
    gpt2.load_gpt2(session, precision="float32")
    assert_same(weights_of(session.model), good)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": "ten"}, "steps must be a whole number, got 'ten'"),
        ({"optimizer": "adan"}, r"optimizer must be one of .* \(did you mean 'adam'\?\)"),
        ({"run_name": "a/b"}, "run_name must be a plain folder name"),
        ({"print_every": 0}, "print_every must be at least 1, got 0"),
        ({"validation_split": True}, "validation_split must be a number"),
    ],
)
def test_an_invalid_option_raises_before_any_work(
    options: dict[str, Any], message: str, loaded: Session
) -> None:
    with pytest.raises(OptionError, match=message):
        gpt2.finetune(loaded, "text.txt", **{**FEW, **options})
    assert loaded.is_loaded
    assert not Path("checkpoint").exists()


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match="tempperature"):
        gpt2.generate(gpt2.start_tf_sess(), tempperature=1.0)  # type: ignore[call-arg]
