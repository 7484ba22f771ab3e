"""What a month on Cloud Run costs, from the texts a second that were measured.

    python deploy/cost.py            # prints the table of deploy/README.md
    python deploy/cost.py --write    # writes it there

Billed is the time in which an instance has at least one request (request-based billing). So the
same month costs most where readers come one by one, and least where they come together. Texts a
second are those of benchmarks/load.json, on two cores.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"
LOAD = HERE.parent / "benchmarks" / "load.json"
BEGIN, END = "<!-- costs: made by deploy/cost.py -->", "<!-- end of costs -->"

# cloud.google.com/run/pricing, tier 1, in US dollars; read in November 2026.
VCPU_SECOND, GIB_SECOND, MILLION_REQUESTS = 0.000024, 0.0000025, 0.40
FREE_VCPU_SECONDS, FREE_GIB_SECONDS, FREE_REQUESTS = 180_000, 360_000, 2_000_000
# An instance that is kept for the first reader costs less while nobody asks.
IDLE_VCPU_SECOND, IDLE_GIB_SECOND = 0.0000025, 0.0000025
MONTH = 30 * 24 * 3600
TEXTS = (1_000, 1_000_000)


@dataclass(frozen=True)
class Instance:
    """What one instance has, and how many texts a second it writes."""

    vcpus: int
    gib: float
    alone: float  # one reader at a time
    together: float  # 16 at once


def month(texts: int, rate: float, instance: Instance) -> float:
    """Dollars for so many texts a month at `rate` texts a second, beyond what is free.

    >>> month(1_000, 1.0, Instance(2, 1.0, 1.0, 1.0))
    0.0
    """
    seconds = texts / rate
    cpu = max(0.0, seconds * instance.vcpus - FREE_VCPU_SECONDS) * VCPU_SECOND
    memory = max(0.0, seconds * instance.gib - FREE_GIB_SECONDS) * GIB_SECOND
    requests = max(0, texts - FREE_REQUESTS) / 1e6 * MILLION_REQUESTS
    return cpu + memory + requests


def idle(instance: Instance) -> float:
    """Dollars a month for one instance that is always there (`--min-instances 1`) and not asked."""
    return MONTH * (instance.vcpus * IDLE_VCPU_SECOND + instance.gib * IDLE_GIB_SECOND)


def measured() -> Instance:
    """The instance that deploy/README.md recommends for `tiny`, as fast as was measured."""
    load = json.loads(LOAD.read_text(encoding="utf-8"))
    rates = {row["clients"]: row["texts a second"] for row in load["side by side"]}
    return Instance(2, 1.0, rates[1], rates[16])


def table() -> str:
    """The costs as a table of Markdown."""
    instance = measured()
    lines = ["| texts a month | one reader at a time | 16 at once |", "|---|---|---|"]
    for texts in TEXTS:
        costs = (month(texts, rate, instance) for rate in (instance.alone, instance.together))
        lines.append(f"| {texts:,} | " + " | ".join(f"${cost:,.2f}" for cost in costs) + " |")
    lines.append(
        f"\nAt {instance.alone:g} and {instance.together:g} texts a second on "
        f"{instance.vcpus} vCPUs and {instance.gib:g} GiB, after the free tier; one instance that "
        f"is always there adds ${idle(instance):,.2f}."
    )
    return "\n".join(lines)


def put_into(readme: str) -> str:
    """The README with the table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="into deploy/README.md")
    if parser.parse_args().write:
        README.write_text(put_into(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table())


if __name__ == "__main__":
    main()
