"""Options as frozen, validated dataclasses. No TensorFlow and no files.

Each option is defined here once: the command line, the forms, the web API and the docstrings of
the public functions take it from these fields (see `fields`). docs/architecture.md lists what else
a new option needs.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, check_folder_name, option
from gpt2_helpers.model_config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    HUB_NAMES,
    MODEL_ALIASES,
    MODEL_NAMES,
    PRETRAINED_CONFIGS,
    ModelConfig,
    canonical_model_name,
)
from gpt2_helpers.system.text_encoding import check_encoding

__all__ = [
    "BUNDLED_FOLDER",
    "BUNDLED_MODEL",
    "HUB_NAMES",
    "INFERENCE_PRECISIONS",
    "MODEL_NAMES",
    "MODEL_ALIASES",
    "PRECISIONS",
    "PRESET",
    "PRETRAINED_CONFIGS",
    "DatasetConfig",
    "FinetuneConfig",
    "LoadConfig",
    "ModelConfig",
    "RunConfig",
    "SamplingConfig",
    "canonical_model_name",
]

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
INFERENCE_PRECISIONS = (*PRECISIONS, "int8")  # int8 can't be trained


@dataclass(frozen=True)
class SamplingConfig(ValidatedConfig):
    """How texts are generated."""

    length: int = option(
        1023,
        "where a text ends at the latest, with its prompt; 100 tokens are about 75 words",
        label="Max length (tokens)",
        minimum=1,
        suggested_range=(10, 1023),
    )
    temperature: float = option(
        0.7,
        "0 always picks the most likely token; higher values give more varied texts",
        minimum=0.0,
        maximum=100.0,
        suggested_range=(0.0, 1.5),
    )
    top_k: int = option(
        0,
        "sample only from the k most likely tokens; 0 disables it, 40 is typical",
        label="Top-k",
        minimum=0,
        suggested_range=(0, 100),
    )
    top_p: float = option(
        0.0,
        "sample from the smallest set of tokens with total probability p; above 0 overrides top_k",
        label="Top-p",
        minimum=0.0,
        maximum=1.0,
        suggested_range=(0.0, 1.0),
    )
    nsamples: int = option(
        1,
        "how many to generate for each prompt",
        label="Number of texts",
        minimum=1,
        suggested_range=(1, 100),
    )
    batch_size: int = option(
        1,
        "texts generated in parallel; more is faster but needs more memory",
        label="Sequences per batch",
        minimum=1,
        suggested_range=(1, 50),
    )
    truncate: str | None = option(
        None, "stop each text at the first occurrence of this string after the prompt",
        label="Stop string",
    )  # fmt: skip
    include_prefix: bool = option(
        True, "start each text with it; else show only the continuation", label="Include prompt"
    )
    prompt_prefix: str | None = option(
        None,
        "text put before every prompt and left out of the texts",
        label="Before the prompt",
    )
    finish_sentence: bool = option(
        False,
        "end each text after a complete sentence, if one ends close enough to the maximum length",
        label="Finish the sentence",
    )
    seed: int | None = option(
        None,
        "fixes the random numbers, for reproducible texts",
        default_text="random",
        minimum=0,
        maximum=2**63 - 1,
    )


# What the command line, the forms and the page start from. Top-k 40 leaves out the unlikely tokens
# that make a small model's texts break off. The defaults above are those of gpt-2-simple.
# They also put `<|startoftext|>` before prompts for a run that was finetuned on a table.
PRESET = SamplingConfig(temperature=0.7, top_k=40, finish_sentence=True)


@dataclass(frozen=True)
class FinetuneConfig(ValidatedConfig):
    """Training hyperparameters."""

    steps: int = option(
        1000,
        "how often the weights are updated; 0 or less trains until interrupted",
        label="Training steps",
        suggested_range=(20, 5000),
    )
    batch_size: int = option(
        1,
        "passages of text read in parallel on each device; more needs more memory",
        label="Sequences per batch",
        minimum=1,
        suggested_range=(1, 16),
    )
    learning_rate: float = option(
        0.0001,
        "step size of the optimizer; low values train slowly, high values are unstable",
        minimum=0.0,
        maximum=10.0,
    )
    accumulate_gradients: int = option(
        5,
        "micro-batches accumulated per optimizer step; any value above 1 needs more memory",
        label="Gradient accumulation",
        minimum=1,
        suggested_range=(1, 20),
    )
    optimizer: str = option(
        "adam",
        "adam is a good choice for most texts; adafactor needs less memory",
        choices=("adam", "adamw", "adafactor", "sgd"),
    )
    seed: int | None = option(
        None,
        "fixes the random numbers, for reproducible training",
        default_text="random",
        minimum=0,
        maximum=2**63 - 1,
    )
    precision: str = option(
        "auto",
        "compute dtype; auto picks the best one for this device",
        choices=PRECISIONS,
        advanced=True,
    )
    lr_schedule: str = option(
        "constant",
        "whether and how it decays over the training steps",
        label="Learning-rate schedule",
        choices=("constant", "linear", "cosine"),
        advanced=True,
    )
    warmup_steps: int = option(
        0, "steps over which the learning rate rises linearly from 0", minimum=0, advanced=True
    )
    weight_decay: float | None = option(
        None,
        "decoupled, and only of matrices; higher values reduce overfitting",
        default_text="0.01 for adamw, else 0",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    max_grad_norm: float = option(
        0.0,
        "longer gradients are scaled down to it; 0 disables clipping, 1 is typical",
        label="Max gradient norm",
        minimum=0.0,
        advanced=True,
    )
    dropout: float = option(
        0.0,
        "fraction of activations dropped in training, to reduce overfitting; 0.1 is typical",
        minimum=0.0,
        maximum=0.9,
        suggested_range=(0.0, 0.5),
        advanced=True,
    )
    eval_every: int = option(
        100,
        "interval between two measurements of the validation loss",
        label="Evaluate every (steps)",
        minimum=1,
        advanced=True,
    )
    early_stopping_patience: int = option(
        0,
        "stop after this many evaluations without improvement; 0 disables early stopping",
        label="Early-stopping patience",
        minimum=0,
        advanced=True,
    )
    use_memory_saving_gradients: bool = option(
        False,
        "recompute activations in the backward pass; slower, but needs far less memory",
        label="Gradient checkpointing",
        advanced=True,
    )
    only_train_transformer_layers: bool = option(
        False,
        "train only the Transformer layers; needs a little less memory",
        label="Freeze embeddings",
        advanced=True,
    )
    lora_rank: int = option(
        0,
        "size of adapters to train in place of the weights; 8 is typical, 0 trains all weights",
        label="LoRA rank",
        minimum=0,
        maximum=1024,
        suggested_range=(0, 64),
        advanced=True,
    )
    multi_gpu: bool = option(
        False,
        "compute the sequences of a step on every device of this machine",
        label="Use all GPUs",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lr_schedule != "constant" and self.steps <= 0:
            raise OptionError(
                f"lr_schedule={self.lr_schedule!r} needs a number of steps above 0, got "
                f"steps={self.steps}"
            )


@dataclass(frozen=True)
class DatasetConfig(ValidatedConfig):
    """How files become token ids."""

    combine: int = option(
        50000, "concatenate small files up to this many characters before encoding",
        label="Combine (characters)", minimum=1, advanced=True,
    )  # fmt: skip
    column: str | None = option(
        None,
        "where the texts of a table are, by its name or its number from 1",
        label="CSV column",
        default_text="the only column",
    )
    encoding: str | None = option(
        None, "encoding of the text files, such as cp1250 or shift_jis",
        default_text="detected", advanced=True,
    )  # fmt: skip
    legacy_tokens: bool = option(
        False,
        "encode <|endoftext|> as plain characters, to continue runs of that package",
        label="gpt-2-simple tokens",
        advanced=True,
    )

    def __post_init__(self) -> None:
        if isinstance(self.column, numbers.Real) and not isinstance(self.column, bool):
            object.__setattr__(self, "column", str(self.column))
        super().__post_init__()
        if self.encoding is not None:
            object.__setattr__(self, "encoding", check_encoding(self.encoding))


@dataclass(frozen=True)
class LoadConfig(ValidatedConfig):
    """Which checkpoint of a run is loaded to generate texts, and in which precision."""

    checkpoint: str = option(
        "latest", "such as model-500; latest is the newest of the run", advanced=True
    )
    precision: str = option(
        "auto",
        "compute dtype; auto picks the best one for this device: int8 without a GPU",
        choices=INFERENCE_PRECISIONS,
        advanced=True,
    )


@dataclass(frozen=True)
class RunConfig(ValidatedConfig):
    """The folder of a finetuning run, and what is saved there and when."""

    model_name: str = option(
        "124M", "pretrained model to start from: tiny, 124M, 355M, 774M or 1558M", label="Model"
    )
    model_dir: str = option(
        "models", "where pretrained models are kept, each under its name",
        label="Models folder", advanced=True, is_path=True,
    )  # fmt: skip
    run_name: str = option(
        "run1",
        "a folder of this name holds the trained model",
        label="Run name",
    )
    checkpoint_dir: str = option(
        "checkpoint", "where runs are kept, each under its name",
        label="Runs folder", advanced=True, is_path=True,
    )  # fmt: skip
    restore_from: str = option(
        "latest",
        "latest (this run if it exists), fresh (the model), a model folder, or a checkpoint",
        label="Start from",
        is_path=True,
    )
    overwrite: bool = option(
        False, "delete the older checkpoints of this run once a new one is saved"
    )
    save_every: int = option(
        1000,
        "interval between two checkpoints; 0 keeps only that of the end",
        label="Save every (steps)",
        minimum=0,
    )
    sample_every: int = option(
        100,
        "interval between two rounds of generated texts; 0 generates none",
        label="Sample every (steps)",
        minimum=0,
    )
    sample_length: int = option(
        1023,
        "where each of these texts ends at the latest; 100 tokens are about 75 words",
        label="Sample length (tokens)",
        minimum=1,
        suggested_range=(10, 1023),
    )
    sample_num: int = option(1, "texts to generate each time", label="Samples per round", minimum=1)
    sample_dir: str = option(
        "samples", "where texts generated during training are written",
        label="Samples folder", advanced=True, is_path=True,
    )  # fmt: skip
    print_every: int = option(
        1, "interval between two lines with losses", label="Print every (steps)", minimum=1
    )
    max_checkpoints: int = option(
        1,
        "older ones of this run are deleted after each save; 0 deletes none",
        label="Checkpoints to keep",
        minimum=0,
        advanced=True,
    )
    validation_split: float = option(
        0.0,
        "fraction of the dataset held out to measure the validation loss, such as 0.05; 0 for none",
        minimum=0.0,
        maximum=1.0,
    )
    validation_data: str | None = option(
        None,
        "file, folder or glob to use in place of a share; not trained on, even inside the dataset",
        is_path=True,
    )
    backup_to_drive: bool = option(
        False,
        "copy each checkpoint, so that another machine can resume training",
        label="Back up to Google Drive",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.validation_split and self.validation_data is not None:
            raise OptionError(
                "set validation_split or validation_data, not both: got "
                f"{self.validation_split:g} and {self.validation_data!r}"
            )
        for name in ("run_name", "checkpoint_dir", "restore_from", "model_name"):
            if not getattr(self, name).strip():
                raise OptionError(f"{name} must not be empty")
        check_folder_name("run_name", self.run_name)
