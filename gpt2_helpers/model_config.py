"""The shape of a GPT-2 model, its hparams.json, and the names of the pretrained models."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.errors import CheckpointError, OptionError, brief, nearest
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.system.bounded_files import MAX_STATE_BYTES, read_json
from gpt2_helpers.system.files import atomic_write_text


@dataclass(frozen=True)
class ModelConfig(ValidatedConfig):
    """The shape of a GPT-2 model, with the names of OpenAI's hparams.json.

    Example:
        ModelConfig.load("models/124M").n_layer  # 12
    """

    n_vocab: int = option(50257, "vocabulary size, in tokens", minimum=1, maximum=10**7)
    n_ctx: int = option(1024, "context length, in tokens", minimum=1, maximum=10**6)
    n_embd: int = option(768, "embedding size", minimum=1, maximum=10**5)
    n_head: int = option(12, "attention heads per layer", minimum=1, maximum=10**4)
    n_layer: int = option(12, "number of transformer layers", minimum=1, maximum=10**4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise OptionError(
                f"n_embd must be divisible by n_head, got {self.n_embd} and {self.n_head}"
            )

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head

    @property
    def n_parameters(self) -> int:
        """The number of weights.

        >>> ModelConfig().n_parameters
        124439808
        """
        width = self.n_embd
        layer = 12 * width * width + 13 * width
        return (self.n_vocab + self.n_ctx) * width + self.n_layer * layer + 2 * width

    @classmethod
    def load(cls, folder: str | Path) -> ModelConfig:
        """Read `hparams.json`.

        Args:
            folder: A model folder or a run folder.

        Returns:
            The shape of the model in that folder.

        Raises:
            CheckpointError: If the file is missing, damaged or has invalid values.
        """
        path = Path(folder) / "hparams.json"
        try:
            values = read_json(path, MAX_STATE_BYTES)
        except FileNotFoundError:
            raise CheckpointError(
                f"{path} is missing: a model folder needs hparams.json next to its weights"
            ) from None
        except (ValueError, OSError) as error:
            raise CheckpointError(f"{path} cannot be read as JSON: {brief(error)}") from None
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [n for n in names if not isinstance(values, dict) or n not in values]
        if missing:
            raise CheckpointError(f"{path} is missing {', '.join(missing)}")
        try:
            return cls(**{name: values[name] for name in names})
        except OptionError as error:
            raise CheckpointError(f"{path}: {error}") from None

    def save(self, folder: str | Path) -> None:
        """Write `hparams.json` into `folder`."""
        text = json.dumps(dataclasses.asdict(self), indent=2) + "\n"
        atomic_write_text(Path(folder) / "hparams.json", text)


PRETRAINED_CONFIGS = {
    "124M": ModelConfig(),
    "355M": ModelConfig(n_embd=1024, n_head=16, n_layer=24),
    "774M": ModelConfig(n_embd=1280, n_head=20, n_layer=36),
    "1558M": ModelConfig(n_embd=1600, n_head=25, n_layer=48),
}
# OpenAI's first names, which gpt-2-simple also uses for the folders of downloaded models.
FIRST_NAMES = {"117M": "124M", "345M": "355M"}
# The names on Hugging Face.
HUB_NAMES = {"gpt2": "124M", "gpt2-medium": "355M", "gpt2-large": "774M", "gpt2-xl": "1558M"}
HUB_NAMES |= {f"openai-community/{name}": size for name, size in HUB_NAMES.items()}
MODEL_ALIASES = {**FIRST_NAMES, **HUB_NAMES}
BUNDLED_MODEL = "tiny"
BUNDLED_FOLDER = Path(__file__).parent / "models" / BUNDLED_MODEL
MODEL_NAMES = (BUNDLED_MODEL, *PRETRAINED_CONFIGS)


def canonical_model_name(name: str) -> str:
    """The current name of a pretrained model.

    Args:
        name: A model name; OpenAI's first names, such as 117M, and those on Hugging Face, such as
            gpt2-medium, are accepted too.

    Returns:
        One of `MODEL_NAMES`.

    Raises:
        OptionError: If the name is unknown; the message suggests the most similar one.

    >>> canonical_model_name("117M")
    '124M'
    """
    size = MODEL_ALIASES.get(name, name)
    if size not in MODEL_NAMES:
        known = ", ".join(MODEL_NAMES)
        hint = nearest(name, (*MODEL_NAMES, *MODEL_ALIASES))
        raise OptionError(f"model_name must be one of {known}, got {name!r}{hint}")
    return size
