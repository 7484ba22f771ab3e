"""A button that measures how fast this machine generates and finetunes."""

from __future__ import annotations

from html import escape

import ipywidgets as widgets

from gpt2_helpers.bench.config import BenchConfig
from gpt2_helpers.bench.machine import describe
from gpt2_helpers.bench.measure import WorkloadResult, bench
from gpt2_helpers.bench.report import as_lines
from gpt2_helpers.bench.workload import Workload
from gpt2_helpers.config import RunConfig
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.style import message, style_sheet

_HELP = "Takes about two minutes. Nothing else should be running during that time."


def measure_speed(model_name: str = "124M", model_dir: str = "models") -> widgets.VBox:
    """Return a button that runs the quick form of `gpt2-helpers bench`, and shows its table.

    Args:
        model_name: The model to measure; random weights of its shape if it is not downloaded.
        model_dir: Folder with the pretrained models.

    Example:
        display(forms.measure_speed("355M"))
    """
    status, table = widgets.HTML(message("note", _HELP)), widgets.HTML()

    def measure() -> None:
        table.value = ""
        results = []
        for found in bench(
            BenchConfig(quick=True), RunConfig(model_name=model_name, model_dir=model_dir)
        ):
            if isinstance(found, Workload):
                status.value = message("note", f"Measuring: {found.title}")
            else:
                results.append(found)
                table.value = _table(results)
        status.value = message("note", f"{model_name} on {describe()['name']}")

    action = ActionButton("Measure this machine", measure)
    box = widgets.VBox([style_sheet(), action.button, action.message, status, table])
    box.add_class("gpt2-form")
    return box


def _table(results: list[WorkloadResult]) -> str:
    lines = escape("\n".join(as_lines(results)))
    return f'<pre style="overflow-x: auto">{lines}</pre>'
