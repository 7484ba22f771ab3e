"""Notebook setup: the hardware below the first cell."""

from __future__ import annotations

from typing import Any

import pytest

from gpt2_helpers.forms.setup import start
from gpt2_helpers.forms.widgets import html
from gpt2_helpers.system import device
from widget_texts import markup, words

T4 = (device.Gpu("/GPU:0", "T4", 2**34, (7, 5)),)


@pytest.mark.parametrize(
    ("gpus", "heading"),
    [
        ((), "Ready, without a GPU"),
        ((device.Gpu("/GPU:0", "T4", 2**34, (7, 5)),), "Ready, with the GPU T4, 16.0 GB"),
    ],
    ids=["cpu", "gpu"],
)
def test_start_shows_the_hardware(
    gpus: tuple[device.Gpu, ...], heading: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    monkeypatch.setattr(device, "gpus", lambda: gpus)
    monkeypatch.setattr(device, "describe", lambda: ["8 cores", "<T4>"])
    start()
    (box,) = shown
    assert heading in words(box)
    assert "8 cores" in words(box)
    assert "&lt;T4&gt;" in markup(box)
