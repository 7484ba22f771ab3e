"""Training hyperparameters, and the compute dtypes."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
INFERENCE_PRECISIONS = (*PRECISIONS, "int8")  # int8 can't be trained


@dataclass(frozen=True)
class FinetuneConfig(ValidatedConfig):
    """Training hyperparameters."""

    steps: int = option(
        1000,
        "number of weight updates; 0 or less trains until interrupted",
        label="Training steps",
        suggested_range=(20, 5000),
    )
    batch_size: int = option(
        1,
        "passages of text processed in parallel on each device; more needs more memory",
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
        "how the learning rate decays over the training steps, if at all",
        label="Learning-rate schedule",
        choices=("constant", "linear", "cosine"),
        advanced=True,
    )
    warmup_steps: int = option(
        0, "steps over which the learning rate rises linearly from 0", minimum=0, advanced=True
    )
    weight_decay: float | None = option(
        None,
        "decoupled, applied to matrices only; higher values reduce overfitting",
        default_text="0.01 for adamw, else 0",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    max_grad_norm: float = option(
        0.0,
        "gradients above it are scaled down to it; 0 disables clipping, 1 is typical",
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
        "optimizer steps between computations of the validation loss",
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
    early_stopping_monitor: str = option(
        "validation_loss",
        "what the patience counts: validations without a lower loss, or with memorization",
        label="Early stopping by",
        choices=("validation_loss", "memorization"),
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
        "size of the adapters to train instead of the weights; 8 is typical, 0 trains all weights",
        label="LoRA rank",
        minimum=0,
        maximum=1024,
        suggested_range=(0, 64),
        advanced=True,
    )
    windows: str = option(
        "auto",
        "stream cuts texts anywhere, documents keeps them whole; auto uses documents for tables",
        label="Fill sequences with",
        choices=("auto", "stream", "documents"),
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

    @property
    def stops_early(self) -> bool:
        """Whether training may stop before the last step."""
        return self.early_stopping_patience > 0 or self.stops_at_memorization

    @property
    def stops_at_memorization(self) -> bool:
        """Whether training stops when memorization has begun."""
        return self.early_stopping_monitor == "memorization"
