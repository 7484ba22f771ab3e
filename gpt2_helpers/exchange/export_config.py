"""The options of an export."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import CheckpointConfig
from gpt2_helpers.fields import option

EXPORT_DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class ExportConfig(CheckpointConfig):
    """What is exported."""

    dtype: str = option(
        "float32", "dtype of the weights; float16 halves the file size", choices=EXPORT_DTYPES
    )
    adapters: bool = option(
        False, "export only the LoRA adapters of the run, in the format of the library PEFT"
    )
    base_model: str | None = option(
        None,
        "with adapters: where PEFT finds the base model, a name on the Hugging Face Hub or a path",
        default_text="the model that the run started from",
    )
    private: bool = option(False, "create a new repository on the Hub as a private one")
