"""Runs notebooks in a kernel and collects the visible output, including widgets.

A Machine is a folder with environment variables; later runs find the files of earlier ones. Knows
nothing about the content of the notebooks.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paths import ROOT

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
CELL_TIMEOUT = 900  # seconds
# Form values that make the notebooks fast.
VALUES = {
    "GPT2_MODEL_NAME": "tiny",
    "GPT2_RUN_NAME": "test",
    "GPT2_STEPS": "10",
    "GPT2_ACCUMULATE_GRADIENTS": "1",
    "GPT2_SAMPLE_EVERY": "5",
    "GPT2_SAMPLE_LENGTH": "20",
    "GPT2_LENGTH": "20",
    "GPT2_NSAMPLES": "2",
    "GPT2_BATCH_SIZE": "1",
    "GPT2_PROJECT": "my-project-1",
}
# Variables of the environment that must not reach the notebooks.
_FILTERED = re.compile("GPT2_|COLAB_|FAKE_COLAB_|BIGQUERY_|GOOGLE_")


def sources(path: Path, kind: str = "code") -> dict[str, str]:
    """Return the sources of the cells of a kind by ID, in order."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == kind}


@dataclass
class CellOutput:
    """The output of a finished cell."""

    text: str = ""  # printed text, values, and the text of visible widgets
    pictures: list[bytes] = field(default_factory=list)  # PNG
    error: str = ""  # as shown


Page = dict[str, CellOutput]


class Machine:
    """A folder with its own environment variables, in addition to VALUES."""

    def __init__(self, root: Path, variables: dict[str, str], path: Sequence[Path] = ()) -> None:
        self.folder = root / "notebooks"
        self.folder.mkdir(parents=True)
        kept = {k: v for k, v in os.environ.items() if not _FILTERED.match(k)}
        paths = [*map(str, (ROOT, *path)), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {
            **kept,
            "PYTHONPATH": os.pathsep.join(paths),
            "IPYTHONDIR": str(root / "ipython"),
            **VALUES,
            **variables,
        }

    def run(self, name: str, **variables: str) -> Page:
        """Run a notebook in a new kernel, up to the first cell that fails."""
        with self.kernel(**variables) as kernel:
            return kernel.run(name)

    @contextmanager
    def kernel(self, **variables: str) -> Iterator[Kernel]:
        kernel = Kernel(self.folder, {**self.environment, **variables})
        try:
            yield kernel
        finally:
            kernel.close()


class Kernel:
    """A kernel and the state of its widgets."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        from nbval.kernel import (  # type: ignore[import-untyped]
            CURRENT_ENV_KERNEL_NAME,
            start_new_kernel,
        )

        self._widgets: dict[str, dict[str, Any]] = {}
        self._manager, self._client = start_new_kernel(
            startup_timeout=CELL_TIMEOUT,
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            cwd=str(folder),
            env=environment,
        )

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, name: str) -> Page:
        """Run the cells of a notebook, up to the first that fails."""
        page: Page = {}
        for cell, source in sources(ROOT / "notebooks" / f"{name}.ipynb").items():
            page[cell] = self.run_cell(source)
            if page[cell].error:
                break
        return page

    def run_cell(self, source: str) -> CellOutput:
        """Run a cell and return its final output."""
        outputs: list[dict[str, Any]] = []

        def on_message(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind in ("comm_open", "comm_msg", "comm_close"):
                self._update_widget(kind, content, message.get("buffers") or [])
            elif kind == "clear_output":
                outputs.clear()
            elif kind in ("display_data", "execute_result", "error"):
                outputs.append(content)
            elif kind == "stream" and content["name"] == "stdout":
                outputs.append({"data": {"text/plain": content["text"]}})

        reply = self._client.execute_interactive(
            source, allow_stdin=False, timeout=CELL_TIMEOUT, output_hook=on_message
        )["content"]
        shown = CellOutput()
        for content in outputs:
            if "data" in content:
                self._add_output(content["data"], shown)
            else:
                shown.error = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content["traceback"]))
        assert bool(shown.error) == (reply["status"] == "error")
        return shown

    def _update_widget(self, kind: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        name, data = content["comm_id"], content.get("data", {})
        if kind == "comm_close":
            self._widgets.pop(name, None)
            return
        state = self._widgets.setdefault(name, {})
        state.update(data.get("state", {}))
        for place, buffer in zip(data.get("buffer_paths", []), buffers, strict=True):
            if len(place) == 1:
                state[place[0]] = bytes(buffer)

    def _add_output(self, data: dict[str, Any], shown: CellOutput) -> None:
        if view := data.get("application/vnd.jupyter.widget-view+json"):
            self._add_widget(view["model_id"], shown)
        elif "image/png" in data:
            shown.pictures.append(base64.b64decode(data["image/png"]))
        else:
            shown.text += data["text/plain"]

    def _add_widget(self, name: str, shown: CellOutput) -> None:
        """Add the text of a widget and its descendants, without hidden and collapsed ones."""
        state = self._widgets.get(name.removeprefix("IPY_MODEL_"), {})
        layout = self._widgets.get(str(state.get("layout")).removeprefix("IPY_MODEL_"), {})
        if layout.get("display") == "none":
            return
        kind, value = state.get("_model_name"), state.get("value")
        if kind == "ImageModel":
            shown.pictures.append(bytes(value or b""))
        elif kind in ("HTMLModel", "ButtonModel"):
            words = value if kind == "HTMLModel" else state["description"]
            shown.text += html.unescape(re.sub(r"<[^>]*>", " ", str(words))).strip() + "\n"
        elif "_options_labels" in state:
            labels = state["_options_labels"]
            chosen = labels[state["index"]] if state["index"] is not None else ""
            shown.text += f"{state['description']}: {chosen}\n"
        elif state.get("description"):
            shown.text += f"{state['description']}: {value}\n"
        children = state.get("children", ())
        if kind == "AccordionModel":
            children = [c for i, c in enumerate(children) if i == state["selected_index"]]
        for child in children:
            self._add_widget(child, shown)
