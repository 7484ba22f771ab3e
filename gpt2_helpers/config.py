"""Configuration: frozen dataclasses, checked at birth. No TensorFlow, no files but hparams.json.

The command line and the forms are made from these fields, so that no option is listed twice; what
a field carries and how it is checked stands in `fields`.
"""

from __future__ import annotations

import dataclasses
import json
import numbers
from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.errors import CheckpointError, OptionError, nearest
from gpt2_helpers.fields import Checked, option
from gpt2_helpers.system.files import atomic_write_text


def _number_as_text(config: Checked, name: str) -> None:
    """For a field that takes a name or a number: both are kept as text."""
    value = getattr(config, name)
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        object.__setattr__(config, name, str(value))


@dataclass(frozen=True)
class ModelConfig(Checked):
    """The shape of a GPT-2, as its hparams.json says it."""

    n_vocab: int = option(50257, "number of token ids", minimum=1, maximum=10**7)
    n_ctx: int = option(1024, "longest run of tokens it can see", minimum=1, maximum=10**6)
    n_embd: int = option(768, "width of an embedding", minimum=1, maximum=10**5)
    n_head: int = option(12, "attention heads a layer", minimum=1, maximum=10**4)
    n_layer: int = option(12, "number of layers", minimum=1, maximum=10**4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise OptionError(
                f"n_embd must divide evenly by n_head, got {self.n_embd} and {self.n_head}"
            )

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head

    @property
    def n_parameters(self) -> int:
        """Number of weights.

        >>> ModelConfig().n_parameters
        124439808
        """
        width = self.n_embd
        layer = 12 * width * width + 13 * width
        return (self.n_vocab + self.n_ctx) * width + self.n_layer * layer + 2 * width

    @classmethod
    def load(cls, folder: str | Path) -> ModelConfig:
        """Read `hparams.json` in `folder`; CheckpointError where it is missing or wrong."""
        path = Path(folder) / "hparams.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(
                f"{path} is missing: a model folder holds hparams.json beside its weights"
            ) from None
        except (ValueError, OSError, RecursionError) as error:
            raise CheckpointError(f"{path} cannot be read as JSON: {error}") from None
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [n for n in names if not isinstance(values, dict) or n not in values]
        if missing:
            raise CheckpointError(f"{path} lacks {', '.join(missing)}")
        try:
            return cls(**{name: values[name] for name in names})
        except OptionError as error:
            raise CheckpointError(f"{path}: {error}") from None

    def save(self, folder: str | Path) -> None:
        """Write `hparams.json` into `folder`."""
        text = json.dumps(dataclasses.asdict(self), indent=2) + "\n"
        atomic_write_text(Path(folder) / "hparams.json", text)


SIZES = {
    "124M": ModelConfig(),
    "355M": ModelConfig(n_embd=1024, n_head=16, n_layer=24),
    "774M": ModelConfig(n_embd=1280, n_head=20, n_layer=36),
    "1558M": ModelConfig(n_embd=1600, n_head=25, n_layer=48),
}
OLD_NAMES = {"117M": "124M", "345M": "355M"}
BUNDLED_MODEL = "tiny"
BUNDLED_FOLDER = Path(__file__).parent / "models" / BUNDLED_MODEL
MODEL_NAMES = (BUNDLED_MODEL, *SIZES)

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
LOADING_PRECISIONS = (*PRECISIONS, "int8")  # of a model that only writes


def canonical_model_name(name: str) -> str:
    """The present name of a size; OptionError with the nearest known one otherwise.

    >>> canonical_model_name("117M")
    '124M'
    """
    name = OLD_NAMES.get(name, name)
    if name not in MODEL_NAMES:
        known = ", ".join(MODEL_NAMES)
        raise OptionError(
            f"model_name must be one of {known}, got {name!r}{nearest(name, MODEL_NAMES)}"
        )
    return name


