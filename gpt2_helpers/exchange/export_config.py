"""The options of an export."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import CheckpointConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import option

HUGGING_FACE, ONNX, WEB = "huggingface", "onnx", "web"
# The dtypes of each format, the default one first.
_DTYPES = {HUGGING_FACE: ("float32", "float16"), ONNX: ("int8", "float32"), WEB: ("int8",)}
EXPORT_DTYPES = ("auto", "float32", "float16", "int8")


@dataclass(frozen=True)
class ExportConfig(CheckpointConfig):
    """What is exported.

    >>> ExportConfig(format="onnx").weights_dtype
    'int8'
    """

    format: str = option(
        HUGGING_FACE,
        "huggingface is the layout that transformers opens; onnx is a graph for ONNX Runtime; web "
        "is a site that runs the model in its reader's browser",
        choices=tuple(_DTYPES),
    )
    dtype: str = option(
        "auto",
        "dtype of the weights; auto is float32 for huggingface, which also has float16, and int8 "
        "for onnx, which also has float32, and for web",
        choices=EXPORT_DTYPES,
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
    say_dataset: bool = option(
        False, "with onnx or web: name the training data in model.json, without its folder"
    )
    runtime: str | None = option(
        None,
        "with web: folder of the npm package onnxruntime-web, or cdn to load it from jsDelivr",
        default_text="found in node_modules, else fetched by npm",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        dtypes = ("auto", *_DTYPES[self.format])
        if self.dtype not in dtypes:
            raise OptionError(
                f"dtype must be one of {', '.join(dtypes)} with format={self.format}, got "
                f"{self.dtype!r}"
            )
        if self.adapters and self.format != HUGGING_FACE:
            raise OptionError(
                f"adapters cannot be exported with format={self.format}, which has the run's "
                f"merged weights: leave out adapters, or use format={HUGGING_FACE}"
            )

    @property
    def weights_dtype(self) -> str:
        """The dtype of the weights, without "auto"."""
        return _DTYPES[self.format][0] if self.dtype == "auto" else self.dtype
