"""The public functions: parameters, printed and returned texts, and finetuning."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import json
import re
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import gpt2_helpers as gpt2
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import CheckpointError, DatasetError, Gpt2Error, OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.result import GenerationResult, in_order
from gpt2_helpers.session import Session
from sampler_options import SAMPLER_OPTIONS
from toy_runs import SHORT, assert_same, train, weights_of, write_model, write_text

Captured = pytest.CaptureFixture[str]
DELIMITER = "=" * 20 + "\n"
REQUIRED = inspect.Parameter.empty

# The parameters of gpt-2-simple 0.8.1, in order, with their defaults.
GPT_2_SIMPLE: dict[str, dict[str, Any]] = {
    "download_gpt2": {"model_dir": "models", "model_name": "124M"},
    "is_gpt2_downloaded": {"model_dir": "models", "model_name": "124M"},
    "start_tf_sess": {"threads": -1, "server": None},
    "reset_session": {"sess": REQUIRED, "threads": -1, "server": None},
    "get_available_gpus": {},
    "finetune": {
        "sess": REQUIRED,
        "dataset": REQUIRED,
        "steps": -1,
        "model_name": "124M",
        "model_dir": "models",
        "combine": 50000,
        "batch_size": 1,
        "learning_rate": 0.0001,
        "accumulate_gradients": 5,
        "restore_from": "latest",
        "run_name": "run1",
        "checkpoint_dir": "checkpoint",
        "sample_every": 100,
        "sample_length": 1023,
        "sample_num": 1,
        "multi_gpu": False,
        "save_every": 1000,
        "print_every": 1,
        "max_checkpoints": 1,
        "use_memory_saving_gradients": False,
        "only_train_transformer_layers": False,
        "optimizer": "adam",
        "overwrite": False,
        "reuse": False,
    },
    "load_gpt2": {
        "sess": REQUIRED,
        "checkpoint": "latest",
        "run_name": "run1",
        "checkpoint_dir": "checkpoint",
        "model_name": None,
        "model_dir": "models",
        "multi_gpu": False,
        "reuse": False,
    },
    "generate": {
        "sess": REQUIRED,
        "run_name": "run1",
        "checkpoint_dir": "checkpoint",
        "model_name": None,
        "model_dir": "models",
        "sample_dir": "samples",
        "return_as_list": False,
        "truncate": None,
        "destination_path": None,
        "sample_delim": DELIMITER,
        "prefix": None,
        "seed": None,
        "nsamples": 1,
        "batch_size": 1,
        "length": 1023,
        "temperature": 0.7,
        "top_k": 0,
        "top_p": 0.0,
        "include_prefix": True,
    },
    "generate_to_file": {
        "sess": REQUIRED,
        "run_name": "run1",
        "checkpoint_dir": "checkpoint",
        "model_name": None,
        "model_dir": "models",
        "truncate": None,
        "destination_path": "gpt_2_gen_texts.txt",
        "sample_delim": DELIMITER,
        "prefix": None,
        "seed": None,
        "nsamples": 1,
        "batch_size": 1,
        "length": 1023,
        "temperature": 0.7,
        "top_k": 0,
        "top_p": 0.0,
        "include_prefix": True,
    },
    "encode_csv": {
        "csv_path": REQUIRED,
        "out_path": "csv_encoded.txt",
        "header": True,
        "start_token": "<|startoftext|>",
        "end_token": "<|endoftext|>",
    },
    "encode_dataset": {
        "file_path": REQUIRED,
        "model_dir": "models",
        "out_path": "text_encoded.npz",
        "model_name": "124M",
        "combine": 50000,
    },
    "mount_gdrive": {},
    "is_mounted": {},
    "copy_checkpoint_to_gdrive": {"run_name": "run1", "copy_folder": False},
    "copy_checkpoint_from_gdrive": {"run_name": "run1", "copy_folder": False},
    "copy_file_to_gdrive": {"file_path": REQUIRED},
    "copy_file_from_gdrive": {"file_path": REQUIRED},
}
# Deliberately different: endless training must be requested.
OTHER_DEFAULTS = {("finetune", "steps"): 1000}


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


# --- Parameters


@pytest.mark.parametrize("name", GPT_2_SIMPLE)
def test_parameters_match_gpt_2_simple_and_new_ones_are_keyword_only(name: str) -> None:
    parameters = inspect.signature(getattr(gpt2, name)).parameters.values()
    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    expected = {
        parameter: OTHER_DEFAULTS.get((name, parameter), default)
        for parameter, default in GPT_2_SIMPLE[name].items()
    }
    assert list(positional.items()) == list(expected.items())
    assert {p.kind for p in parameters} <= {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }


@pytest.mark.parametrize(
    ("name", "configs", "beside"),
    [
        # Parameters that are not options of the configs.
        ("finetune", (FinetuneConfig, RunConfig, DatasetConfig), {"sess", "dataset", "reuse"}),
        (
            "generate",
            (SamplingConfig,),
            {"sess", "run_name", "checkpoint_dir", "model_name", "model_dir", "sample_dir"}
            | {"return_as_list", "destination_path", "sample_delim", "prefix", "prompts"},
        ),
        (
            "score",
            (ScoreConfig,),
            {"sess", "text", "run_name", "checkpoint_dir", "model_name", "model_dir"},
        ),
    ],
)
def test_parameters_and_defaults_match_the_configs(
    name: str, configs: tuple[type, ...], beside: set[str]
) -> None:
    options = {f.name: f.default for config in configs for f in dataclasses.fields(config)}
    parameters = inspect.signature(getattr(gpt2, name)).parameters
    assert {n: p.default for n, p in parameters.items() if n not in beside} == options


def test_generate_to_file_has_the_parameters_of_generate() -> None:
    given = inspect.signature(gpt2.generate).parameters
    for name, parameter in inspect.signature(gpt2.generate_to_file).parameters.items():
        if name != "destination_path":
            assert parameter.default == given[name].default


@pytest.mark.usefixtures("uncompiled")
def test_finetune_accepts_every_parameter_by_position(fake_colab: Path) -> None:
    given: dict[str, Any] = {
        "steps": 1,
        "model_name": "toy",
        "model_dir": "models",
        "combine": 1000,
        "batch_size": 2,
        "learning_rate": 0.5,
        "accumulate_gradients": 2,
        "restore_from": "fresh",
        "run_name": "mine",
        "checkpoint_dir": "runs",
        "sample_every": 7,
        "sample_length": 9,
        "sample_num": 2,
        "multi_gpu": False,
        "save_every": 3,
        "print_every": 5,
        "max_checkpoints": 4,
        "use_memory_saving_gradients": True,
        "only_train_transformer_layers": True,
        "optimizer": "sgd",
        "overwrite": True,
        "reuse": True,
    }
    new: dict[str, Any] = {
        "column": None,
        "prompt_column": None,
        "keywords_from": None,
        "encoding": "utf-8",
        "backup_to_drive": True,
        "deduplicate": True,
        "dropout": 0.25,
        "early_stopping_patience": 3,
        "max_grad_norm": 2.0,
        "legacy_tokens": True,
        "lora_rank": 2,
        "precision": "float32",
        "sample_dir": "out",
        "lr_schedule": "cosine",
        "seed": 11,
        "strip_boilerplate": True,
        "unwrap": True,
        "eval_every": 6,
        "validation_data": None,
        "validation_split": 0.125,
        "warmup_steps": 1,
        "weight_decay": 0.5,
        "windows": "stream",
    }
    assert list(GPT_2_SIMPLE["finetune"])[2:] == list(given)
    gpt2.mount_gdrive()
    gpt2.finetune(gpt2.start_tf_sess(), "text.txt", *given.values(), **new)
    recorded = json.loads(Path("runs/mine/run.json").read_text())["parameters"]
    expected = {**given, **new}
    del expected["reuse"]
    assert recorded == expected
    assert (fake_colab / "checkpoint_mine.tar").is_file()


def test_generate_accepts_every_parameter_by_position(loaded: Session) -> None:
    given: dict[str, Any] = {
        "run_name": "run1",
        "checkpoint_dir": "checkpoint",
        "model_name": "toy",
        "model_dir": "models",
        "sample_dir": "samples",
        "return_as_list": True,
        "truncate": "e",
        "destination_path": None,
        "sample_delim": "--",
        "prefix": "What",
        "seed": 3,
        "nsamples": 3,
        "batch_size": 2,
        "length": 9,
        "temperature": 1.5,
        "top_k": 30,
        "top_p": 0.875,
        "include_prefix": False,
    }
    assert list(GPT_2_SIMPLE["generate"])[1:] == list(given)
    names = {field.name for field in dataclasses.fields(SamplingConfig)} & given.keys()
    options = SamplingConfig(**{name: given[name] for name in names})
    expected = [result.text for result in in_order(loaded.generate("What", options))]
    assert gpt2.generate(loaded, *given.values()) == expected
    assert len(expected) == 3


# --- Texts: printed, returned, in a file


def written(session: Session, **options: Any) -> list[str]:
    texts = gpt2.generate(session, length=8, seed=2, return_as_list=True, **options)
    assert texts is not None
    return texts


@pytest.mark.parametrize("options", SAMPLER_OPTIONS, ids=lambda options: "-".join(options))
def test_samplers_give_the_texts_of_the_session(loaded: Session, options: dict[str, Any]) -> None:
    if "regex" in options:
        pytest.importorskip("llguidance")
    shared = {"length": 12, "seed": 2, **options}
    (expected,) = loaded.generate("What", SamplingConfig(**shared))
    assert gpt2.generate(loaded, prefix="What", return_as_list=True, **shared) == [expected.text]
    gpt2.generate_to_file(loaded, prefix="What", destination_path="text.out", **shared)
    assert Path("text.out").read_text(encoding="utf-8") == f"{expected.text}\n"


def test_texts_are_printed_with_the_delimiter_after_each(loaded: Session, capsys: Captured) -> None:
    expected = written(loaded, nsamples=3, batch_size=2)
    assert capsys.readouterr().out == ""
    assert gpt2.generate(loaded, length=8, seed=2, nsamples=3, batch_size=3) is None
    assert capsys.readouterr().out == "".join(f"{text}\n{DELIMITER}" for text in expected)
    gpt2.generate(loaded, length=8, seed=2, nsamples=3, sample_delim="--")
    assert capsys.readouterr().out == "".join(f"{text}\n--" for text in expected)


def test_texts_written_to_a_file_are_not_kept_in_memory(
    loaded: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = (GenerationResult(f"{n}" * 100_000, "", n, 1, "length") for n in range(100))
    monkeypatch.setattr("gpt2_helpers.api.with_progress", lambda *_: texts)
    tracemalloc.start()
    try:
        gpt2.generate_to_file(loaded, destination_path="texts.txt", length=8, nsamples=100)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert Path("texts.txt").stat().st_size > 19_000_000
    assert most < 5_000_000


def test_a_single_text_has_no_delimiter(loaded: Session, capsys: Captured) -> None:
    (expected,) = written(loaded)
    gpt2.generate(loaded, length=8, seed=2)
    assert capsys.readouterr().out == f"{expected}\n"
    gpt2.generate(loaded, length=8, seed=2, destination_path="text.out")
    assert Path("text.out").read_bytes().decode("utf-8") == f"{expected}\n"
    gpt2.generate(loaded, length=8, seed=2, prefix=["What", "How"])  # one for each is two
    assert capsys.readouterr().out.count(DELIMITER) == 2


def test_a_file_has_the_printed_texts_and_a_progress_bar_is_shown(
    loaded: Session, capsys: Captured
) -> None:
    expected = written(loaded, nsamples=3)
    gpt2.generate_to_file(loaded, length=8, seed=2, nsamples=3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"generating: 100%.* 3/3", shown.err)
    content = Path("gpt_2_gen_texts.txt").read_bytes().decode("utf-8")
    assert content == "".join(f"{text}\n{DELIMITER}" for text in expected)


def test_a_file_and_a_list(loaded: Session) -> None:
    expected = written(loaded, nsamples=2)
    assert written(loaded, nsamples=2, destination_path="out/texts.txt") == expected
    content = Path("out/texts.txt").read_bytes().decode("utf-8")
    assert content == "".join(f"{text}\n{DELIMITER}" for text in expected)


def test_texts_are_in_the_order_of_their_prompts(loaded: Session, capsys: Captured) -> None:
    prefixes = ["What is", "How", " the best people", "I"]
    options: dict[str, Any] = {"nsamples": 3, "batch_size": 4, "truncate": "e"}
    finished = [
        text.index
        for text in loaded.generate(prefixes, SamplingConfig(length=8, seed=2, **options))
    ]
    assert finished != sorted(finished), "these texts finish in order: take another seed"
    texts = written(loaded, prefix=prefixes, **options)
    assert len(texts) == 12
    for order, text in enumerate(texts):
        assert text.startswith(prefixes[order // 3])
    gpt2.generate(loaded, length=8, seed=2, prefix=prefixes, **options)
    expected = "".join(f"{text}\n{DELIMITER}" for text in texts)
    assert capsys.readouterr().out == expected
    gpt2.generate(loaded, length=8, seed=2, prefix=prefixes, destination_path="t", **options)
    assert Path("t").read_bytes().decode("utf-8") == expected


def test_an_error_before_the_first_text_keeps_an_existing_file(loaded: Session) -> None:
    Path("texts.txt").write_text("older")
    with pytest.raises(OptionError, match="the prefix has .* tokens"):
        gpt2.generate_to_file(loaded, destination_path="texts.txt", prefix="What is", length=2)
    with pytest.raises(OptionError, match="temperature"):
        gpt2.generate_to_file(loaded, destination_path="texts.txt", temperature=-1)
    assert Path("texts.txt").read_text() == "older"


def test_a_batch_size_of_none_is_one(loaded: Session) -> None:
    assert written(loaded, batch_size=None) == written(loaded)


def test_a_text_or_a_list_of_texts_is_scored(loaded: Session) -> None:
    score = gpt2.score(loaded, "What is the best?")
    assert isinstance(score, TextScore)
    assert score.text == "What is the best?"
    assert len(score.tokens) == len(score.ids) == len(score.logprobs)
    assert score.perplexity > 1
    both = gpt2.score(loaded, ["What is the best?", "How?"], model_name="toy", stride=4)
    assert isinstance(both, list)
    assert both[0].total == pytest.approx(score.total, rel=1e-5)
    assert [each.text for each in both] == ["What is the best?", "How?"]


@pytest.mark.parametrize("text", [[], 5, [5]])
def test_only_texts_are_scored(loaded: Session, text: Any) -> None:
    with pytest.raises(OptionError, match="text must be a str"):
        gpt2.score(loaded, text)
    with pytest.raises(DatasetError, match="empty text"):
        gpt2.score(loaded, "")


def test_an_empty_prompt_is_the_same_as_none(loaded: Session) -> None:
    assert written(loaded, prefix="") == written(loaded) == written(loaded, prefix=[""])
    with pytest.raises(OptionError, match="prefix must be a string or a list of strings"):
        written(loaded, prefix=[])
    for wrong in (5, [5], b"What"):
        with pytest.raises(OptionError):
            written(loaded, prefix=wrong)


def test_a_run_of_a_table_says_which_option_generates_rows(capsys: Captured) -> None:
    write_model()
    write_text("titles.csv", "title\n" + "What is the best thing?\n" * 40)
    tf.config.run_functions_eagerly(True)
    train("titles.csv", steps=1)
    tf.config.run_functions_eagerly(False)
    session = gpt2.start_tf_sess()
    options: dict[str, Any] = {"length": 24, "seed": 2}
    gpt2.generate(session, **options)
    shown = capsys.readouterr()
    assert 'pass prompt_prefix="<|startoftext|>"' in shown.err
    assert "prompt_prefix" not in shown.out
    for decided in ("<|startoftext|>", ""):
        gpt2.generate(session, prompt_prefix=decided, prefix="What", **options)
    gpt2.generate(session, prefix="<|startoftext|>", **options)
    assert "prompt_prefix" not in capsys.readouterr().err


# --- Which model generates


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


# --- Finetuning

FEW = {name: value for name, value in SHORT.items() if name != "batch_size"}


@pytest.mark.usefixtures("uncompiled")
def test_a_finetuned_model_stays_loaded_without_its_optimizer() -> None:
    def variables() -> int:
        return sum(isinstance(thing, tf.Variable) for thing in gc.get_objects())

    gc.collect()
    before = variables()
    session = gpt2.start_tf_sess()
    gpt2.finetune(session, "text.txt", **{**FEW, "optimizer": "adam", "steps": 1})
    assert holds(session) == "checkpoint/run1"
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