@dataclass(frozen=True)
class SamplingConfig(Checked):
    """How texts are drawn from the model."""

    length: int = option(
        1023,
        "longest text in tokens, prefix included; 100 tokens are about 75 words",
        label="Length (tokens)",
        minimum=1,
        usual=(10, 1023),
    )
    temperature: float = option(
        0.7,
        "how freely it writes: 0 always takes the likeliest token, 1 the model's own odds",
        minimum=0.0,
        maximum=100.0,
        usual=(0.0, 1.5),
    )
    top_k: int = option(
        0,
        "choose among the k likeliest tokens; 0 among all; 40 keeps odd words out",
        label="Top-k",
        minimum=0,
        usual=(0, 100),
    )
    top_p: float = option(
        0.0,
        "choose among the likeliest tokens that make up this share; over 0 it overrides top_k",
        label="Top-p",
        minimum=0.0,
        maximum=1.0,
        usual=(0.0, 1.0),
    )
    nsamples: int = option(
        1, "texts for each prefix", label="Number of texts", minimum=1, usual=(1, 100)
    )
    batch_size: int = option(
        1,
        "texts written side by side: more is faster and takes more memory",
        minimum=1,
        usual=(1, 50),
    )
    truncate: str | None = option(
        None, "end each text at this text, where it comes after the prefix", label="Truncate at"
    )
    include_prefix: bool = option(True, "show the prefix in the text", label="Include the prefix")
    seed: int | None = option(
        None, "a number: the same one gives the same texts again", minimum=0, maximum=2**63 - 1
    )


