"""The workloads have consistent names, targets and units."""

from __future__ import annotations

from workloads import BASELINES, MOST_LIKELY, WORKLOADS


def test_names_are_unique() -> None:
    names = [workload.name for workload in (*WORKLOADS, MOST_LIKELY)]
    assert len(set(names)) == len(names)


def test_every_workload_has_targets_for_known_baselines() -> None:
    for workload in WORKLOADS:
        assert workload.targets
        assert workload.targets.keys() <= set(BASELINES)


def test_rates_are_per_second_and_the_others_are_amounts() -> None:
    for workload in WORKLOADS:
        assert workload.unit.endswith("/s") != workload.lower_is_better or workload.unit == "s"
