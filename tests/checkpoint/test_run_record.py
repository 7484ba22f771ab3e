"""`run.json`: round trips, missing and damaged files, other versions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gpt2_helpers.checkpoint.run_record import RunRecord, installed_versions
from gpt2_helpers.errors import CheckpointError


def test_a_round_trip(tmp_path: Path) -> None:
    record = RunRecord(
        dataset="titles.csv", checkpoints=[10, 20], losses=[(1, 3.5)], validation_losses=[(2, 3.0)]
    )
    record.save(tmp_path)
    assert RunRecord.load(tmp_path) == record


def test_a_run_without_a_record_has_an_empty_one(tmp_path: Path) -> None:
    assert RunRecord.load(tmp_path) == RunRecord()


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"losses": 5}', '{"losses": [[1]]}', '{"losses": [["a", 1]]}']
)
def test_a_damaged_record_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    message = f"{tmp_path / 'run.json'} cannot be read: "
    with pytest.raises(CheckpointError, match=re.escape(message)):
        RunRecord.load(tmp_path)


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
