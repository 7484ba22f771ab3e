"""Sessions: loading one model after another, memory, and errors."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import tensorflow as tf

import gpt2_helpers as gpt2
from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import CheckpointError, DriveError, OptionError
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.google.drive import mount
from gpt2_helpers.google.drive_backup import saved_runs
from gpt2_helpers.session import Session, set_threads
from gpt2_helpers.system import device
from gpt2_helpers.training.memory import save_bytes
from gpt2_helpers.training.workers import Workers
from paths import GOLDEN, SUPPORT
from toy_runs import (
    SHAPE,
    assert_same,
    saved_steps,
    short,
    train,
    weights_of,
    write_model,
    write_text,
)

GOLDEN_RUN = GOLDEN / "gpt_2_simple_run"


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


# --- The example of gpt-2-simple


def test_the_example_of_gpt_2_simple_runs_again_and_again_in_one_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = dataclasses.replace(SHAPE, n_layer=1)  # compiled in half the time
    write_model("toy", shape=small)
    write_model("second", seed=5, shape=small)
    write_text("second.txt", "You would have to start the end of it. " * 30)
    texts: dict[str, Any] = {}
    for file_name, model_name, run_name in (
        ("text.txt", "toy", "run1"),
        ("text.txt", "toy", "run1"),
        ("second.txt", "second", "run2"),
    ):
        sess = gpt2.start_tf_sess()
        gpt2.finetune(
            sess,
            file_name,
            model_name=model_name,
            steps=1,
            run_name=run_name,
            precision="float32",
            accumulate_gradients=1,
        )
        texts[run_name] = gpt2.generate(sess, length=12, seed=1, return_as_list=True)
    assert saved_steps("run1") == {2}  # the second call went on with the first one's run
    assert saved_steps("run2") == {1}
    assert texts["run1"] != texts["run2"]
    # The last session generates from either run, as does a new one; the same seed, the same text.
    for session in (sess, gpt2.start_tf_sess()):
        for run_name in ("run1", "run2"):
            again = gpt2.generate(
                session, run_name=run_name, length=12, seed=1, return_as_list=True
            )
            assert again == texts[run_name]
    capsys.readouterr()
    gpt2.generate(sess, length=12, seed=1)
    assert capsys.readouterr().out == f"{texts['run2'][0]}\n"  # the session remembers


MEMORY = """
import contextlib, ctypes, gc, json, os, sys
from pathlib import Path
import tensorflow as tf
from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig, SamplingConfig
from gpt2_helpers.session import Session
from toy import toy_tokenizer
from toy_runs import write_model

def measure(session):
    session.close()  # which collects garbage
    found["variables"].append(sum(isinstance(thing, tf.Variable) for thing in gc.get_objects()))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

shape = ModelConfig(toy_tokenizer().n_vocab, n_ctx=16, n_embd=704, n_head=4, n_layer=1)
for name in ("one", "two"):
    write_model(name, shape=shape)
session = Session()
found = {"model": 4 * shape.n_parameters / 2**20, "loads": [], "finetunings": [], "variables": []}
for order in range(10):
    session.load_pretrained(("one", "two")[order % 2])
    list(session.generate("", SamplingConfig(length=3)))
    if order in (1, 9):
        found["loads"].append(measure(session))
for order in range(3):
    config = FinetuneConfig(steps=1, accumulate_gradients=1, optimizer="sgd", precision="float32",
                            use_memory_saving_gradients=order == 2)
    run = RunConfig(model_name="one", restore_from="fresh", sample_every=0)
    for progress in session.finetune("text.txt", config, run):
        pass
    found["finetunings"].append(measure(session))
print(json.dumps(found))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs Linux's /proc")
def test_memory_after_ten_models_is_what_it_was_after_two() -> None:
    tests = SUPPORT
    path = [str(tests.parent), str(tests)]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{MEMORY}"]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout.splitlines()[-1])
    assert 20 < found["model"] < 30
    (after_two, after_ten), finetunings = found["loads"], found["finetunings"]
    # Each of the eight models in between, if leaked, would take at least half its size.
    assert after_ten - after_two < found["model"] / 2, found
    # Each of the two later finetunings, if leaked, would keep the model and its gradients.
    assert finetunings[2] - finetunings[0] < 2 * found["model"], found
    assert found["variables"] == [0] * 5


def test_closing_a_session_frees_compiled_functions_but_not_those_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tensorflow.python.eager import context

    write_model()
    write_model("other", seed=1)
    mine, other = Session(), Session()
    mine.load_pretrained("toy", precision="bfloat16")  # in TensorFlow
    config = SamplingConfig(length=9, temperature=0.0)
    before = list(mine.generate("What", config))
    other.load_pretrained("other")
    clear = Mock(wraps=context.context().clear_kernel_cache)
    monkeypatch.setattr(context.context(), "clear_kernel_cache", clear)
    other.close()
    clear.assert_called_once_with()
    assert list(mine.generate("What", config)) == before


