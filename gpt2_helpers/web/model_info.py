"""Information about the served model, for /api/model and the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.config import BUNDLED_MODEL, MODEL_ALIASES, PRESET, PRETRAINED_CONFIGS
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.fields import Field
from gpt2_helpers.session import Session
from gpt2_helpers.web.schemas import JSON_TYPES

CUSTOM_TEXT = "custom text"  # in the description of a run, in place of the name of its data


@dataclass(frozen=True)
class ModelInfo:
    """The answer of /api/model, without its options."""

    name: str
    description: str
    parameters: int
    context: int  # tokens
    precision: str
    steps: int | None = None  # finetuning steps
    base_model: str | None = None
    # What an empty prompt box continues; nothing if the model starts a text itself, as one that was
    # finetuned on a table does.
    default_prompt: str = ""
    example_prompts: tuple[str, ...] = ()
    continues_prompt: bool = True  # whether a text starts with its prompt
    version: str = field(default_factory=lambda: installed_versions()["gpt2-helpers"])

    @classmethod
    def of(cls, session: Session) -> ModelInfo:
        """Describe a session's model."""
        model = session.inference_model
        numbers: dict[str, Any] = {
            "parameters": model.config.n_parameters,
            "context": model.config.n_ctx,
            "precision": model.decoding_precision,
            "example_prompts": session.example_prompts,
            "continues_prompt": not session.prompt_suffix,
        }
        if session.example_prompts and (session.prompt_suffix or not session.prompt_prefix):
            numbers["default_prompt"] = session.example_prompts[0]
        if session.run_name is None or session.run_folder is None:
            name = session.model_name or "a model"
            if name == BUNDLED_MODEL:
                description = (
                    "the small model bundled with gpt2-helpers, trained on classic English stories "
                    "and novels"
                )
            elif name in PRETRAINED_CONFIGS or name in MODEL_ALIASES:
                description = f"OpenAI's pretrained GPT-2 {name}"
            else:
                description = "a custom model with GPT-2's architecture"
            return cls(name, description, **numbers)
        base = session.base_model
        steps = _completed_steps(session)
        description = "GPT-2" + (f" ({base})" if base else "") + f", finetuned on {CUSTOM_TEXT}"
        if steps:
            description += f" for {steps:,} step{'s' if steps > 1 else ''}"
        return cls(session.run_name, description, steps=steps, base_model=base, **numbers)


def _completed_steps(session: Session) -> int | None:
    try:
        return session.step
    except Gpt2Error:
        return None


def option_info(option: Field) -> dict[str, Any]:
    """Return an option in JSON, for a page to make an input of it."""
    return {
        "name": option.name,
        "type": JSON_TYPES[option.kind],
        "label": option.label,
        "help": option.help,
        "default": option.default,
        "preset": getattr(PRESET, option.name, option.default),  # what the page starts from
        "minimum": option.minimum,
        "maximum": option.maximum,
        "suggested_range": None if option.suggested_range is None else list(option.suggested_range),
    }
