"""Exporting runs, models and adapters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.export_config import ExportConfig
from gpt2_helpers.exchange.model_folder import open_model
from gpt2_helpers.exchange.peft_adapters import read_adapters
from gpt2_helpers.exchange.weights import SafetensorsWeights
from lora_runs import SHAPE as LORA_SHAPE
from lora_runs import write_base_and_runs
from onnx_runner import OnnxRunner, our_logits
from toy import toy_tokenizer
from toy_runs import SHAPE, save_run, saved_weights, write_model

RUN1, TOY = RunConfig(), RunConfig(model_name="toy")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assert_exported(folder: str, step: int) -> None:
    weights = SafetensorsWeights(Path(folder), SHAPE)
    for name, array in saved_weights(step=step).items():
        np.testing.assert_array_equal(weights[name], array)


def test_the_newest_or_another_checkpoint_of_a_run_is_exported() -> None:
    save_run(step=4, dataset="/home/me/titles.csv", losses=[(4, 2.5), (6, 2.25)])
    save_run(step=6, dataset="/home/me/titles.csv", losses=[(4, 2.5), (6, 2.25)])
    assert export("newest", RUN1, ExportConfig()) == "newest"
    assert_exported("newest", 6)
    assert open_model("newest").tokenizer.vocabulary == toy_tokenizer().vocabulary
    card = Path("newest/README.md").read_text(encoding="utf-8")
    assert "| steps | 6 |" in card
    assert "| loss | 2.250 nats" in card
    assert "/home" not in card
    export("older", RUN1, ExportConfig(checkpoint="model-4"))
    assert_exported("older", 4)
    assert "| steps | 4 |" in Path("older/README.md").read_text(encoding="utf-8")


def test_a_pretrained_model_is_exported() -> None:
    write_model()
    export("out", TOY, ExportConfig(dtype="float16"), pretrained=True)
    assert open_model("out").config == SHAPE
    with pytest.raises(CheckpointError, match="toy has no adapters: set run_name"):
        export("out", TOY, ExportConfig(adapters=True), pretrained=True)


def test_adapters_are_exported_with_their_base_model() -> None:
    save_run(adapters=True)
    export("adapters", RUN1, ExportConfig(adapters=True))
    assert {path.name for path in Path("adapters").iterdir()} == {
        *("README.md", "adapter_config.json", "adapter_model.safetensors")
    }
    assert read_adapters(Path("adapters"), SHAPE).base_model == "toy"
    export("adapters", RUN1, ExportConfig(adapters=True, base_model="me/base"))
    assert read_adapters(Path("adapters"), SHAPE).base_model == "me/base"


def test_a_run_is_exported_for_onnx_runtime() -> None:
    pytest.importorskip("onnx")
    save_run(dataset='["/home/me/a.csv", "b.csv"]', prompt_prefix="<|startoftext|>")
    export("out", RUN1, ExportConfig(format="onnx", dtype="float32"))
    ids = toy_tokenizer().encode("What is the best?")
    expected = our_logits(SHAPE, saved_weights(), ids)
    np.testing.assert_allclose(OnnxRunner(Path("out"), SHAPE).read(ids), expected, atol=1e-4)
    manifest = json.loads(Path("out/model.json").read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["step"], manifest["base_model"]) == ("run1", 4, "toy")
    assert manifest["prompt_prefix"] == "<|startoftext|>"
    assert "dataset" not in manifest
    export("out", RUN1, ExportConfig(format="onnx", say_dataset=True))
    manifest = json.loads(Path("out/model.json").read_text(encoding="utf-8"))
    assert (manifest["dtype"], manifest["dataset"]) == ("int8", "a.csv, b.csv")


def test_the_weights_for_onnx_runtime_have_the_adapters_merged() -> None:
    pytest.importorskip("onnx")
    write_base_and_runs()
    options = ExportConfig(format="onnx", dtype="float32")
    logits = {}
    for run in ("one", "full"):  # full has the weights of the base model
        export(run, RunConfig(run_name=run), options)
        logits[run] = OnnxRunner(Path(run), LORA_SHAPE).read([1, 2, 3])
    expected = our_logits(LORA_SHAPE, saved_weights("one"), [1, 2, 3])
    np.testing.assert_allclose(logits["one"], expected, atol=1e-4)
    assert np.abs(logits["one"] - logits["full"]).max() > 0.1


def test_a_model_is_exported_for_a_site() -> None:
    pytest.importorskip("onnx")
    write_model()
    export("site", TOY, ExportConfig(format="web"), pretrained=True)
    manifest = json.loads(Path("site/model/model.json").read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["dtype"]) == ("toy", "int8")
    assert not {"step", "base_model"} & manifest.keys()


def test_missing_runs_checkpoints_and_adapters_are_reported() -> None:
    with pytest.raises(CheckpointError, match="no run 'run1'"):
        export("out", RUN1, ExportConfig())
    save_run()
    with pytest.raises(
        CheckpointError, match=r"no checkpoint 'model-9' in .*: existing checkpoints: model-4"
    ):
        export("out", RUN1, ExportConfig(checkpoint="model-9"))
    with pytest.raises(CheckpointError, match="run1 has no adapters"):
        export("out", RUN1, ExportConfig(adapters=True))
    assert not Path("out").exists()


def test_a_run_is_not_exported_into_itself() -> None:
    save_run()
    with pytest.raises(CheckpointError, match="export to another one"):
        export("checkpoint/run1", RUN1, ExportConfig())


def test_a_folder_that_cannot_be_written_is_reported() -> None:
    save_run()
    Path("out").touch()
    with pytest.raises(CheckpointError, match="out cannot be written: [^:]*: use another folder$"):
        export("out", RUN1, ExportConfig())
