"""The machines of a distributed training, from the environment variable TF_CONFIG.

Vertex AI, Kubeflow and others set it on each machine, in TensorFlow's format [1]: a JSON object
with the addresses of all machines and the place of this one.

[1] https://www.tensorflow.org/api_docs/python/tf/distribute/cluster_resolver/TFConfigClusterResolver
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt2_helpers.errors import OptionError, brief_repr

VARIABLE = "TF_CONFIG"
_JOBS = ("chief", "worker")  # in the order of TensorFlow's replicas


@dataclass(frozen=True)
class Cluster:
    """The workers that train together.

    Attributes:
        names: Their names in TF_CONFIG, such as "chief" or "worker 1". The first one is the chief.
        addresses: Their addresses, "host:port".
        index: The number of this worker in both.
    """

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the run folder, samples and events."""
        return self.index == 0

    def describe(self, index: int) -> str:
        """Name and address of a worker, such as "worker 1 (10.0.0.2:2222)"."""
        return f"{self.names[index]} ({self.addresses[index]})"


def read_cluster(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """Read TF_CONFIG.

    Args:
        environment: The environment variables (default: those of this process).

    Returns:
        The cluster; None if this process trains alone.

    Raises:
        OptionError: TF_CONFIG is invalid, or has machines of other kinds than workers.

    Example:
        >>> read_cluster({"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]},'
        ...     '"task": {"type": "worker", "index": 1}}'})
        Cluster(names=('worker 0', 'worker 1'), addresses=('a:1', 'b:1'), index=1)
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs = {str(job): _hosts(hosts) for job, hosts in config.get("cluster", {}).items()}
        task: Any = config.get("task", {})
        job, index = str(task.get("type", "worker")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise OptionError(
            f"{VARIABLE} must be a JSON object with the fields cluster and task, got "
            f"{brief_repr(text)} ({error})"
        ) from None
    if sum(map(len, jobs.values())) < 2:
        return None
    if other := sorted(jobs.keys() - set(_JOBS)):
        raise OptionError(
            f"{VARIABLE} may list the jobs {' and '.join(_JOBS)}, got {', '.join(other)} too: "
            "training needs no parameter servers and no evaluator"
        )
    tasks = [(job, number) for job in _JOBS for number in range(len(jobs.get(job, [])))]
    if (job, index) not in tasks:
        raise OptionError(
            f"{VARIABLE} says that this machine is {job} {index}, which its cluster does not list"
        )
    names = tuple(job if job == "chief" else f"{job} {number}" for job, number in tasks)
    addresses = tuple(jobs[job][number] for job, number in tasks)
    return Cluster(names, addresses, tasks.index((job, index)))


def _hosts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"the machines of a job must be a list, got {brief_repr(value)}")
    return [str(host) for host in value]


def is_chief() -> bool:
    """Whether this process writes the results of a training: alone, or as the chief of a cluster.

    Raises:
        OptionError: TF_CONFIG is invalid.
    """
    cluster = read_cluster()
    return cluster is None or cluster.is_chief