@dataclass(frozen=True)
class FinetuneConfig(Checked):
    """How weights are trained: all that changes the numbers, nothing of files or printing."""

    steps: int = option(
        1000, "corrections of the model to train now; 0 or less until interrupted", usual=(20, 5000)
    )
    batch_size: int = option(
        1,
        "windows of text a pass, on each device: more takes more memory",
        minimum=1,
        usual=(1, 16),
    )
    learning_rate: float = option(
        0.0001,
        "how far a step corrects the model: too little learns slowly, too much spoils it",
        minimum=0.0,
        maximum=10.0,
    )
    accumulate_gradients: int = option(
        5,
        "passes averaged into one step: steadier; over 1 takes more memory, however many",
        label="Passes a step",
        minimum=1,
        usual=(1, 20),
    )
    optimizer: str = option(
        "adam",
        "the rule by which weights are corrected; adam suits nearly always",
        choices=("adam", "adamw", "adafactor", "sgd"),
    )
    seed: int | None = option(
        None, "a number: the same one trains the same way again", minimum=0, maximum=2**63 - 1
    )
    precision: str = option(
        "auto", "arithmetic; auto takes what suits this machine", choices=PRECISIONS, advanced=True
    )
    lr_schedule: str = option(
        "constant",
        "learning rate over the steps",
        choices=("constant", "linear", "cosine"),
        advanced=True,
    )
    warmup_steps: int = option(
        0, "steps over which the learning rate rises from zero", minimum=0, advanced=True
    )
    weight_decay: float | None = option(
        None,
        "shrinks weight matrices a little each step; by itself 0.01 for adamw, else 0",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    max_grad_norm: float = option(
        0.0,
        "longest gradient norm, against sudden jumps; 0 for no limit, 1 is common",
        label="Gradient clipping",
        minimum=0.0,
        advanced=True,
    )
    dropout: float = option(
        0.0,
        "share of activations dropped in training, against learning by heart; 0.1 is common",
        minimum=0.0,
        maximum=0.9,
        usual=(0.0, 0.5),
        advanced=True,
    )
    eval_every: int = option(
        100,
        "steps between two validation losses",
        label="Validate every (steps)",
        minimum=1,
        advanced=True,
    )
    early_stopping_patience: int = option(
        0,
        "stop after so many validation losses without a new best; 0 never",
        label="Stop early after",
        minimum=0,
        advanced=True,
    )
    use_memory_saving_gradients: bool = option(
        False,
        "compute activations twice: slower, far less memory",
        label="Save memory",
        advanced=True,
    )
    only_train_transformer_layers: bool = option(
        False,
        "leave the embeddings as they are: a little less memory",
        label="Keep the embeddings",
        advanced=True,
    )
    lora_rank: int = option(
        0,
        "train adapters of this rank, in far less memory; 8 is common; 0 trains the model itself",
        label="Adapters' rank",
        minimum=0,
        maximum=1024,
        usual=(0, 64),
        advanced=True,
    )
    multi_gpu: bool = option(
        False, "train on every GPU of this machine", label="Use every GPU", advanced=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lr_schedule != "constant" and self.steps <= 0:
            raise OptionError(
                f"lr_schedule={self.lr_schedule!r} needs to know its end: give steps over 0, "
                f"got {self.steps}"
            )


@dataclass(frozen=True)
class DatasetConfig(Checked):
    """How files become token ids."""

    combine: int = option(
        50000, "characters of small files encoded as one piece", minimum=1, advanced=True
    )
    column: str | None = option(
        None, "the CSV column to train on, by name or number from 1", label="CSV column"
    )
    legacy_tokens: bool = option(
        False,
        "write <|endoftext|> as plain characters, as gpt-2-simple did",
        label="gpt-2-simple's tokens",
        advanced=True,
    )

    def __post_init__(self) -> None:
        _number_as_text(self, "column")
        super().__post_init__()


@dataclass(frozen=True)
class RunConfig(Checked):
    """A finetuning's run folder, and what is written into it how often."""

    model_name: str = option(
        "124M", "model to start from: tiny, 124M, 355M, 774M, 1558M", label="Model"
    )
    model_dir: str = option(
        "models", "folder that holds the models", label="Folder of models", advanced=True
    )
    run_name: str = option("run1", "name of the run's folder", label="Name of the run")
    checkpoint_dir: str = option(
        "checkpoint", "folder that holds the runs", label="Folder of runs", advanced=True
    )
    restore_from: str = option(
        "latest",
        "latest (this run, else the base model), fresh, or a folder with a model",
        label="Start from",
    )
    overwrite: bool = option(False, "drop the run's older checkpoints once a new one is whole")
    save_every: int = option(
        1000, "steps between two saves; 0 only at the end", label="Save every (steps)", minimum=0
    )
    sample_every: int = option(
        100, "steps between two samples; 0 for none", label="Sample every (steps)", minimum=0
    )
    sample_length: int = option(
        1023, "tokens a sample", label="Sample length (tokens)", minimum=1, usual=(10, 1023)
    )
    sample_num: int = option(1, "samples each time", label="Samples each time", minimum=1)
    sample_dir: str = option(
        "samples", "folder that samples are written to", label="Folder of samples", advanced=True
    )
    print_every: int = option(
        1, "steps between two lines of progress", label="Print every (steps)", minimum=1
    )
    max_checkpoints: int = option(
        1, "checkpoints to keep; 0 for all", label="Checkpoints to keep", minimum=0, advanced=True
    )
    validation_split: float = option(
        0.0,
        "share of the dataset held out for the validation loss, such as 0.05; 0 for none",
        minimum=0.0,
        maximum=1.0,
    )
    validation_data: str | None = option(
        None, "file, folder or glob for the validation loss, in place of validation_split"
    )
    backup_to_drive: bool = option(
        False, "copy every save to Google Drive", label="Back up to Google Drive"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.validation_split and self.validation_data is not None:
            raise OptionError(
                "give validation_split or validation_data, not both: got "
                f"{self.validation_split:g} and {self.validation_data!r}"
            )
        for name in ("run_name", "checkpoint_dir", "restore_from", "model_name"):
            if not getattr(self, name).strip():
                raise OptionError(f"{name} must not be empty")
        if self.run_name in (".", "..") or Path(self.run_name).name != self.run_name:
            raise OptionError(f"run_name must be a plain folder name, got {self.run_name!r}")
