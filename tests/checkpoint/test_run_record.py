"""`run.json`: round trips, missing and damaged files, other versions."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import pytest

from gpt2_helpers.checkpoint import run_record
from gpt2_helpers.checkpoint.run_record import RECORD_FILE, RunRecord, installed_versions
from gpt2_helpers.errors import CheckpointError


def test_a_round_trip(tmp_path: Path) -> None:
    record = RunRecord(
        dataset="titles.csv", checkpoints=[10, 20], losses=[(1, 3.5)], validation_losses=[(2, 3.0)]
    )
    record.save(tmp_path)
    assert RunRecord.load(tmp_path) == record


def test_a_run_without_a_record_has_an_empty_one(tmp_path: Path) -> None:
    assert RunRecord.load(tmp_path) == RunRecord()


JSON_VALUES: list[Any] = [
    None,
    True,
    -1,
    2.5,
    10**400,
    "text",
    "\x1b[31m",
    [],
    [1],
    [[1]],
    [[1, 2, 3]],
    [["a", 1]],
    [[1, 10**400]],
    [[1.5, 2.5]],
    [[10**300, 2.5]],
    {},
    {"a": [1]},
    {"validation": [1]},
    {"validation": 10**400},
]


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RunRecord)])
@pytest.mark.parametrize("value", JSON_VALUES, ids=lambda value: str(value)[:20])
def test_any_value_in_any_field_is_read_or_rejected(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / "run.json").write_text(json.dumps({name: value}))
    try:
        record = RunRecord.load(tmp_path)
    except CheckpointError as error:
        message = str(error)
        assert f"{tmp_path / 'run.json'} cannot be read: invalid value in {name}" in message
        assert len(message) < 600
        return
    hint = get_type_hints(RunRecord)[name]
    kind = get_origin(hint) or hint
    assert isinstance(getattr(record, name), str | None if name == "prompt_prefix" else kind)
    record.save(tmp_path)
    assert RunRecord.load(tmp_path) == record


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "5",
        "{",
        '{"losses": 5}',
        '{"losses": [[1]]}',
        '{"losses": [["a", 1]]}',
        "[" * 200_000,
        '{"dataset": ' + "[" * 200_000,
        '{"dataset_tokens": ' + "9" * 5000 + "}",
    ],
    ids=lambda content: content[:30],
)
def test_a_damaged_record_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(CheckpointError) as caught:
        RunRecord.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'run.json'} cannot be read: ")
    assert str(caught.value).endswith("; move it away to continue without it")


def test_losses_that_are_not_numbers_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(
        '{"losses": [[1, 3.5], [2, NaN], [3, 1e400], [4, 1e300], [5, 2]]}'
    )
    assert RunRecord.load(tmp_path).losses == [(1, 3.5), (5, 2.0)]


def test_strings_have_no_control_characters(tmp_path: Path) -> None:
    record = RunRecord("a\x1b[2J.txt", base_model="124M\n", versions={"py\x07": "3\x1b"})
    record.save(tmp_path)
    found = RunRecord.load(tmp_path)
    assert found.dataset == "a\\x1b[2J.txt"
    assert found.base_model == "124M\\n"
    assert found.versions == {"py\\x07": "3\\x1b"}


def test_invalid_options_are_ignored(tmp_path: Path) -> None:
    values = {"steps": "many", "batch_size": 2, "learning_rate": [1], "lora_rank": -1, "new": {}}
    (tmp_path / "run.json").write_text(json.dumps({"parameters": values}))
    assert RunRecord.load(tmp_path).parameters == {"batch_size": 2, "new": {}}


def test_a_huge_or_special_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "run.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="larger than"):
        RunRecord.load(tmp_path)
    if hasattr(os, "mkfifo"):
        (tmp_path / "run.json").unlink()
        os.mkfifo(tmp_path / "run.json")
        with pytest.raises(CheckpointError, match="not a regular file"):
            RunRecord.load(tmp_path)


def test_the_losses_of_a_long_training_are_thinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_record, "MAX_LOSSES", 100)
    for count in (100, 101, 250, 1000):
        losses = [(step, abs(777 - step) + 0.5) for step in range(1, count + 1)]
        RunRecord(losses=losses, validation_losses=losses).save(tmp_path)
        record = RunRecord.load(tmp_path)
        assert record.losses == record.validation_losses
        assert 50 < len(record.losses) <= 100
        assert set(record.losses) <= set(losses)
        assert record.losses == sorted(record.losses)
        assert record.losses[0] == losses[0]
        assert record.losses[-1] == losses[-1]
        assert min(losses, key=lambda pair: pair[1]) in record.losses


def test_unknown_values_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    RunRecord(dataset="titles.csv").save(tmp_path)
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "something new": 1}))
    assert RunRecord.load(tmp_path).dataset == "titles.csv"


def test_losses_of_steps_that_were_not_saved_are_forgotten() -> None:
    record = RunRecord(
        losses=[(1, 3.0), (2, 2.0), (3, 1.0)], validation_losses=[(2, 5.0), (3, 4.0)]
    )
    record.forget_after(2)
    assert record.losses == [(1, 3.0), (2, 2.0)]
    assert record.validation_losses == [(2, 5.0)]


def test_epochs_need_the_size_of_the_data() -> None:
    assert RunRecord(dataset_tokens=100, tokens_per_step=20).epochs(10) == 2
    assert RunRecord().epochs(10) is None


def test_epochs_do_not_count_steps_on_earlier_data() -> None:
    record = RunRecord(
        dataset_tokens=100, tokens_per_step=20, earlier_datasets=[("old.txt", None, 5)]
    )
    assert record.epochs(10) == 1
    assert record.epochs(3) == 0


def test_datasets_are_compared_by_path_or_if_one_is_gone_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    record = RunRecord(dataset="a.csv", parameters={"column": "title"})
    assert record.is_trained_on(tmp_path / "a.csv")
    assert record.is_trained_on("./a.csv", "title")
    assert not record.is_trained_on("a.csv", "text")
    assert not record.is_trained_on("elsewhere/a.csv")
    assert not record.is_trained_on("b.csv")
    moved = RunRecord(dataset="/content/a.csv")
    assert moved.is_trained_on("a.csv")
    assert RunRecord().is_trained_on("a.csv")  # unknown


def test_the_versions_that_numbers_depend_on() -> None:
    assert installed_versions().keys() >= {"python", "tensorflow", "keras", "numpy"}


def test_unknown_options_that_are_nested_deeply_are_left_out(tmp_path: Path) -> None:
    deep = "[" * 700 + "]" * 700
    text = f'{{"parameters": {{"new": {deep}, "other": {{"a": [1]}}, "steps": 5}}}}'
    (tmp_path / RECORD_FILE).write_text(text)
    record = RunRecord.load(tmp_path)
    assert record.parameters == {"other": {"a": [1]}, "steps": 5}
    record.save(tmp_path)
    assert RunRecord.load(tmp_path) == record
