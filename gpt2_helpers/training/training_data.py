"""The training data of a run, its validation data, and excerpts of it."""

from __future__ import annotations

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.data.dataset import Dataset, load_dataset, train_validation_split
from gpt2_helpers.errors import OptionError
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import DatasetPath

_EXCERPTS, _EXCERPT_TOKENS = 100, 200  # from which example prompts are taken


def load_training_data(
    path: DatasetPath,
    tokenizer: Tokenizer,
    finetune: FinetuneConfig,
    run: RunConfig,
    data: DatasetConfig,
) -> tuple[Dataset, Dataset | None]:
    """Read a dataset and the validation data: a share of it or a file of its own.

    Args:
        path: A file or folder of texts, an encoded dataset, or a list of these.
        tokenizer: The model's tokenizer.
        finetune: The training options, which may need a validation loss.
        run: What is used for validation.
        data: How to read the dataset.

    Returns:
        The training data, and the validation data if there is any.

    Raises:
        OptionError: Early stopping has no validation data.
        DatasetError: A dataset can't be read.
    """
    share, other = run.validation_split, run.validation_data
    if not share and other is None and finetune.stops_early:
        option = f"early_stopping_patience={finetune.early_stopping_patience}"
        if finetune.stops_at_memorization:
            option = f"early_stopping_monitor={finetune.early_stopping_monitor}"
        raise OptionError(
            f"{option} needs a validation loss: set validation_split, such as 0.1, or "
            "validation_data"
        )
    dataset = load_dataset(path, tokenizer, data, validation=other)
    if other is not None:
        return dataset, load_dataset(other, tokenizer, data)
    return train_validation_split(dataset, share) if share else (dataset, None)


def excerpts(dataset: Dataset, tokenizer: Tokenizer) -> str:
    """Whole paragraphs from all over a dataset."""
    tokens = dataset.tokens
    starts = range(0, len(tokens), max(_EXCERPT_TOKENS, len(tokens) // _EXCERPTS))
    texts = [tokenizer.decode(tokens[start : start + _EXCERPT_TOKENS]) for start in starts]
    return "\n".join([texts[0], *(text.partition("\n")[2] for text in texts[1:])])
