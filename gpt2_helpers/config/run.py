"""Options for the folder of a finetuning run, and for loading a checkpoint from it."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config.finetune import INFERENCE_PRECISIONS
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, check_folder_name, option


@dataclass(frozen=True)
class CheckpointConfig(ValidatedConfig):
    """Which checkpoint of a run is read."""

    checkpoint: str = option(
        "latest", "such as model-500; latest is the newest of the run", advanced=True
    )


@dataclass(frozen=True)
class LoadConfig(CheckpointConfig):
    """Which checkpoint of a run is loaded to generate texts, and in which precision."""

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
        "name of the folder with the trained model",
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
        "optimizer steps between checkpoints; 0 saves only at the end",
        label="Save every (steps)",
        minimum=0,
    )
    sample_every: int = option(
        100,
        "optimizer steps between rounds of generated texts; 0 generates none",
        label="Sample every (steps)",
        minimum=0,
    )
    sample_length: int = option(
        1023,
        "upper limit for each of these texts; 100 tokens are about 75 words",
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
        1, "optimizer steps between lines with losses", label="Print every (steps)", minimum=1
    )
    max_checkpoints: int = option(
        1,
        "how many of the run's checkpoints are kept, the newest ones; 0 keeps all",
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
        "separate file, folder or glob; not trained on, even if it is part of the dataset",
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
