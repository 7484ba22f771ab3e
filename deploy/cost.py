"""Estimates the monthly cost on Cloud Run from the measured throughput.

    python deploy/cost.py            # print the table of deploy/README.md
    python deploy/cost.py --write    # update it there

With request-based billing, an instance costs money while it has at least one request. The same
number of texts therefore costs most if requests come one at a time, and least if they come at once.
The throughput is that of benchmarks/load.json, on two cores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from page_section import PageSection

HERE = Path(__file__).parent
LOAD = HERE.parent / "benchmarks" / "load.json"

# cloud.google.com/run/pricing, tier 1, in US dollars; read in November 2026.
VCPU_SECOND, GIB_SECOND, MILLION_REQUESTS = 0.000024, 0.0000025, 0.40
FREE_VCPU_SECONDS, FREE_GIB_SECONDS, FREE_REQUESTS = 180_000, 360_000, 2_000_000
# The prices of an idle instance, which --min-instances keeps.
IDLE_VCPU_SECOND, IDLE_GIB_SECOND = 0.0000025, 0.0000025
SECONDS_PER_MONTH = 30 * 24 * 3600
TEXTS_PER_MONTH = (1_000, 1_000_000)


@dataclass(frozen=True)
class Instance:
    """An instance and its throughput in texts per second."""

    vcpus: int
    gib: float
    rate_1: float  # with one client
    rate_16: float  # with 16 clients


def monthly_cost(texts: int, rate: float, instance: Instance) -> float:
    """Return the dollars for a number of texts per month at `rate` texts per second.

    The free tier is subtracted.

    >>> monthly_cost(1_000, 1.0, Instance(2, 1.0, 1.0, 1.0))
    0.0
    """
    seconds = texts / rate
    cpu = max(0.0, seconds * instance.vcpus - FREE_VCPU_SECONDS) * VCPU_SECOND
    memory = max(0.0, seconds * instance.gib - FREE_GIB_SECONDS) * GIB_SECOND
    requests = max(0, texts - FREE_REQUESTS) / 1e6 * MILLION_REQUESTS
    return cpu + memory + requests


def idle_cost(instance: Instance) -> float:
    """Return the dollars per month for one idle instance (`--min-instances 1`)."""
    return SECONDS_PER_MONTH * (instance.vcpus * IDLE_VCPU_SECOND + instance.gib * IDLE_GIB_SECOND)


def measured() -> Instance:
    """Return the instance that deploy/README.md recommends for `tiny`."""
    load = json.loads(LOAD.read_text(encoding="utf-8"))
    rates = {row["clients"]: row["texts per second"] for row in load["batched"]}
    return Instance(2, 1.0, rates[1], rates[16])


def table() -> str:
    """Return the costs as a Markdown table."""
    instance = measured()
    lines = ["| texts per month | one client | 16 clients |", "|---|---|---|"]
    for texts in TEXTS_PER_MONTH:
        costs = (
            monthly_cost(texts, rate, instance) for rate in (instance.rate_1, instance.rate_16)
        )
        lines.append(f"| {texts:,} | " + " | ".join(f"${cost:,.2f}" for cost in costs) + " |")
    lines.append(
        f"\nThe throughput is {instance.rate_1:g} and {instance.rate_16:g} texts per second on "
        f"{instance.vcpus} vCPUs and {instance.gib:g} GiB. The free tier is subtracted. An "
        "instance that is always on (`--min-instances 1`) adds "
        f"${idle_cost(instance):,.2f}."
    )
    return "\n".join(lines)


SECTION = PageSection(
    HERE / "README.md", "<!-- costs: made by deploy/cost.py -->", "<!-- end of costs -->", table
)

if __name__ == "__main__":
    SECTION.main(__doc__.partition("\n")[0])