# --- What is loaded


@pytest.mark.usefixtures("uncompiled")
def test_a_session_tells_what_is_loaded() -> None:
    session = Session()
    assert not session.is_loaded
    session.load_pretrained("toy", precision="float32")
    assert session.is_loaded
    assert (session.model_name, session.run_name, session.run_folder) == ("toy", None, None)
    assert_same(weights_of(session.model), weights_of(load_model("models/toy")))
    config = FinetuneConfig(steps=1, accumulate_gradients=1, precision="float32")
    run = session.finetune("text.txt", config, RunConfig(model_name="toy", run_name="titles"))
    for _ in run:
        pass
    expected = ("titles", Path("checkpoint/titles"), "toy")
    assert session.model is run.model
    assert (session.run_name, session.run_folder, session.base_model) == expected
    assert session.model_name is None
    session.load_run("titles", precision="float32")
    assert session.model is not run.model
    assert_same(weights_of(session.model), weights_of(run.model))
    assert (session.run_name, session.run_folder, session.base_model) == expected
    session.close()
    assert not session.is_loaded
    assert session.run_name is session.run_folder is session.base_model is None


@pytest.mark.parametrize("precision", ["auto", "int8", "float32"])
def test_without_a_gpu_tensorflow_is_only_used_when_the_model_is_accessed(
    precision: str,
) -> None:
    session = Session()
    session.load_pretrained("toy", precision=precision)
    assert isinstance(session.inference_model, InferenceModel)
    config = SamplingConfig(length=9, seed=1)
    texts = list(session.generate("", config))
    session.load_pretrained("toy", precision=precision)
    model = session.model
    assert session.model is model
    assert session.inference_model is model  # type: ignore[comparison-overlap]
    assert_same(weights_of(model), weights_of(load_model("models/toy")))
    assert model.precision == device.choose_precision(precision)
    assert model.decoding_precision == device.choose_decoding_precision(precision)
    assert list(session.generate("", config)) == texts


def test_generation_needs_the_files_only_while_loading() -> None:
    session = Session()
    session.load_pretrained("toy", precision="float32")
    texts = list(session.generate("", SamplingConfig(length=9, seed=1)))
    session.load_pretrained("toy", precision="float32")
    shutil.rmtree("models/toy")
    assert list(session.generate("", SamplingConfig(length=9, seed=1))) == texts
    with pytest.raises(CheckpointError, match=r"the variable \S+ cannot be read"):
        assert session.model
    assert session.is_loaded


def test_damaged_weights_are_reported_on_loading() -> None:
    path = Path("models/toy/model.ckpt.data-00000-of-00001")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    session = Session()
    with pytest.raises(CheckpointError, match=r"the variable \S+ cannot be read.*damaged"):
        session.load_pretrained("toy")
    assert not session.is_loaded


@pytest.mark.usefixtures("uncompiled")
def test_chunks_joined_are_the_texts() -> None:
    session = Session()
    session.load_pretrained("toy", precision="float32")
    config = SamplingConfig(length=6, nsamples=2, batch_size=2, seed=1)
    texts = [result.text for result in in_order(session.generate("", config))]
    joined = ["", ""]
    for chunk in session.stream("", config):
        joined[chunk.index] += chunk.text
    assert joined == texts


@pytest.mark.usefixtures("uncompiled")
def test_an_earlier_checkpoint_is_loaded_by_name() -> None:
    train(steps=2, save_every=1, max_checkpoints=0)
    session = Session()
    session.load_run("run1", checkpoint="model-1", precision="float32")
    first = weights_of(session.model)
    assert_same(first, weights_of(load_model("checkpoint/run1", checkpoint="model-1")))
    for newest in ("latest", None):
        session.load_run("run1", checkpoint=newest, precision="float32")
        assert_same(weights_of(session.model), weights_of(load_model("checkpoint/run1")))


@pytest.mark.usefixtures("uncompiled")
def test_a_run_of_gpt_2_simple_generates() -> None:
    shutil.copytree(GOLDEN_RUN, "checkpoint/old")
    session = Session()
    session.load_run("old", precision="float32")
    assert session.base_model is None  # not recorded in such a run
    (result,) = session.generate("", SamplingConfig(length=5, seed=1))
    assert result.n_tokens == 5 or result.finish_reason == "stop"
    texts = gpt2.generate(session, model_name="124M", length=5, seed=1, return_as_list=True)
    assert texts == [result.text]  # model_name may be the run's base model


# --- Google Drive


def test_each_save_is_backed_up_to_drive(uncompiled: None, fake_colab: Path) -> None:
    mount()
    options = short(steps=5, save_every=2, backup_to_drive=True, optimizer="adam")
    run = Session().finetune("text.txt", *options)
    steps = []
    for progress in run:
        saved = [saved.step for saved in saved_runs("none")]
        steps.append((progress.step, saved))
    assert steps == [(1, []), (2, [2]), (3, [2]), (4, [4]), (5, [4])]
    assert [saved.step for saved in saved_runs("none")] == [5]
    # The space that was required is about the space that was used.
    size = (fake_colab / "checkpoint_run1.tar").stat().st_size
    assert save_bytes(run.model.config, run.config) == pytest.approx(size, rel=0.5)


