"""Paths in all public functions: `~`, names that are too long, and values that are no paths."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.google import drive
from gpt2_helpers.session import Session
from toy_runs import SHORT, save_run, write_model, write_text

# Calls that need the run1 and the model toy in the current folder.
CALLS: dict[str, dict[str, Any]] = {
    "finetune": {"dataset": "text.txt", **SHORT, "steps": 1},
    "generate": {"length": 9},
    "generate_to_file": {"length": 9},
    "load_gpt2": {},
    "encode_csv": {"csv_path": "titles.csv"},
    "encode_dataset": {"file_path": "text.txt", "model_name": "toy"},
    "download_gpt2": {"model_name": "tiny"},
    "is_gpt2_downloaded": {},
    "copy_checkpoint_to_gdrive": {},
    "copy_checkpoint_from_gdrive": {},
    "copy_file_to_gdrive": {"file_path": "text.txt"},
    "copy_file_from_gdrive": {"file_path": "text.txt"},
    "plot_loss": {},
}
NAMES = {
    *(
        "dataset",
        "file_path",
        "csv_path",
        "out_path",
        "destination_path",
        "model_dir",
        "model_name",
    ),
    *("checkpoint_dir", "run_name", "restore_from", "sample_dir", "validation_data"),
}
UNUSED = {  # accepted for compatibility with gpt-2-simple, or not used with these options
    ("generate", "sample_dir"),
    ("generate", "model_dir"),
    ("generate_to_file", "model_dir"),
    ("load_gpt2", "model_dir"),
    ("finetune", "model_dir"),
    ("finetune", "model_name"),
}
PARAMETERS = [
    (function, name)
    for function in CALLS
    for name in inspect.signature(getattr(gpt2, function)).parameters
    if name in NAMES and (function, name) not in UNUSED
]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    (tmp_path / "drive" / "MyDrive").mkdir(parents=True)
    monkeypatch.setenv(drive.MOUNT_VARIABLE, str(tmp_path / "drive"))


def call(function: str, name: str, value: Any) -> Any:
    arguments = {**CALLS[function], name: value}
    called: Callable[..., Any] = getattr(gpt2, function)
    if "sess" in inspect.signature(called).parameters:
        arguments["sess"] = Session()
    return called(**arguments)


@pytest.mark.parametrize(("function", "name"), PARAMETERS)
def test_what_no_disk_accepts_is_an_error_of_the_package(
    function: str, name: str, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    for value in ("x" * 300, "x/" * 40 + "y" * 5000, "a\0b", 5, b"bytes"):
        if name == "destination_path" or function == "plot_loss":
            save_run(losses=[(1, 2.0)])
        with pytest.raises(Gpt2Error) as caught:
            call(function, name, value)
        assert not {"\n", "\0"} & set(str(caught.value))
    if name != "destination_path" and function != "plot_loss":
        assert sorted(tmp_path.rglob("*")) == before


def test_the_home_folder_is_found_everywhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    save_run(checkpoint_dir=home / "runs", losses=[(1, 2.0)])
    model = write_model()
    (home / "models").mkdir()
    model.rename(home / "models" / "toy")
    write_text()
    Path("titles.csv").write_text("title\nWhat is best?\n")
    run: dict[str, Any] = {"checkpoint_dir": "~/runs"}
    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, **run)
    gpt2.generate(sess, **run, destination_path="~/new/out.txt", length=9)
    gpt2.encode_csv("titles.csv", "~/csv.txt")
    gpt2.encode_dataset("text.txt", "~/models", "~/text.npz", "toy")
    gpt2.plot_loss("run1", "~/runs", destination_path="~/loss.png")
    gpt2.copy_checkpoint_to_gdrive("run1", checkpoint_dir="~/runs")
    gpt2.copy_checkpoint_from_gdrive("run1", checkpoint_dir="~/other")
    gpt2.download_gpt2("~/models", "tiny")
    assert gpt2.is_gpt2_downloaded("~/models", "tiny")
    options: dict[str, Any] = {
        **SHORT,
        "steps": 1,
        "sample_every": 1,
        "sample_length": 5,
        "model_dir": "~/models",
    }
    gpt2.finetune(
        sess, "text.txt", **options, checkpoint_dir="~/new", sample_dir="~/samples",
        validation_data="~/csv.txt", restore_from="~/models/toy",
    )  # fmt: skip
    made = ["new/out.txt", "csv.txt", "text.npz", "loss.png", "other/run1/model-4.index"]
    made += ["models/tiny/hparams.json", "new/run1/model-1.index", "samples/run1/samples-1"]
    assert [name for name in made if not (home / name).is_file()] == []
    assert not Path("~").exists()
