"""Configuration of a model from nothing: its vocabulary and shape, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.fields import Checked, option


@dataclass(frozen=True)
class PretrainConfig(Checked):
    """A new model from nothing: its vocabulary and its shape."""

    vocab_size: int = option(4096, "pieces of the new vocabulary", minimum=257, maximum=65536)
    n_ctx: int = option(256, "longest run of tokens it can see", minimum=8, maximum=65536)
    n_embd: int = option(256, "width of an embedding", minimum=8, maximum=65536)
    n_layer: int = option(6, "number of layers", minimum=1, maximum=1000)
    n_head: int = option(4, "attention heads a layer", minimum=1, maximum=1000)
    dtype: str = option(
        "float32",
        "type of the stored weights; float16 halves the files, older tools want float32",
        choices=("float32", "float16"),
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model_config()  # checks that the parts fit each other

    def model_config(self) -> ModelConfig:
        """The shape of the model that these options make."""
        return ModelConfig(self.vocab_size, self.n_ctx, self.n_embd, self.n_head, self.n_layer)


# What training from nothing does unless it is told otherwise.
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