def test_the_required_space_includes_the_best_checkpoint_of_early_stopping(
    uncompiled: None, fake_colab: Path
) -> None:
    mount()
    shape = dataclasses.replace(SHAPE, n_embd=64)  # of which the weights are the most
    write_model("wide", shape=shape)
    sizes = []
    for name, early_stopping_patience in (("plain", 0), ("best", 2)):
        options = short(
            steps=3,
            optimizer="adam",
            model_name="wide",
            run_name=name,
            backup_to_drive=True,
            validation_split=0.2,
            eval_every=2,
            early_stopping_patience=early_stopping_patience,
        )
        run = Session().finetune("text.txt", *options)
        assert len(list(run)) == 3
        size = (fake_colab / f"checkpoint_{name}.tar").stat().st_size
        assert save_bytes(run.model.config, run.config) == pytest.approx(size, rel=0.25)
        sizes.append(size)
    assert sizes[1] > 1.7 * sizes[0]


def test_an_unusable_drive_is_reported_before_the_loaded_model_is_closed(
    uncompiled: None, fake_colab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    session.load_pretrained("toy")
    with pytest.raises(DriveError, match=r"not mounted: call mount_gdrive\(\)"):
        session.finetune("text.txt", *short(backup_to_drive=True))
    assert session.is_loaded
    mount()
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=0))
    with pytest.raises(DriveError, match="backing up run1 needs .* which has 0 KB free"):
        session.finetune("text.txt", *short(backup_to_drive=True))
    assert not Path("checkpoint").exists()


# --- Errors


def test_an_empty_session_explains_how_to_load_a_model() -> None:
    session = Session()
    for name in ("model", "tokenizer"):
        with pytest.raises(CheckpointError, match=r"no model is loaded: load_gpt2\(sess"):
            getattr(session, name)
    with pytest.raises(CheckpointError, match="no model is loaded"):
        list(session.generate("", SamplingConfig()))


@pytest.mark.usefixtures("uncompiled")
def test_the_error_for_a_missing_run_lists_the_existing_ones() -> None:
    session = Session()
    with pytest.raises(CheckpointError, match="no run 'run1' in checkpoint: there are no runs yet"):
        session.load_run()
    for name in ("titles", "stories"):
        train(steps=1, run_name=name)
    session.load_run("titles")
    with pytest.raises(CheckpointError) as caught:
        session.load_run("title")
    assert str(caught.value) == (
        "no run 'title' in checkpoint (did you mean 'titles'?): existing runs: stories, titles"
    )
    assert session.run_name == "titles"  # still loaded


@pytest.mark.usefixtures("uncompiled")
def test_the_error_for_a_missing_checkpoint_lists_the_existing_ones() -> None:
    train(steps=2, save_every=1, max_checkpoints=0)
    message = "no checkpoint 'model-3' in checkpoint/run1: existing checkpoints: model-1, model-2"
    with pytest.raises(CheckpointError, match=message):
        Session().load_run(checkpoint="model-3")


def test_the_error_for_a_missing_model_names_download_gpt2() -> None:
    with pytest.raises(CheckpointError, match="'124M' not found in models.*download_gpt2"):
        Session().load_pretrained("124M")


@pytest.mark.parametrize("precision", ["bf16", "half", None])
def test_an_unknown_precision_is_refused(precision: str) -> None:
    with pytest.raises(OptionError, match="precision must be one of auto, float32"):
        Session().load_pretrained("toy", precision=precision)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused() -> None:
    folder = write_model("mixed")
    hparams = json.loads((folder / "hparams.json").read_text())
    encoder = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps({**encoder, "more": hparams["n_vocab"]}))
    with pytest.raises(CheckpointError, match="belong to different models"):
        Session().load_pretrained("mixed")


def test_threads_cannot_be_set_after_the_first_computation() -> None:
    tf.constant(1) + 1
    with pytest.warns(UserWarning, match="threads=3 has no effect"):
        set_threads(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        set_threads(-1)


def test_a_worker_that_is_not_the_chief_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(tf.distribute.get_strategy())
    workers.index = 1
    monkeypatch.setattr("gpt2_helpers.training.run.join_workers", lambda multi_gpu: workers)
    monkeypatch.setattr("gpt2_helpers.session.is_chief", lambda: workers.is_chief)
    before = {path.name for path in Path().iterdir()}
    options = {"save_every": 1, "sample_every": 1, "sample_length": 3}
    # Google Drive is not mounted, which only the chief would notice.
    run = Session().finetune("text.txt", *short(steps=2, backup_to_drive=True, **options))
    assert [step.step for step in run] == [1, 2]
    assert {path.name for path in Path().iterdir()} == before
    assert run.notes[0].startswith("training toy")
