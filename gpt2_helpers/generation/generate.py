"""Text generation: encodes prompts, runs them in a continuous batch and yields the results."""

from __future__ import annotations

import secrets
import warnings
from collections import abc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError, explain_out_of_memory
from gpt2_helpers.generation.batch import ContinuousBatch, Sequence, check_prompt_fits
from gpt2_helpers.generation.decoder import inference_dtype
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.likelihood import BestOf
from gpt2_helpers.generation.processors import Processors
from gpt2_helpers.generation.prompts import EncodedPrompt, encode_prompt
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.generation.selection import Selection, seed_of_try
from gpt2_helpers.tokenizer import Tokenizer


def generate(
    decoders: DecoderPool,
    tokenizer: Tokenizer,
    prompts: str | abc.Sequence[str],
    config: SamplingConfig,
    batch_invariant: bool = True,
    first: int = 0,
    logprobs: bool = False,
    selection: Selection | None = None,
    numbers: abc.Sequence[int] | None = None,
) -> Iterator[GenerationResult]:
    """Generate `config.nsamples` texts for each prompt and yield each when it is finished.

    Several calls may share one pool and take turns, but only in one thread.

    Args:
        decoders: The decoders of the model that generates.
        tokenizer: That model's tokenizer.
        prompts: One prompt or several. An empty prompt starts a new document.
        config: Length, number of texts, batch size and sampling options.
        batch_invariant: Whether a seed must give the same texts for every batch size. A 16-bit
            model is then run in fp32, since its matmuls depend slightly on the batch size.
        first: Number of the first text to generate. Those before it are left out; the others are
            the same as with them. Defaults to 0.
        logprobs: Whether the results have log-probabilities without `best_of`. Defaults to False.
        selection: Which texts are accepted. Another text is generated in place of each other one.
            Its first text must be `first`. Defaults to None, which accepts all.
        numbers: The number of each prompt among those of a larger job, whose texts are the same as
            if all of its prompts were given. Defaults to None: 0, 1 and so on.

    Yields:
        The results, in the order in which they finish (`in_order` sorts them). With a selection
        they are in order, and may be fewer.

    Raises:
        MissingPackageError: An option needs a package that is not installed.
        OptionError: A prompt leaves no room in `config.length`, or an option is not possible with
            this vocabulary.
        OutOfMemoryError: The device has too little memory; says which options to lower.

    Example:
        for result in generate(
            DecoderPool(model), tokenizer, "Once upon a time", SamplingConfig(length=50)
        ):
            print(result.text, result.finish_reason)
    """
    options = (batch_invariant, first, logprobs, selection, numbers)
    for chunk in stream(decoders, tokenizer, prompts, config, *options):
        if chunk.result is not None:
            yield chunk.result


