"""The beginning of a notebook: TensorFlow is started, and what this machine has is shown."""

from __future__ import annotations

import ipywidgets as widgets

from gpt2_helpers.forms.widgets.html import show
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.system.tensorflow_setup import load_tensorflow


def start() -> None:
    """Start TensorFlow, which takes some seconds, and show this machine in a few lines.

    `forms.start()`
    """
    load_tensorflow()

    from gpt2_helpers.system.device import describe, gpus

    lines = "".join(message("note", line) for line in describe())
    ready = f"Ready, {'with' if gpus() else 'without'} a GPU"
    show(widgets.HTML(message("heading", ready) + lines))
