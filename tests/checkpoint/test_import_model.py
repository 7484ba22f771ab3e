"""Importing models and adapters as runs, which are trained further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.checkpoint.import_model import import_run
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.export_config import ExportConfig
from gpt2_helpers.exchange.model_folder import open_model
from gpt2_helpers.exchange.peft_adapters import read_adapters, write_adapters
from gpt2_helpers.tokenizer import Tokenizer
from hugging_face import GOLDEN, TEXTS, golden
from toy_runs import assert_same, open_run, saved_weights, train, weights_of, write_text

RUN = RunConfig()


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_model_of_transformers_becomes_a_run() -> None:
    import_run(GOLDEN / "model", RUN)
    run = RunFolder("checkpoint", "run1").require()
    assert (run.step, run.record.base_model, run.record.checkpoints) == (0, "model", [0])
    ids = Tokenizer.load(run.path).encode(TEXTS[0])
    logits = load_model(run.path).logits([ids])[0]
    np.testing.assert_allclose(logits, golden("model")["logits_0"], atol=1e-4)


def test_an_imported_run_is_trained_further_and_an_older_one_is_kept() -> None:
    write_text(text=TEXTS[0] * 20)
    import_run(GOLDEN / "model", RUN)
    before = saved_weights()
    run, progress = train(steps=2)
    assert [p.step for p in progress] == [1, 2]
    assert run.record.base_model == "model"
    messages: list[str] = []
    import_run(GOLDEN / "model", RUN, messages.append)
    assert "run1.before" in messages[0]
    assert_same(saved_weights(), before)
    assert Path("checkpoint/run1.before/model-2.index").is_file()


def test_adapters_of_peft_become_a_run_and_train_further() -> None:
    write_text(text=TEXTS[0] * 20)
    import_run(GOLDEN / "adapters", RunConfig(model_name=str(GOLDEN / "model")))
    run = RunFolder("checkpoint", "run1").require()
    ids = Tokenizer.load(run.path).encode(TEXTS[0])
    logits = load_model(run.path).logits([ids])[0]
    np.testing.assert_allclose(logits, golden("adapters")["logits_0"], atol=1e-4)
    opened = open_run(steps=1, lora_rank=4)
    assert not any("adapters" in note for note in opened.notes)  # neither new nor unmerged
    arrays = read_adapters(GOLDEN / "adapters", open_model(GOLDEN / "model").config).arrays
    for name, array in arrays.items():
        np.testing.assert_array_equal(opened.model.adapters[name].numpy(), array)
    base = open_model(GOLDEN / "model").weights
    rounded = weights_of(opened.model)["model/h0/attn/c_attn/w"]
    np.testing.assert_allclose(rounded, base["model/h0/attn/c_attn/w"], rtol=1e-2, atol=1e-3)


def test_adapters_for_another_model_are_refused() -> None:
    shape = open_model(GOLDEN / "model").config
    write_adapters(Path("a"), read_adapters(GOLDEN / "adapters", shape).arrays, "x")
    with pytest.raises(CheckpointError, match="a model of another size"):
        import_run("a", RunConfig(model_name="tiny"))
    assert not Path("checkpoint/run1").exists()


def test_what_cannot_be_imported_changes_nothing() -> None:
    Path("empty").mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        import_run("empty", RUN)
    Path("checkpoint").touch()
    with pytest.raises(CheckpointError, match=r"checkpoint.run1 cannot be written"):
        import_run(GOLDEN / "model", RUN)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("model").symlink_to(GOLDEN / "model")
    import_run("~/model", RUN)
    export("~/exported", RUN, ExportConfig())
    assert open_model(tmp_path / "exported").config == open_model(GOLDEN / "model").config
    assert not Path("~").exists()
