"""Logits processors: options that change the logits of a sequence by its own history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.constraints import Choices, Regex
from gpt2_helpers.generation.exclusions import BannedWords, LogitBias, NoRepeatNgrams
from gpt2_helpers.generation.likelihood import LogProbability
from gpt2_helpers.generation.penalties import Penalties
from gpt2_helpers.generation.result import TokenLogprob
from gpt2_helpers.generation.token_table import token_table
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import Floats


class LogitsProcessor(Protocol):
    """Changes the logits of one sequence before its next token is sampled."""

    def append(self, token: int) -> None:
        """Add a generated token to the history."""

    def apply(self, logits: Floats) -> None:
        """Change the logits of the next token (n_vocab) in place; minus infinity excludes one."""


class Processors:
    """The processors of one sequence, in transformers' order. False if there are none.

    Args:
        config: The sampling options.
        tokenizer: The model's tokenizer.
        prompt_ids: Token ids of the prompt, which are part of the history.
        top_logprobs: How many of the likeliest tokens to record with each token. Defaults to None,
            which records no log-probabilities unless `best_of` needs them.

    Raises:
        MissingPackageError: An option needs a package that is not installed.
        OptionError: An option does not fit the vocabulary, or is invalid.
    """

    def __init__(
        self,
        config: SamplingConfig,
        tokenizer: Tokenizer,
        prompt_ids: Sequence[int],
        top_logprobs: int | None = None,
    ) -> None:
        self._end_of_text = tokenizer.end_of_text
        self._processors: list[LogitsProcessor] = []
        self._constraint: LogitsProcessor | None = None
        self._log_probability: LogProbability | None = None
        if config.best_of or top_logprobs is not None:
            self._log_probability = LogProbability(top_logprobs or 0)
            self._processors.append(self._log_probability)
        if config.logit_bias:
            self._processors.append(LogitBias(config.logit_bias, tokenizer, prompt_ids))
        if Penalties.are_used(config):
            self._processors.append(Penalties(config, prompt_ids))
        if config.no_repeat_ngram_size:
            self._processors.append(NoRepeatNgrams(config.no_repeat_ngram_size, prompt_ids))
        if config.banned_words:
            table = token_table(tokenizer)
            self._processors.append(BannedWords(config.banned_words, table, prompt_ids))
        if config.choices:
            self._constraint = Choices(config.choices, token_table(tokenizer))
        elif config.regex is not None:
            self._constraint = Regex(config.regex, token_table(tokenizer))
        if self._constraint is not None:
            self._processors.append(self._constraint)

    def __bool__(self) -> bool:
        return bool(self._processors)

    @property
    def logprob(self) -> float | None:
        """The log-probability of all tokens so far, if it is recorded."""
        return self._log_probability.total if self._log_probability else None

    @property
    def tokens(self) -> list[TokenLogprob]:
        """The tokens so far, if their log-probabilities are recorded."""
        return self._log_probability.tokens if self._log_probability else []

    def append(self, token: int) -> None:
        """Add a generated token to the history."""
        for processor in self._processors:
            processor.append(token)

    def apply(self, logits: Floats) -> None:
        """Change the logits of the next token (n_vocab) in place."""
        original = None if self._constraint is None else logits.copy()
        for processor in self._processors:
            processor.apply(logits)
        if logits.max() > -np.inf:
            return
        # Every token is excluded. The text ends, or only the constraint counts.
        if self._constraint is None or original is None:
            logits[self._end_of_text] = 0.0
        else:
            logits[:] = original
            self._constraint.apply(logits)
