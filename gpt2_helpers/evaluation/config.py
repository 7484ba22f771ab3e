"""The options of scoring texts and of evaluating models."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.config import INFERENCE_PRECISIONS
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option


@dataclass(frozen=True)
class ScoreConfig(ValidatedConfig):
    """How texts are scored that are longer than the model's context, and in which precision."""

    stride: int | None = option(
        None,
        "tokens that the window moves by; fewer give each token more context and take longer",
        default_text="half of the window",
        minimum=1,
    )
    window: int | None = option(
        None,
        "maximum number of tokens that the model sees before each token",
        default_text="the model's context",
        minimum=1,
    )
    prompt_prefix: str | None = option(
        None,
        "text before each document that the model sees but that is not scored",
        default_text="<|startoftext|> for a run that was finetuned on a table",
    )
    precision: str = option(
        "float32",
        "compute dtype; auto is the one that generation uses",
        choices=INFERENCE_PRECISIONS,
        advanced=True,
    )

    def sizes(self, n_ctx: int) -> tuple[int, int]:
        """The window and the stride for a model with a context of `n_ctx` tokens.

        Raises:
            OptionError: The window is longer than the context, or the stride than the window.

        >>> ScoreConfig(window=100).sizes(1024)
        (100, 50)
        """
        window = n_ctx if self.window is None else self.window
        if window > n_ctx:
            raise OptionError(
                f"window must be at most the model's context of {n_ctx} tokens, got {window}"
            )
        stride = max(1, window // 2) if self.stride is None else self.stride
        if stride > window:
            raise OptionError(
                f"stride must be at most the window of {window} tokens, got {stride}: the tokens "
                "between two windows would be left out"
            )
        return window, stride


@dataclass(frozen=True)
class EvaluateConfig(ValidatedConfig):
    """What is a document, and how the results are printed."""

    whole_files: bool = option(
        False,
        "take each file as one document instead of splitting it at <|endoftext|> or into rows",
    )
    json: bool = option(False, "print the results as JSON, with those of every document")


@dataclass(frozen=True)
class CheckConfig(ValidatedConfig):
    """How a file of generated texts is read, and how the memorization check is printed."""

    generated_column: str | None = option(
        None,
        "where the generated texts of a table, JSON or Parquet file are, as for column",
        label="Column of the generated texts",
        default_text="the only column, or text",
    )
    examples: int = option(
        5, "copies, and near copies, that are printed with their closest training text", minimum=0
    )
    json: bool = option(False, "print the results as JSON, with those of every text")
