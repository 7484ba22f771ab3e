"""Options of generating many texts: where the prompts come from, and the format of the texts."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.fields import ValidatedConfig, option

OUTPUT_FORMATS = ("auto", "text", "csv", "jsonl")


@dataclass(frozen=True)
class BulkConfig(ValidatedConfig):
    """How the file of prompts is read, and how the file of texts is written."""

    prompts_column: str | None = option(
        None,
        "column or key of the file of prompts",
        default_text="prompt, or the only one",
    )
    output_format: str = option(
        "auto",
        "csv and jsonl (JSON Lines) also have prompt, seed, tokens, finish reason, log-probability "
        "and model; auto takes the format from the suffix of the file, .csv or .jsonl",
        choices=OUTPUT_FORMATS,
    )
