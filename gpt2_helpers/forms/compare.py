"""Two models side by side: both continue the same prompt."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from gpt2_helpers.forms.generate import GenerateForm
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.html import show
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.generation.prompts import PRETRAINED_EXAMPLES
from gpt2_helpers.session import Session

_DEFAULTS: dict[str, Any] = {"length": 60, "nsamples": 3, "batch_size": 3}


def compare(first: Session, second: Session, **options: Any) -> None:
    """Let two models continue the same prompt, and show their texts side by side.

    Args:
        first: The session with the first model.
        second: The session with the second model.
        **options: Options of `GenerateForm`, such as `prefix` (default: the first model's example
            prompt), `length` and `nsamples`.

    Raises:
        NotebookError: If an option is invalid, or a session has no model.

    Example:
        forms.compare(sess, second, prefix="The secret of life is")
    """
    examples = first.example_prompts or PRETRAINED_EXAMPLES
    options = {"prefix": examples[0], **_DEFAULTS, **options}
    with plain_errors():
        if _model_of(first) == _model_of(second):
            name = first.run_name or first.model_name
            text = f"Both models are {name}: choose another one in the form above."
            show(widgets.HTML(message("note", text)))
            return
        columns = [widgets.VBox(), widgets.VBox()]
        for column in columns:
            column.layout = widgets.Layout(flex="1 1 300px", min_width="0")
        show(widgets.HBox(columns, layout=widgets.Layout(flex_flow="row wrap")))
        for session, column in zip((first, second), columns, strict=True):
            GenerateForm(session, **options).generate_into(column)


def _model_of(session: Session) -> tuple[Any, ...]:
    """Return what distinguishes the model of a session. Raises CheckpointError if it has none."""
    assert session.inference_model is not None
    return session.run_folder, session.model_name
