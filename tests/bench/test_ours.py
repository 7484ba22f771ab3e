"""Our runs of the workloads of this machine; benchmarks/ tests the others."""

from __future__ import annotations

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


def test_the_prompt_has_as_many_tokens_as_it_should(folder: Path) -> None:
    work = workload(folder, "prompt")
    ids = ours.prompt_ids(work, folder)
    assert len(ids) == work.prompt
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.encode(tokenizer.decode(ids)) == ids


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
