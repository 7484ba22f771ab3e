"""Notebook setup: starts TensorFlow and shows the hardware."""

from __future__ import annotations

import ipywidgets as widgets

from gpt2_helpers.forms.widgets.html import show
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.system.tensorflow_setup import load_tensorflow


def start() -> None:
    """Start TensorFlow, which takes a few seconds, and show the hardware.

    Example:
        forms.start()
    """
    load_tensorflow()

    from gpt2_helpers.system.device import describe, gpus, name

    lines = "".join(message("note", line) for line in describe())
    heading = f"Ready, with the GPU {name()}" if gpus() else "Ready, without a GPU"
    show(widgets.HTML(message("heading", heading) + lines))
