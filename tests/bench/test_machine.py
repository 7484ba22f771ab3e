"""What a measurement ran on."""

from __future__ import annotations

from gpt2_helpers.bench.machine import describe
from gpt2_helpers.system import device


def test_the_device_and_the_versions_are_named() -> None:
    found = describe()
    assert found["name"] == device.name()
    assert found["precision"]["training"] == device.choose_precision()
    assert {"Python", "tensorflow", "numpy"} <= found["versions"].keys()
    assert "\n" not in found["name"]
