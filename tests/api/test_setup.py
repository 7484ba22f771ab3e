"""The public functions that prepare training: downloads, sessions, encoding datasets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import gpt2_helpers as gpt2
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.errors import CheckpointError, DatasetError
from toy import toy_tokenizer
from toy_runs import SHORT, assert_same, saved_steps, train, weights_of, write_model, write_text

Captured = pytest.CaptureFixture[str]
FEW = {name: value for name, value in SHORT.items() if name != "batch_size"}


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


def test_the_bundled_model_is_downloaded_without_a_network() -> None:
    assert not gpt2.is_gpt2_downloaded("mine", "tiny")
    gpt2.download_gpt2("mine", "tiny")
    assert gpt2.is_gpt2_downloaded("mine", "tiny")
    assert gpt2.is_gpt2_downloaded(model_dir="mine", model_name="tiny")


def test_a_csv_file_is_converted_to_text() -> None:
    Path("titles.csv").write_text('title\n"One, two"\nThree\n', encoding="utf-8")
    gpt2.encode_csv("titles.csv")
    expected = "<|startoftext|>One, two<|endoftext|>\n<|startoftext|>Three<|endoftext|>\n"
    assert Path("csv_encoded.txt").read_text(encoding="utf-8") == expected
    gpt2.encode_csv("titles.csv", "out.txt", False, "<", ">")
    assert Path("out.txt").read_text(encoding="utf-8") == "<title>\n<One, two>\n<Three>\n"


def test_a_dataset_is_encoded(capsys: Captured) -> None:
    gpt2.encode_dataset("text.txt", "models", "ids.npz", "toy", 1000)
    with np.load("ids.npz") as archive:
        (ids,) = archive.values()
    text = Path("text.txt").read_text(encoding="utf-8")
    assert ids.tolist() == toy_tokenizer().encode(text)
    assert f"1 document, {len(ids):,} tokens" in capsys.readouterr().out
    with pytest.raises(DatasetError, match=r"nowhere\.txt"):
        gpt2.encode_dataset("nowhere.txt", model_name="toy")


@pytest.mark.usefixtures("uncompiled")
def test_training_on_an_encoded_dataset_gives_the_same_weights() -> None:
    gpt2.encode_dataset("text.txt", model_name="toy")
    session = gpt2.start_tf_sess()
    gpt2.finetune(session, "text.txt", **FEW)
    weights = weights_of(session.model)
    gpt2.finetune(session, "text_encoded.npz", **{**FEW, "run_name": "encoded"})
    assert_same(weights, weights_of(session.model))
    assert saved_steps("encoded") == {4}


@pytest.mark.usefixtures("uncompiled")
def test_resetting_frees_the_model_and_returns_a_new_session() -> None:
    session = gpt2.start_tf_sess()
    session.load_pretrained("toy")
    other = gpt2.reset_session(session)
    assert other is not session
    assert not session.is_loaded
    assert not other.is_loaded


def test_gpus_have_tensorflows_names() -> None:
    gpus = gpt2.get_available_gpus()
    assert len(gpus) == len(tf.config.list_physical_devices("GPU"))
    assert all(re.fullmatch(r"/device:GPU:\d+", name) for name in gpus)


@pytest.mark.usefixtures("uncompiled")
def test_loading_prints_the_name(capsys: Captured) -> None:
    train(steps=2, save_every=1, max_checkpoints=0)
    session = gpt2.start_tf_sess()
    gpt2.load_gpt2(session, "model-1", precision="float32")
    assert capsys.readouterr().out == "loaded run1\n"
    first = weights_of(session.model)
    gpt2.load_gpt2(session, precision="float32")
    assert any((first[n] != array).any() for n, array in weights_of(session.model).items())
    gpt2.load_gpt2(session, model_name="toy")
    assert capsys.readouterr().out == "loaded run1\nloaded the pretrained model toy\n"


def test_a_model_is_exported_and_imported(capsys: Captured) -> None:
    gpt2.export_gpt2("exported", model_name="toy")
    assert capsys.readouterr().out == "toy was exported to exported\n"
    gpt2.import_gpt2("exported", run_name="run2")
    assert capsys.readouterr().out == "exported is imported as run2\n"
    toy = weights_of(load_model("models/toy"))
    assert_same(weights_of(load_model("checkpoint/run2")), toy)
    gpt2.export_gpt2("again", run_name="run2", dtype="float16")
    with pytest.raises(CheckpointError, match="no run 'run7'"):
        gpt2.export_gpt2("again", run_name="run7")


def test_a_model_is_loaded_by_the_path_of_a_hugging_face_folder(capsys: Captured) -> None:
    gpt2.export_gpt2("exports/mine", model_name="toy")
    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name="exports/mine", precision="float32")
    assert sess.tokenizer.vocabulary == toy_tokenizer().vocabulary
    assert "loaded the pretrained model exports/mine" in capsys.readouterr().out
