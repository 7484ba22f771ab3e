"""Our runs of the workloads of this machine; benchmarks/ tests the others."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from gpt2_helpers.bench import ours
from gpt2_helpers.bench.weights import bench_folder
from gpt2_helpers.bench.workload import Workload, machine_workloads
from gpt2_helpers.config import ModelConfig, RunConfig
from gpt2_helpers.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    temporary = tmp_path_factory.mktemp("bench")
    return bench_folder(RunConfig(model_name="tiny"), temporary, for_transformers=False)


def workload(folder: Path, name: str) -> Workload:
    works = machine_workloads(ModelConfig.load(folder), quick=False)
    return next(work for work in works if work.name == name)


def test_each_round_has_a_new_prompt_of_the_same_length(folder: Path) -> None:
    work = workload(folder, "prompt")
    prompts = list(itertools.islice(ours.prompts_of(work, folder), 3))
    assert {len(ids) for ids in prompts} == {work.prompt}
    assert len({ids[0] for ids in prompts}) == 3, "none starts like an earlier one"
    tokenizer = Tokenizer.load(folder)
    assert all(tokenizer.encode(tokenizer.decode(ids)) == ids for ids in prompts)


def test_a_round_of_keystrokes_types_a_letter_at_a_time(folder: Path) -> None:
    work = replace(workload(folder, "prompt"), prompt=20, keystrokes=3, length=2)
    tokenizer = Tokenizer.load(folder)
    typed = [tokenizer.decode(ids) for ids in itertools.islice(ours.prompts_of(work, folder), 6)]
    for first, second, third in (typed[:3], typed[3:]):
        assert first == second[:-1] == third[:-2]
    assert typed[0][:2] != typed[3][:2]
    assert 0 < ours.prepare(work, folder, "auto")() <= 6


def test_other_workloads_have_no_prompt(folder: Path) -> None:
    assert next(ours.prompts_of(workload(folder, "generate-1"), folder)) == []


def test_a_long_prompt_is_continued(folder: Path) -> None:
    work = workload(folder, "prompt")
    assert 0 < ours.prepare(work, folder, "auto")() <= work.length


@pytest.mark.parametrize(("precision", "difference"), [("float32", 1e-3), ("int8", 1.0)])
def test_the_logits_agree(folder: Path, precision: str, difference: float) -> None:
    values = ours.prepare(workload(folder, "agreement"), folder, precision)()
    assert values["precision"] == precision
    assert values["max_difference"] < difference
    assert values["deviation"] > 1.0
    assert values["same_most_likely"] >= (1.0 if precision == "float32" else 0.9)
