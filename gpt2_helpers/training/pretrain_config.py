"""Options of pretraining: the vocabulary and shape of a new model, and the training defaults."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.fields import ValidatedConfig, option


@dataclass(frozen=True)
class PretrainConfig(ValidatedConfig):
    """The vocabulary size and shape of a new model.

    Example:
        PretrainConfig(vocab_size=8192, n_embd=384).model_config()
    """

    vocab_size: int = option(
        4096, "number of tokens to learn from the texts", minimum=257, maximum=65536
    )
    n_ctx: int = option(256, "context length, in tokens", minimum=8, maximum=65536)
    n_embd: int = option(256, "embedding size", minimum=8, maximum=65536)
    n_layer: int = option(6, "number of transformer layers", minimum=1, maximum=1000)
    n_head: int = option(4, "attention heads per layer", minimum=1, maximum=1000)
    dtype: str = option(
        "float32",
        "dtype of the saved weights; float16 halves their size, older tools need float32",
        choices=("float32", "float16"),
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model_config()  # raises OptionError if the sizes are inconsistent

    def model_config(self) -> ModelConfig:
        """The shape of the new model."""
        return ModelConfig(self.vocab_size, self.n_ctx, self.n_embd, self.n_head, self.n_layer)


# The defaults of pretraining, which differ from those of finetuning.
PRETRAIN_FINETUNE = FinetuneConfig(
    steps=5000,
    batch_size=16,
    learning_rate=0.0015,
    accumulate_gradients=1,
    optimizer="adamw",
    lr_schedule="cosine",
    warmup_steps=200,
    weight_decay=0.1,
    max_grad_norm=1.0,
    dropout=0.1,
    eval_every=500,
)
PRETRAIN_RUN = RunConfig(validation_split=0.05, save_every=500)
