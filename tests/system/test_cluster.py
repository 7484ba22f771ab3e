"""TF_CONFIG: which machines train together, and which one this is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.cluster import Cluster, is_chief, read_cluster


def environment(cluster: Any, task: Any, **more: Any) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task, **more})}


def test_workers_are_numbered_as_listed() -> None:
    hosts = {"worker": ["a:1", "b:2", "c:3"]}
    cluster = read_cluster(environment(hosts, {"type": "worker", "index": 2}))
    assert cluster == Cluster(("worker 0", "worker 1", "worker 2"), ("a:1", "b:2", "c:3"), 2)
    assert not cluster.is_chief
    assert cluster.describe(1) == "worker 1 (b:2)"


def test_a_chief_is_the_first_as_on_vertex_ai() -> None:
    hosts = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    more = {"environment": "cloud", "job": {"worker_count": 2}}
    chief = read_cluster(environment(hosts, {"type": "chief", "index": 0, "trial": ""}, **more))
    assert chief is not None
    assert chief.is_chief
    assert chief.addresses == ("a:1", "b:2", "c:3")
    second = read_cluster(environment(hosts, {"type": "worker", "index": 1}, **more))
    assert second is not None
    assert (second.index, second.names[2]) == (2, "worker 1")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"TF_CONFIG": " "},
        environment({"chief": ["a:1"]}, {"type": "chief", "index": 0}),
        environment({}, {}),
    ],
)
def test_one_machine_trains_alone(variables: dict[str, str]) -> None:
    assert read_cluster(variables) is None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TF_CONFIG": "{"}, "must be a JSON object with the fields cluster and task, got '{'"),
        ({"TF_CONFIG": "[]"}, "must be a JSON object"),
        ({"TF_CONFIG": '{"cluster": {"worker": 3}}'}, "must be a JSON object"),
        (environment({"worker": "a:1,b:1"}, {"index": 0}), "must be a list, got 'a:1,b:1'"),
        (environment({"worker": ["a:1", "b:1"]}, {"index": "x"}), "must be a JSON object"),
        (
            environment({"worker": ["a:1"], "ps": ["b:1"]}, {"type": "worker", "index": 0}),
            "may list the jobs chief and worker, got ps too",
        ),
        (
            environment({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 2}),
            "says that this machine is worker 2, which its cluster does not list",
        ),
    ],
)
def test_an_invalid_variable_is_explained(variables: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_cluster(variables)
    assert message in str(caught.value)


def test_a_process_alone_is_its_own_chief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert is_chief()
    hosts = {"worker": ["a:1", "b:2"]}
    for index in (0, 1):
        variables = environment(hosts, {"type": "worker", "index": index})
        monkeypatch.setenv("TF_CONFIG", variables["TF_CONFIG"])
        assert is_chief() == (index == 0)
