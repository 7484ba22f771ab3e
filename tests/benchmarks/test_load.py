"""The load test behind `make load-test`, on a server that runs for a moment."""

from __future__ import annotations

import asyncio

import load


def test_throughput_and_memory_are_measured() -> None:
    with load.server("--batch-size", "4") as (address, pid):
        measurement = load.Measurement(clients=2)
        for _ in range(2):
            asyncio.run(load.measure_round(address, measurement, seconds=0.7))
        memory = asyncio.run(load.measure_memory(address, pid, requests=40))
    assert len(measurement.rates) == 2
    assert min(measurement.rates) > 0
    assert len(measurement.latencies) >= 4
    assert len(measurement.first_texts) >= 4
    assert min(measurement.first_texts) > 0
    assert [answered for answered, _ in memory] == list(range(2, 41, 2))
    assert 20 < memory[-1][1] < 2000
    head, line, row = load.table([measurement]).splitlines()
    assert head.count("|") == line.count("|") == row.count("|") == 8
    assert row.startswith("| 2 | ")


def test_summary_has_medians_and_quantiles() -> None:
    measurement = load.Measurement(1, [2.0, 5.0, 1.0], [4.0, 1.0, 3.0, 2.0], [0.5])
    summary = measurement.summary()
    assert summary["texts per second"] == 2.0
    assert summary["range"] == [1.0, 5.0]
    assert summary["latency p50"] == 2.5
    assert summary["latency p95"] == 4.0
    baseline = load.Measurement(1, [1.0, 2.0, 2.0])
    assert load.speedups(measurement, baseline) == [2.0, 2.5, 0.5]
