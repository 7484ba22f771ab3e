"""Which model answers, as /api/model and the page tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.config import BUNDLED_MODEL
from gpt2_helpers.data.documents import is_table
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.fields import Field
from gpt2_helpers.session import Session
from gpt2_helpers.tokenizer import START_OF_TEXT
from gpt2_helpers.web.schemas import JSON_KINDS


@dataclass(frozen=True)
class ModelCard:
    """A model in words and numbers."""

    name: str
    description: str
    parameters: int
    context: int  # tokens that it sees at once
    precision: str
    steps: int | None = None  # of finetuning
    base_model: str | None = None
    version: str = field(default_factory=lambda: installed_versions()["gpt2-helpers"])

    @classmethod
    def of(cls, session: Session) -> ModelCard:
        """What is known of a session's model."""
        model = session.inference_model
        known: dict[str, Any] = {
            "parameters": model.config.n_parameters,
            "context": model.config.n_ctx,
            "precision": model.decoding_precision,
        }
        if session.run_name is None or session.run_folder is None:
            name = session.model_name or "a model"
            bundled = (
                "the small model that comes with gpt2-helpers and writes like old English novels"
            )
            pretrained = f"OpenAI's GPT-2 of {name}, as it was published"
            return cls(name, bundled if name == BUNDLED_MODEL else pretrained, **known)
        folder = RunFolder(session.run_folder.parent, session.run_name)
        base = session.base_model
        try:
            steps: int | None = folder.read().step
        except Gpt2Error:
            steps = None
        words = "GPT-2" + (f" ({base})" if base else "") + ", finetuned on somebody's own text"
        if steps:
            words += f" in {steps:,} steps"
        return cls(session.run_name, words, steps=steps, base_model=base, **known)


def start_of(session: Session) -> str:
    """What texts began with in the training of a session's run: the mark of a table's rows, or
    nothing."""
    if session.run_folder is None:
        return ""
    try:
        run = RunFolder(session.run_folder.parent, session.run_folder.name).read()
        dataset = run.record.dataset
    except Gpt2Error:
        return ""
    return START_OF_TEXT if is_table(Path(dataset)) else ""


def described(option: Field) -> dict[str, Any]:
    """An option as a page needs it to make a slider or a box of it."""
    return {
        "name": option.name,
        "kind": JSON_KINDS[option.kind],
        "label": option.label,
        "help": option.help,
        "default": option.default,
        "minimum": option.minimum,
        "maximum": option.maximum,
        "usual": None if option.usual is None else list(option.usual),
    }
