"""What `make load-test` measures and writes, on a server of its own for a moment."""

from __future__ import annotations

import asyncio

import load


def test_clients_are_counted_and_memory_is_watched() -> None:
    with load.server("--batch-size", "4") as (address, pid):
        found = load.Load(clients=2)
        for _ in range(2):
            asyncio.run(load.load(address, found, seconds=0.7))
        memory = asyncio.run(load.many(address, pid, requests=40))
    assert len(found.rates) == 2
    assert min(found.rates) > 0
    assert len(found.latencies) >= 4
    assert 0 < min(found.first_pieces) <= max(found.first_pieces) < max(found.latencies) * 5
    assert [number for number, _ in memory[:-1]] == sorted(number for number, _ in memory[:-1])
    assert memory[-1][0] == 40
    assert 20 < memory[-1][1] < 2000
    head, line, row = load.table([found]).splitlines()
    assert head.count("|") == line.count("|") == row.count("|") == 8
    assert row.startswith("| 2 | ")


def test_shares_are_taken_from_the_sorted() -> None:
    one = load.Load(1, [2.0, 5.0, 1.0], [4.0, 1.0, 3.0, 2.0], [0.5])
    assert one.told()["texts a second"] == 2.0
    assert one.told()["of"] == [1.0, 5.0]
    assert load.ratios(one, load.Load(1, [1.0, 2.0, 2.0])) == [2.0, 2.5, 0.5]
    assert one.told()["latency, 95 %"] == 4.0
    assert one.told()["latency, median"] == 2.5