def stream(
    decoders: DecoderPool,
    tokenizer: Tokenizer,
    prompts: str | abc.Sequence[str],
    config: SamplingConfig,
    batch_invariant: bool = True,
    first: int = 0,
    logprobs: bool = False,
    selection: Selection | None = None,
    numbers: abc.Sequence[int] | None = None,
) -> Iterator[GenerationChunk]:
    """Generate the same texts as `generate`, and yield them in chunks as tokens are generated.

    The chunks of texts in one batch are interleaved. Joined, the chunks of one text are that text.
    With `best_of`, each text is one chunk, after the last candidate of its prompt. With a selection
    each accepted text is one chunk.

    Args:
        decoders: As for `generate`.
        tokenizer: As for `generate`.
        prompts: As for `generate`.
        config: As for `generate`.
        batch_invariant: As for `generate`.
        first: As for `generate`.
        logprobs: As for `generate`.
        selection: As for `generate`.
        numbers: As for `generate`.

    Yields:
        The chunks; the last chunk of each text carries its result.

    Raises:
        MissingPackageError: An option needs a package that is not installed.
        OptionError: A prompt leaves no room in `config.length`, or an option is not possible with
            this vocabulary.
        OutOfMemoryError: The device has too little memory; says which options to lower.
    """
    model = decoders.model
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    encoded = _encode_prompts(tokenizer, prompts, config, model.config.n_ctx)
    Processors(config, tokenizer, [])  # reports invalid options before the model is compiled
    _check_selection(config, selection)
    numbered = dict(zip(range(len(prompts)) if numbers is None else numbers, encoded, strict=True))
    waiting = _Queue(numbered, config, first, logprobs, selection)
    chosen = {number: BestOf(config, number * config.nsamples) for number in numbered}
    longest_hidden = max((prompt.hidden for prompt in encoded), default=0)
    config = replace(config, length=config.length + longest_hidden)
    with explain_out_of_memory(partial(_memory_advice, config)):
        batch_size = max(1, min(config.batch_size, len(prompts) * config.n_candidates))
        longest = max((len(prompt.ids) for prompt in encoded), default=0)
        precision = inference_dtype(model, config, batch_invariant)
        length = 1 + max(config.length, longest)
        batch = ContinuousBatch(decoders.get(batch_size, length, precision), tokenizer)
    try:
        while True:
            with explain_out_of_memory(partial(_memory_advice, config)):
                while batch.n_free and (sequence := waiting.next()) is not None:
                    batch.add(sequence)
                if not batch.n_active:
                    break
                batch.prefill()
                chunks = list(batch.step())
            for chunk in chunks:
                if selection is not None:
                    if chunk.result is not None:
                        for result in selection.add(chunk.result, waiting.seed):
                            yield GenerationChunk(result.index, result.text, result, result.tokens)
                elif config.best_of:
                    kept = chosen[chunk.index // config.n_candidates].add(chunk)
                    yield from (best for best in kept if best.index >= first)
                else:
                    yield chunk
    finally:
        batch.close()


def _encode_prompts(
    tokenizer: Tokenizer, prompts: abc.Sequence[str], config: SamplingConfig, n_ctx: int
) -> list[EncodedPrompt]:
    """Encode the prompts of a call; warns of prompts that are longer than the context."""
    before, after = config.prompt_prefix or "", config.prompt_suffix or ""
    encoded = [encode_prompt(tokenizer, prompt, before, after) for prompt in prompts]
    for prompt in encoded:
        check_prompt_fits(prompt.ids[prompt.hidden :], config.length)
        if len(prompt.ids) > n_ctx:
            count = len(prompt.ids) if after else len(prompt.ids) - prompt.hidden
            warnings.warn(
                f"the prefix has {count} tokens, more than the model's context of {n_ctx}: only "
                "its last part is used",
                stacklevel=4,  # the caller of `stream`'s consumer
            )
    return encoded


class _Queue:
    """The sequences to generate, in order. Each gets its own random stream.

    Args:
        prompts: The prompts by number.

    Attributes:
        seed: The seed of all of them, but for those that are generated again.
    """

    def __init__(
        self,
        prompts: dict[int, EncodedPrompt],
        config: SamplingConfig,
        first: int,
        logprobs: bool,
        selection: Selection | None,
    ) -> None:
        self._prompts, self._config, self._selection = prompts, config, selection
        self._top_logprobs = 0 if logprobs else None
        if config.best_of:  # all candidates of the prompt are needed
            first = first // config.nsamples * config.n_candidates
        count = config.n_candidates
        indexes = (number * count + sample for number in prompts for sample in range(count))
        self._indexes = (index for index in indexes if index >= first)
        self.seed = secrets.randbits(63) if config.seed is None else config.seed

    def next(self) -> Sequence | None:
        """The next sequence; None if there is none now."""
        retry = self._selection.next_retry() if self._selection else None
        if retry is not None:
            return self._sequence(*retry)
        index = next(self._indexes, None)
        return None if index is None else self._sequence(index)

    def _sequence(self, index: int, tries: int = 0) -> Sequence:
        prompt = self._prompts[index // self._config.n_candidates]
        # The hidden part is not in the text.
        own = replace(self._config, length=self._config.length + prompt.hidden)
        seed = seed_of_try(self.seed, tries)
        return Sequence(
            *(index, prompt.text, prompt.ids, own, seed, index), top_logprobs=self._top_logprobs
        )


def _check_selection(config: SamplingConfig, selection: Selection | None) -> None:
    if selection is not None and config.best_of:
        raise OptionError(
            f"best_of={config.best_of} cannot be combined with unique or novel_against: use one of "
            "them"
        )


def _memory_advice(config: SamplingConfig) -> str:
    return (
        f"with batch_size={config.batch_size} and length={config.length}: lower one of them, or "
        "use a smaller model"
    )
