"""Loading and saving model folders, those of gpt-2-simple, and invalid ones."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint import model_files
from gpt2_helpers.checkpoint.model_files import (
    latest_checkpoint,
    load_for_inference,
    load_model,
    save_model,
    step_of,
    write_checkpoint_state,
)
from gpt2_helpers.checkpoint.weights import WeightsReader, write_weights
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.tokenizer import Tokenizer
from paths import GOLDEN
from shards import shard_checkpoint
from toy import TOY, toy_model, toy_weights

IDS = np.array([[3, 1, 4, 1, 5, 9, 2, 6]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder saved by this package."""
    save_model(toy_model(), tmp_path / "toy")
    return tmp_path / "toy"


def write_hparams(folder: Path, **changes: Any) -> None:
    """Write hparams.json with some values changed; None removes a value."""
    values = {**dataclasses.asdict(TOY), **changes}
    kept = {name: value for name, value in values.items() if value is not None}
    (folder / "hparams.json").write_text(json.dumps(kept))


# --- Round trips


def test_a_saved_model_is_loaded_unchanged(folder: Path) -> None:
    model = load_model(folder)
    assert model.config == TOY
    assert model.precision == "float32"
    for name, expected in toy_weights().items():
        np.testing.assert_array_equal(model.variables[name].numpy(), expected)


def test_the_files_have_openais_names(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint",
        "hparams.json",
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
        "model.ckpt.meta",
    ]
    assert json.loads((folder / "hparams.json").read_text()) == dataclasses.asdict(TOY)


def test_precision_does_not_change_the_stored_weights(folder: Path) -> None:
    model = load_model(folder, precision="bfloat16")
    assert model.precision == "bfloat16"
    np.testing.assert_array_equal(model.variables["model/wte"].numpy(), toy_weights()["model/wte"])


def test_fp16_files_have_half_the_size(tmp_path: Path) -> None:
    model = toy_model()
    sizes = {}
    for dtype in ("float32", "float16"):
        prefix = save_model(model, tmp_path / dtype, dtype=dtype)
        sizes[dtype] = Path(f"{prefix}.data-00000-of-00001").stat().st_size
        assert WeightsReader(prefix)["model/wte"].dtype == dtype
    assert sizes["float16"] * 2 == sizes["float32"]
    loaded = load_model(tmp_path / "float16")
    assert loaded.variables["model/wte"].dtype == "float32"
    np.testing.assert_allclose(loaded.logits(IDS), model.logits(IDS), atol=0.01)


# --- Runs of gpt-2-simple


def test_a_run_of_gpt_2_simple_is_loaded() -> None:
    run = GOLDEN / "gpt_2_simple_run"
    model = load_model(run)
    assert latest_checkpoint(run) == run / "model-20"
    tokenizer = Tokenizer.load(run)
    assert model.config.n_vocab == tokenizer.n_vocab
    text = "What is the best thing that you ever have been to?"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    # It has learned its training text: its last losses were close to this one.
    with np.load(GOLDEN / "gpt_2_simple.npz") as golden:
        loss = float(model.loss(golden["windows"][-2:]))
        assert loss < golden["losses/adam"][-1]
        assert loss == pytest.approx(golden["losses/adam"][-1], abs=0.5)


# --- The newest checkpoint


def saved_steps(folder: Path, *steps: int) -> None:
    model = toy_model()
    for step in steps:
        save_model(model, folder, name=f"model-{step}")


def test_the_file_checkpoint_names_the_newest(tmp_path: Path) -> None:
    saved_steps(tmp_path, 5, 10)
    assert latest_checkpoint(tmp_path) == tmp_path / "model-10"
    write_checkpoint_state(tmp_path, "model-5")
    assert latest_checkpoint(tmp_path) == tmp_path / "model-5"


