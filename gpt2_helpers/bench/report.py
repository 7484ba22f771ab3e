"""The results of `gpt2-helpers bench` as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpt2_helpers.bench.measure import OURS, WorkloadResult
from gpt2_helpers.bench.workload import Workload
from gpt2_helpers.system.tables import aligned


def as_lines(results: Sequence[WorkloadResult]) -> list[str]:
    """The results as a table with a row for each value, and a column for each library.

    Args:
        results: Of all workloads.
    """
    libraries = list(results[0].libraries)
    has_peer = len(libraries) > 1
    head = ["", *libraries, *(["ratio"] if has_peer else []), ""]
    rows = [row for result in results for row in _rows(result, libraries, has_peer)]
    return [*aligned([head, *rows]), *_agreement_lines(results)]


def as_json(results: Sequence[WorkloadResult]) -> list[dict[str, Any]]:
    """The results with every round, for JSON."""
    return [
        {
            "workload": result.workload.name,
            "title": result.workload.title,
            "unit": result.workload.unit,
            "libraries": {
                name: {
                    "median": found.value(result.workload),
                    "first_seconds": found.first_seconds,
                    "rounds": found.rounds,
                    "error": found.error or None,
                }
                for name, found in result.libraries.items()
            },
        }
        for result in results
    ]


def _rows(result: WorkloadResult, libraries: Sequence[str], has_peer: bool) -> list[list[str]]:
    workload = result.workload
    if workload.kind == "agreement":
        return []
    values = [result.libraries[name].value(workload) for name in libraries]
    errors = [f"{name}: {found.error}" for name, found in result.libraries.items() if found.error]
    rows = [_row(workload.title, values, workload.unit, has_peer, workload.lower_is_better)]
    rows[0][-1] = "; ".join([rows[0][-1], *errors])
    if workload.kind == "finetune":
        first = [result.libraries[name].first_seconds or None for name in libraries]
        rows.append(_row("first finetuning step", first, "s", has_peer))
    if workload.is_training:
        for key, title in (("peak_gb", "peak memory"), ("peak_gpu_gb", "peak memory on the GPU")):
            peaks = [result.libraries[name].peak(key) for name in libraries]
            if any(peaks):
                rows.append(_row(f"{title} of finetuning", peaks, "GB", has_peer))
    return rows


def _row(
    title: str,
    values: Sequence[float | None],
    unit: str,
    has_peer: bool,
    lower_is_better: bool = True,
) -> list[str]:
    cells = [_number(value) for value in values]
    if has_peer:
        ours, theirs = values
        ratio = "-"
        if ours and theirs:
            ratio = f"{theirs / ours if lower_is_better else ours / theirs:.2f}"
        cells.append(ratio)
    return [title, *cells, unit]


def _number(value: float | None) -> str:
    """Three digits.

    >>> [_number(value) for value in (1234.5, 12.34, 0.1234, None)]
    ['1,234', '12.3', '0.123', '-']
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _agreement_lines(results: Sequence[WorkloadResult]) -> list[str]:
    lines = []
    for result in results:
        if result.workload.kind != "agreement":
            continue
        found = result.libraries[OURS]
        if found.error:
            lines += ["", f"{result.workload.title}: {found.error}"]
        for values in found.rounds:
            lines += ["", agreement_line(result.workload, values)]
    return lines


def agreement_line(workload: Workload, values: dict[str, Any]) -> str:
    """How the logits of this device differ from those of fp32 on the processor."""
    return (
        f"{workload.title}: {values['precision']}, largest difference "
        f"{values['max_difference']:.2g} where their standard deviation is "
        f"{values['deviation']:.2g}; the most likely token is the same at "
        f"{values['same_most_likely']:.0%} of the positions"
    )
