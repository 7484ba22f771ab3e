"""The workloads of a machine fit into the context of every model."""

from __future__ import annotations

import pytest

from gpt2_helpers.bench.workload import Workload, machine_workloads
from gpt2_helpers.config import PRETRAINED_CONFIGS, ModelConfig


@pytest.mark.parametrize("n_ctx", [8, 64, 256, 1024])
@pytest.mark.parametrize("quick", [True, False])
def test_every_workload_fits_into_the_context(n_ctx: int, quick: bool) -> None:
    works = machine_workloads(ModelConfig(n_ctx=n_ctx, n_embd=8, n_head=1, n_layer=1), quick)
    names = [work.name for work in works]
    assert len(set(names)) == len(names)
    for work in works:
        assert work.rounds >= 1
        assert 0 < work.prompt + work.length <= max(n_ctx, work.length)
        assert work.length <= max(n_ctx, 100)


def test_a_training_step_is_timed_after_one_that_compiles() -> None:
    steps = [work for work in machine_workloads(ModelConfig(), quick=False) if work.is_training]
    assert len(steps) == 2
    assert all(step.warms_up and step.unit == "s/step" for step in steps)


def test_gpt_2_reads_a_prompt_of_900_tokens() -> None:
    works = machine_workloads(PRETRAINED_CONFIGS["124M"], quick=True)
    (prompt,) = (work for work in works if work.name == "prompt")
    assert (prompt.prompt, prompt.length) == (900, 50)


@pytest.mark.parametrize(
    ("kind", "lower"),
    [("generate", False), ("texts", False), ("prompt", True), ("finetune", True), ("memory", True)],
)
def test_rates_are_better_when_higher_and_seconds_when_lower(kind: str, lower: bool) -> None:
    assert Workload("name", "title", kind, "unit").lower_is_better is lower