@pytest.mark.parametrize(
    "content",
    [
        'model_checkpoint_path: "model-999"',
        'model_checkpoint_path: "/content/checkpoint/run1/model-9"',
        'model_checkpoint_path: "C:\\\\Users\\\\me\\\\checkpoint\\\\run1\\\\model-9"',
        'model_checkpoint_path: "\\9\\08\\000\\377"',
        f'model_checkpoint_path: "{"m" * 5000}"',
        'model_checkpoint_path: "model-9',
        "",
        "<html>not found</html>",
        "\xff\xfe",
        None,
    ],
)
def test_an_invalid_file_checkpoint_is_replaced_by_the_highest_step(
    tmp_path: Path, content: str | None
) -> None:
    saved_steps(tmp_path, 9, 10)
    if content is None:
        os.remove(tmp_path / "checkpoint")
    else:
        (tmp_path / "checkpoint").write_bytes(content.encode("latin-1"))
    assert latest_checkpoint(tmp_path) == tmp_path / "model-10"
    assert load_model(tmp_path).config == TOY


def test_an_outdated_file_checkpoint_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved_steps(tmp_path, 10)
    write_checkpoint_state(tmp_path, "model-999")
    assert latest_checkpoint(tmp_path) == tmp_path / "model-10"
    assert not caplog.records


@pytest.mark.parametrize("written", ['l\u00e4uft \\"gut\\"', "l\\303\\244uft \\042gut\\042"])
def test_non_ascii_names_are_read_as_tensorflow_writes_them(tmp_path: Path, written: str) -> None:
    folder = tmp_path / 'l\u00e4uft "gut"'
    saved_steps(folder, 9, 10)
    content = f'model_checkpoint_path: "{tmp_path}/{written}/model-9"\n'
    (folder / "checkpoint").write_text(content, encoding="utf-8")
    assert latest_checkpoint(folder) == folder / "model-9"


def test_a_copied_folder_does_not_refer_to_the_original(tmp_path: Path) -> None:
    saved_steps(tmp_path / "old", 9)
    write_checkpoint_state(tmp_path / "old", str(tmp_path / "old" / "model-9"))
    assert latest_checkpoint(tmp_path / "old") == tmp_path / "old" / "model-9"
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    assert latest_checkpoint(tmp_path / "new") == tmp_path / "new" / "model-9"


def test_a_checkpoint_without_data_is_ignored(tmp_path: Path) -> None:
    saved_steps(tmp_path, 9, 10)
    os.remove(tmp_path / "model-10.data-00000-of-00001")
    assert latest_checkpoint(tmp_path) == tmp_path / "model-9"


def test_a_checkpoint_in_several_data_files_is_opened(tmp_path: Path) -> None:
    save_model(toy_model(), tmp_path, name="model-10")
    shard_checkpoint(tmp_path / "model-10", 3)
    assert latest_checkpoint(tmp_path) == tmp_path / "model-10"
    wte = load_model(tmp_path).variables["model/wte"]
    np.testing.assert_array_equal(wte.numpy(), toy_weights()["model/wte"])
    model = load_for_inference(tmp_path, "float32", "float32")
    np.testing.assert_array_equal(model.effective_weight("model/wte"), toy_weights()["model/wte"])
    os.remove(tmp_path / "model-10.data-00001-of-00003")
    with pytest.raises(CheckpointError, match=r"model-10\.data-00001-of-00003 is missing"):
        latest_checkpoint(tmp_path)


def test_saving_replaces_a_checkpoint_in_several_data_files(tmp_path: Path) -> None:
    save_model(toy_model(), tmp_path, name="model-10")
    shard_checkpoint(tmp_path / "model-10", 2)
    save_model(toy_model(seed=1), tmp_path, name="model-10")
    assert [path.name for path in tmp_path.glob("*.data*")] == ["model-10.data-00000-of-00001"]


def test_folder_names_may_contain_glob_characters(tmp_path: Path) -> None:
    saved_steps(tmp_path / "run [1] *?", 3)
    assert latest_checkpoint(tmp_path / "run [1] *?").name == "model-3"


