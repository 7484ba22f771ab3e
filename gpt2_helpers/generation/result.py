"""The results of generation: finished texts, and the chunks in which they are streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

FinishReason: TypeAlias = Literal["stop", "sentence", "length"]


@dataclass(frozen=True)
class TokenLogprob:
    """A token in its place, by the model at temperature 1.

    Attributes:
        id: The token's id.
        logprob: Natural logarithm of its probability.
        top: The ids and log-probabilities of the likeliest tokens, the likeliest first.
    """

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class GenerationResult:
    """One finished text.

    Attributes:
        text: The text, with or without the prompt as `include_prefix` says.
        prompt: The prompt it continues.
        index: Its number, from 0, in the order of the prompts.
        n_tokens: Number of tokens generated, the prompt not counted.
        finish_reason: "stop" if the model or `truncate` ended the text, "sentence" if
            `finish_sentence` ended it after a sentence, "length" if it was cut at the maximum
            length.
        logprob: The log-probability of all generated tokens, including the end-of-text token, by
            the model at temperature 1. None unless `best_of` is set or it was asked for.
        tokens: The generated tokens, if their log-probabilities are recorded.
        seed: The seed of this text, if it may differ from that of the call.
        ignored_tokens: Number of tokens at the start of the prompt that the model did not see,
            because the prompt is longer than its context.
    """

    text: str
    prompt: str
    index: int
    n_tokens: int
    finish_reason: FinishReason
    logprob: float | None = None
    tokens: tuple[TokenLogprob, ...] = ()
    seed: int | None = None
    ignored_tokens: int = 0

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class GenerationChunk:
    """The next part of text `index`. The last chunk of a text carries its `result`.

    `tokens` are those generated since the chunk before, if their log-probabilities are recorded.
    """

    index: int
    text: str
    result: GenerationResult | None = None
    tokens: tuple[TokenLogprob, ...] = ()


def in_order(results: Iterable[GenerationResult], first: int = 0) -> Iterator[GenerationResult]:
    """Sort results by index, yielding each as soon as all earlier ones have been yielded.

    Args:
        results: Results with indices from `first`, in any order.
        first: The lowest index. Defaults to 0.

    Yields:
        The same results, by index.
    """
    early: dict[int, GenerationResult] = {}
    following = first
    try:
        for result in results:
            early[result.index] = result
            while following in early:
                yield early.pop(following)
                following += 1
    except KeyboardInterrupt:  # finished texts must not be lost
        yield from (early[index] for index in sorted(early))
        raise
