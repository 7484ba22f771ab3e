"""The curves of training on several workers, from made-up results."""

from __future__ import annotations

import pytest

from scaling.workers import Result, curves, loopback_bytes


def result(workers: int, speed: float, rank: int = 0, sent: float = 0.0) -> Result:
    return Result(workers, 4, rank, 100 if rank else 1000, speed, 1.0, sent)


def test_speeds_are_compared_with_one_worker_on_the_cores_that_there_are() -> None:
    rounds = [
        [result(1, 10.0), result(2, 18.0, sent=4100.0), result(4, 16.0, sent=6200.0)],
        [result(1, 12.0), result(2, 22.0, sent=4100.0), result(4, 18.0, sent=6200.0)],
        [result(1, 11.0), result(2, 20.0, sent=4100.0), result(4, 17.0, sent=6200.0)],
    ]
    rounds[0] += [result(2, 15.0, rank=2, sent=420.0)]
    speed, cost, sent = curves(rounds, cores=2)
    (series,) = speed.series
    assert [point.x for point in series.points] == [1, 2, 4]
    assert [point.measured for point in series.points] == [11.0, 20.0, 17.0]
    assert [point.limit for point in series.points] == [11.0, 22.0, 22.0]
    assert [point.limit for point in cost.series[0].points] == [1.0] * 3
    everything, adapters = sent.series
    assert [point.measured for point in everything.points] == [0.004, 0.006]
    assert [point.limit for point in everything.points] == [0.004, 0.006]
    assert [point.limit for point in adapters.points] == [0.0]  # 400 bytes in MB
    assert sent.limit_name == "estimate"


def test_a_machine_without_a_loopback_device_is_an_error() -> None:
    with pytest.raises(SystemExit, match="no loopback device"):
        loopback_bytes("eth0: 5 1 0 0 0 0 0 0 6 1")
