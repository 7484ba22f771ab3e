"""The model card of an exported model: README.md with the metadata that the Hub reads."""

from __future__ import annotations

import json
import ntpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gpt2_helpers.config import HUB_NAMES, MODEL_ALIASES
from gpt2_helpers.errors import printable

# Cards with this line are replaced by the next export; others were edited, and are kept.
CARD_MARKER = "<!-- Written by gpt2-helpers; remove this line to keep your changes. -->"

HUB_SCHEME = "hf://"
# The options of a training that a card lists.
_OPTIONS = (
    *("optimizer", "learning_rate", "lr_schedule", "warmup_steps", "batch_size"),
    *("accumulate_gradients", "dropout", "weight_decay", "max_grad_norm", "lora_rank"),
    *("only_train_transformer_layers", "early_stopping_patience", "precision", "seed"),
)


@dataclass(frozen=True)
class CardFacts:
    """What a card says about a model.

    Attributes:
        name: Name of the run or model.
        model_id: What to pass to transformers: the repository, or a path.
        base_model: Name of the model that the run started from; empty if unknown.
        dataset: Path of the training data; only its last part is shown.
        steps: Optimizer steps.
        loss: Last training loss in nats per token, if known.
        validation_loss: Last validation loss in nats per token, if known.
        parameters: The training's options.
        is_adapter: Whether the folder has LoRA adapters instead of a whole model.
    """

    name: str
    model_id: str
    base_model: str = ""
    dataset: str = ""
    steps: int = 0
    loss: float | None = None
    validation_loss: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_adapter: bool = False


def hub_name(model_name: str) -> str | None:
    """The Hub's name of one of OpenAI's models, or of one downloaded from there, else None.

    >>> hub_name("124M"), hub_name("hf://owner/name"), hub_name("owner--name"), hub_name("mine")
    ('openai-community/gpt2', 'owner/name', 'owner/name', None)
    """
    if model_name.startswith(HUB_SCHEME):
        return model_name.removeprefix(HUB_SCHEME).partition("@")[0]
    owner, separator, name = model_name.partition("--")
    if owner and separator and name:
        return f"{owner}/{name}"
    size = MODEL_ALIASES.get(model_name, model_name)
    return next((hub for hub, name in HUB_NAMES.items() if name == size and "/" in hub), None)


def model_card(facts: CardFacts) -> str:
    """The text of README.md."""
    base = hub_name(facts.base_model)
    metadata: dict[str, Any] = {
        "library_name": "peft" if facts.is_adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["gpt2", "gpt2-helpers", *(["lora"] if facts.is_adapter else [])],
    }
    if base:
        metadata["base_model"] = base
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in metadata.items()), "---"]
    kind = "LoRA adapters for a GPT-2" if facts.is_adapter else "A GPT-2 language model"
    lines += [CARD_MARKER, "", f"# {facts.name}", "", f"{kind}, exported with gpt2-helpers.", ""]
    lines += ["## Use", "", "```python", *_usage(facts), "```", ""]
    rows = _training(facts)
    if rows:
        lines += ["## Training", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in rows]
        lines.append("")
    lines += [
        "## Limits",
        "",
        "The model generates text that can be wrong, offensive, or copied from its training data.",
        "",
    ]
    return "\n".join(map(printable, lines))  # it quotes names of files, and files of others


def _usage(facts: CardFacts) -> list[str]:
    if facts.is_adapter:
        return [
            "from peft import AutoPeftModelForCausalLM",
            "",
            f"model = AutoPeftModelForCausalLM.from_pretrained({facts.model_id!r})",
        ]
    return [
        "from transformers import pipeline",
        "",
        f'generator = pipeline("text-generation", model={facts.model_id!r})',
        'print(generator("Once upon a time")[0]["generated_text"])',
    ]


def base_name(path: str) -> str:
    r"""The last part of a path of any system, for publication.

    >>> base_name("/home/me/titles.csv"), base_name("C:\\texts\\"), base_name("")
    ('titles.csv', 'texts', '')
    """
    return ntpath.basename(path.rstrip("/\\"))


def _training(facts: CardFacts) -> list[tuple[str, str]]:
    rows: list[tuple[str, object]] = [
        ("base model", base_name(facts.base_model)),
        ("dataset", base_name(facts.dataset)),
        ("steps", f"{facts.steps:,}" if facts.steps else ""),
        ("loss", "" if facts.loss is None else f"{facts.loss:.3f} nats per token"),
        (
            "validation loss",
            "" if facts.validation_loss is None else f"{facts.validation_loss:.3f} nats per token",
        ),
        *training_options(facts.parameters),
    ]
    return [
        (name, str(value).replace("|", "\\|")) for name, value in rows if value not in (None, "", 0)
    ]


def training_options(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The options of a training that a card lists, without those that are off.

    >>> training_options({"optimizer": "adam", "dropout": 0.0, "sample_every": 100})
    [('optimizer', 'adam')]
    """
    values = ((name, parameters.get(name)) for name in _OPTIONS)
    return [(name, str(value)) for name, value in values if value not in (None, "", 0)]  # or False
