"""What the finetuning form says about a model, a text and options: memory, time and lengths."""

from __future__ import annotations

import functools
from pathlib import Path

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    MODEL_ALIASES,
    PRETRAINED_CONFIGS,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms.data_preview import DataPreview
from gpt2_helpers.forms.widgets.progress import duration
from gpt2_helpers.forms.widgets.style import as_sentence
from gpt2_helpers.generation.memory import available_memory
from gpt2_helpers.tokenizer import START_OF_TEXT, Tokenizer
from gpt2_helpers.training.memory import ModelFit, SampleSettings, fit_models

# For English text, with GPT-2's vocabulary and with a small one such as tiny's.
_CHARACTERS_PER_TOKEN, _CHARACTERS_PER_SMALL_TOKEN = 4, 3
_LARGE_VOCABULARY = 20_000
_TOKENS_OF_MARKS = 8  # around a record, with GPT-2's vocabulary


def fit_note(fit: ModelFit | None, saves: bool) -> tuple[str, bool]:
    """Return a note on whether the model fits into memory, and whether it is a warning."""
    if fit is None or fit.changes == {}:
        return "", False
    if fit.changes is None:
        return "This model probably won't fit in memory: choose a smaller one.", True
    needed = [
        f"{field.label} is {fit.changes[field.name]}"
        for field in fields_of(FinetuneConfig)
        if field.name in fit.changes and field.kind is not bool
    ]
    if needed:
        return f"Fits in memory if {' and '.join(needed)} (Advanced options).", True
    if saves:
        return "Gradient checkpointing (Advanced options) is on, which this model needs.", False
    return "Probably won't fit in memory without gradient checkpointing (Advanced options).", True


def estimate_fits(finetune: FinetuneConfig, samples: SampleSettings | None) -> dict[str, ModelFit]:
    """Return by name how each model fits into memory; empty if the memory is unknown."""
    from gpt2_helpers.system.device import choose_precision, gpus

    available, location = available_memory()
    if available is None:
        return {}
    precision = choose_precision(finetune.precision)
    fits = fit_models(available, finetune, precision, location, samples, bool(gpus()))
    return {fit.name: fit for fit in fits}


def model_shape(run: RunConfig) -> ModelConfig | None:
    """Return the shape of the model to start from, or None if it is unknown yet."""
    name = MODEL_ALIASES.get(run.model_name, run.model_name)
    if name in PRETRAINED_CONFIGS:
        return PRETRAINED_CONFIGS[name]
    try:
        return ModelConfig.load(_model_folder(run))
    except CheckpointError:
        return None


def _model_folder(run: RunConfig) -> Path:
    name = MODEL_ALIASES.get(run.model_name, run.model_name)
    return BUNDLED_FOLDER if name == BUNDLED_MODEL else Path(run.model_dir) / name


def estimate_tokens(text: DataPreview | None, run: RunConfig, shape: ModelConfig) -> int | None:
    """Return about how many tokens are trained on, marks included.

    Args:
        text: What is known about the text. Its first lines are encoded if the model is there.
        run: The options `model_name`, `model_dir` and `validation_split`.
        shape: The model's shape.

    Returns:
        The number; None if the length of the text is unknown.
    """
    if text is None or text.characters is None:
        return None
    is_large = shape.n_vocab > _LARGE_VOCABULARY
    per_token: float = _CHARACTERS_PER_TOKEN if is_large else _CHARACTERS_PER_SMALL_TOKEN
    marks = _TOKENS_OF_MARKS
    try:
        tokenizer = _load_tokenizer(_model_folder(run))
    except CheckpointError:
        pass  # not downloaded yet
    else:
        per_token = len(text.excerpt) / max(1, len(tokenizer.encode(text.excerpt)))
        marks = len(tokenizer.encode(START_OF_TEXT)) + 1
    tokens = text.characters / per_token + marks * text.records
    return max(1, round(tokens * (1 - run.validation_split)))


@functools.lru_cache(maxsize=1)
def _load_tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.load(folder)


def describe_training(finetune: FinetuneConfig, shape: ModelConfig, tokens: int | None) -> str:
    """Return for instance "1,000 steps of 5,120 tokens, about 10 epochs over your text.".

    Args:
        finetune: The training options.
        shape: The model's shape.
        tokens: Tokens of the text, if known.
    """
    per_step = _window(shape, tokens) * finetune.batch_size * finetune.accumulate_gradients
    if finetune.steps <= 0:
        return f"Steps of {per_step:,} tokens, until interrupted."
    steps = finetune.steps
    text = f"{steps:,} step{'s' * (steps > 1)} of {per_step:,} tokens"
    if tokens:
        epochs = steps * per_step / tokens
        amount = f"{epochs:,.0f} epochs over" if epochs >= 1.5 else f"{epochs:.0%} of"
        text += f", about {amount} your text"
    return f"{text}."


def describe_time(
    finetune: FinetuneConfig, run: RunConfig, shape: ModelConfig, tokens: int | None
) -> str:
    """Return how long the steps take on this device, and how that was measured; empty if it cannot
    be measured.

    Args:
        finetune: The training options.
        run: Which model is trained, and where the runs are.
        shape: The model's shape.
        tokens: Tokens of the text, if known.
    """
    import tensorflow as tf

    from gpt2_helpers.training.step_time import step_time

    window = _window(shape, tokens)
    try:
        step = step_time(run.model_name, shape, finetune, window, run.checkpoint_dir)
    except (MemoryError, tf.errors.OpError):
        return ""
    each = f"{step.seconds:.1f} s" if step.seconds >= 0.1 else f"{1000 * step.seconds:.0f} ms"
    each += f" per step ({step.source})"
    if finetune.steps <= 0:
        return f"About {each}, plus samples and saving."
    total = duration(step.of_steps(finetune.steps))
    about = as_sentence(total)[:-1] if total.startswith("less") else f"About {total}"
    return f"{about}, plus samples and saving: {each}."


def short_text_warning(characters: int | None, tokens: int | None, shape: ModelConfig) -> str:
    """Return a warning if the text is shorter than the model's context; else an empty string."""
    if characters is None or tokens is None or tokens > shape.n_ctx:
        return ""
    return (
        f"The text has only {characters:,} character{'s' * (characters != 1)}, about "
        f"{max(1, tokens):,} token{'s' * (tokens > 1)}, less than the model's context of "
        f"{shape.n_ctx:,}: the model will only repeat it. Use a longer text."
    )


def long_sample_note(run: RunConfig, shape: ModelConfig) -> str:
    """Return a note if samples are longer than the model's context; else an empty string."""
    if not run.sample_every or run.sample_length <= shape.n_ctx:
        return ""
    return long_text_note(shape.n_ctx)


def long_text_note(n_ctx: int) -> str:
    """Return what happens to a text that is longer than the context."""
    return (
        f"Longer than the model's context of {n_ctx:,} tokens: the text continues, but the model "
        "no longer sees its beginning."
    )


def _window(shape: ModelConfig, tokens: int | None) -> int:
    """Tokens per training sequence."""
    return shape.n_ctx if tokens is None else max(1, min(shape.n_ctx, tokens))
