"""The parameters of the public functions."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.config.bulk import BulkConfig
from gpt2_helpers.config.novelty import NoveltyConfig
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session
from toy_runs import write_model, write_text

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
            (SamplingConfig, BulkConfig, NoveltyConfig),
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
        "early_stopping_monitor": "validation_loss",
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