def test_a_relative_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert latest_checkpoint("toy") == Path("toy/model.ckpt")
    assert latest_checkpoint("./toy/") == Path("toy/model.ckpt")
    monkeypatch.chdir(folder)
    assert latest_checkpoint(".") == Path("model.ckpt")
    assert load_model(".").config == TOY


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere is not a folder with a model"):
        latest_checkpoint(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="has no complete checkpoint"):
        latest_checkpoint(tmp_path)


def test_an_older_checkpoint_can_be_loaded(tmp_path: Path) -> None:
    save_model(toy_model(seed=1), tmp_path, name="model-5")
    save_model(toy_model(seed=2), tmp_path, name="model-10")
    for name, seed in (("model-5", 1), ("model-10", 2), ("latest", 2), (None, 2)):
        wte = load_model(tmp_path, checkpoint=name).variables["model/wte"]
        np.testing.assert_array_equal(wte.numpy(), toy_weights(seed=seed)["model/wte"])
    with pytest.raises(CheckpointError, match=r"model-7\.index is missing"):
        load_model(tmp_path, checkpoint="model-7")


def test_weights_never_exist_without_hparams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_behind(*what: Any) -> None:
        write_weights(*what)
        raise KeyboardInterrupt

    monkeypatch.setattr(model_files, "write_weights", killed_behind)
    with pytest.raises(KeyboardInterrupt):
        save_model(toy_model(), tmp_path, name="model-5")
    assert load_model(tmp_path).config == TOY


def test_hparams_are_kept_until_new_weights_are_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_before(*_: Any) -> None:
        raise KeyboardInterrupt

    save_model(toy_model(), tmp_path, name="model-5")
    monkeypatch.setattr(model_files, "write_weights", killed_before)
    other = dataclasses.replace(TOY, n_layer=1)
    with pytest.raises(KeyboardInterrupt):
        save_model(toy_model(other), tmp_path, name="model-9")
    assert load_model(tmp_path).config == TOY


@pytest.mark.parametrize(
    ("name", "step"),
    [("model-500", 500), ("model.ckpt", -1), ("model-", -1), ("model-1-7", 7), ("model", -1)],
)
def test_the_step_is_read_from_the_name(name: str, step: int) -> None:
    assert step_of(Path("run") / name) == step


# --- Weights that do not match hparams.json


def test_a_missing_variable_is_reported(folder: Path) -> None:
    weights = toy_weights()
    del weights["model/h1/mlp/c_fc/w"]
    write_weights(folder / "model.ckpt", weights)
    with pytest.raises(CheckpointError, match="lacks the variable model/h1/mlp/c_fc/w"):
        load_model(folder)


@pytest.mark.parametrize(
    "name", ["model/h2/ln_1/g", "model/h2/ln_1/g/Adam", "total_loss", "Variable"]
)
def test_an_extra_variable_is_reported(folder: Path, name: str) -> None:
    extra = {name: np.ones(16, np.float32), "zzz": np.array(3)}
    write_weights(folder / "model.ckpt", toy_weights() | extra)
    with pytest.raises(CheckpointError, match=rf"unexpected variable {name}\b.*\(and 1 more\)"):
        load_model(folder)


@pytest.mark.parametrize("scope", ["", "train/"])
@pytest.mark.parametrize("slots", [("Adam", "Adam_1"), ("Momentum",), ("RMSProp", "RMSProp_1")])
def test_the_variables_of_an_optimizer_are_passed_over(
    folder: Path, slots: tuple[str, ...], scope: str
) -> None:
    weights = toy_weights()
    extra = {f"{scope}{name}/{slot}": weights[name] * 0 for name in weights for slot in slots}
    for name in ("beta1_power", "beta2_power", "beta1_power_1", "learning_rate"):
        extra[scope + name] = np.float32(0.9)
    write_weights(folder / "model.ckpt", weights | extra | {"global_step": np.array(5)})
    assert set(load_model(folder).variables) == set(weights)
    model = load_for_inference(folder, "float32", "float32")
    np.testing.assert_array_equal(model.effective_weight("model/wte"), weights["model/wte"])


def test_a_wrong_shape_is_reported_with_both_shapes(folder: Path) -> None:
    wrong = {"model/wpe": np.zeros((13, 16), np.float32)}
    write_weights(folder / "model.ckpt", toy_weights() | wrong)
    message = "the variable model/wpe has shape [13, 16], but hparams.json implies [12, 16]"
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": 3}, "lacks the variable model/h2/ln_1/g"),
        ({"n_layer": 1}, "has an unexpected variable model/h1/attn/c_attn/b"),
        ({"n_vocab": 50257}, "model/wte has shape [48, 16], but hparams.json implies [50257, 16]"),
        ({"n_ctx": 1024}, "model/wpe has shape [12, 16], but hparams.json implies [1024, 16]"),
        ({"n_embd": 32}, "model/wte has shape [48, 16], but hparams.json implies [48, 32]"),
    ],
)
def test_hparams_that_do_not_match_the_weights(
    folder: Path, changes: dict[str, int], message: str
) -> None:
    write_hparams(folder, **changes)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load_model(folder)


def test_a_truncated_data_file(folder: Path) -> None:
    path = folder / "model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"the variable model/\S+ cannot be read.*truncated"):
        load_model(folder)


def test_a_missing_index(folder: Path) -> None:
    os.remove(folder / "model.ckpt.index")
    with pytest.raises(CheckpointError, match="has no complete checkpoint"):
        load_model(folder)
    with pytest.raises(CheckpointError, match=r"model\.ckpt\.index is missing"):
        load_model(folder, checkpoint="model.ckpt")


# --- Invalid hparams.json


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_head": None, "n_ctx": None}, "hparams.json is missing n_ctx, n_head"),
        ({"n_vocab": "48"}, "n_vocab must be a whole number, got '48'"),
        ({"n_embd": 16.5}, "n_embd must be a whole number, got 16.5"),
        ({"n_layer": True}, "n_layer must be a whole number, got True"),
        ({"n_layer": [2]}, "n_layer must be a whole number, got [2]"),
        ({"n_layer": 0}, "n_layer must be between 1 and 10000, got 0"),
        ({"n_head": 3}, "n_embd must be divisible by n_head, got 16 and 3"),
    ],
)
def test_hparams_with_missing_or_invalid_values(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    write_hparams(folder, **changes)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load_model(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b"<!DOCTYPE html>", "cannot be read as JSON"),
        (b"\xff\xfe{", "cannot be read as JSON"),
        (b"[1, 2]", "is missing n_vocab, n_ctx, n_embd, n_head, n_layer"),
        (b"null", "is missing n_vocab"),
        (None, "is missing"),
    ],
)
def test_an_invalid_hparams_file(folder: Path, content: bytes | None, message: str) -> None:
    path = folder / "hparams.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"hparams\.json.* {message}"):
        load_model(folder)


def test_extra_values_in_hparams_are_ignored(folder: Path) -> None:
    write_hparams(folder, n_vocab=48.0, attn_pdrop=0.1)
    assert load_model(folder).config == ModelConfig(48, 12, 16, 2, 2)


@pytest.mark.parametrize("content", [b"\n" * 1_000_000, b" " * 1_000_000, b"model_" * 200_000])
def test_a_large_state_file_is_searched_in_linear_time(tmp_path: Path, content: bytes) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / f"model-5{suffix}").touch()
    (tmp_path / "checkpoint").write_bytes(content)
    assert latest_checkpoint(tmp_path).name == "model-5"
    os.truncate(tmp_path / "checkpoint", 1 << 40)
    assert latest_checkpoint(tmp_path).name == "model-5"


@pytest.mark.parametrize("name", ["model-²", "model-" + "9" * 200, "model-٣", "model"])
def test_names_without_a_step(name: str) -> None:
    assert step_of(Path(name)) == -1
