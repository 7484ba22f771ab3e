"""Continuous batching: sequences join and leave the slots of a decoder between decode steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.detokenizer import StreamingDetokenizer
from gpt2_helpers.generation.processors import Processors
from gpt2_helpers.generation.result import (
    FinishReason,
    GenerationChunk,
    GenerationResult,
    TokenLogprob,
)
from gpt2_helpers.generation.sentences import SentenceFinisher
from gpt2_helpers.tokenizer import START_OF_TEXT, Tokenizer

BLANK_RETRIES = 20  # how often a text that came out blank is generated again


class Sequence:
    """A sequence being generated.

    `seed` and `sample` determine the text, whatever else is in the batch.

    Args:
        index: Identifies the sequence's chunks.
        prompt: The prompt as text, without the prompt prefix.
        prompt_ids: The token ids of the prompt, including the prompt prefix.
        config: Length and sampling options.
        seed: The seed of the random numbers.
        sample: Number of the sequence's own random stream for this seed.
        exact: Whether the text is exactly that of its tokens: leading newlines are kept, and a
            blank text is not generated again. Defaults to False.
        top_logprobs: How many of the likeliest tokens to record in the place of each token.
            Defaults to None, which records no log-probabilities unless `best_of` needs them.
    """

    def __init__(
        self,
        index: int,
        prompt: str,
        prompt_ids: list[int],
        config: SamplingConfig,
        seed: int,
        sample: int,
        exact: bool = False,
        top_logprobs: int | None = None,
    ) -> None:
        self.index, self.prompt, self.prompt_ids, self.config = index, prompt, prompt_ids, config
        self.exact, self.top_logprobs = exact, top_logprobs
        self.random = np.random.Generator(np.random.Philox(key=[seed, sample]))
        self._start_text()
        self.ids: list[int] = []  # the end-of-text token or the prompt, and all tokens since
        # Position of the newest id in the context. During prefill: of the next id to compute.
        self.position = 0
        self.prefill_ids: list[int] | None = None  # the first `position` are in the KV cache
        self.processors: Processors | None = None
        self.retries = 0
        self.ignored_tokens = 0  # tokens at the start of the prompt that do not fit the context
        self._n_reported = 0  # tokens in earlier chunks

    @property
    def is_prefilling(self) -> bool:
        """Whether part of its prompt is not in the KV cache yet."""
        return self.prefill_ids is not None

    def restart(self, ids: list[int], context: list[int]) -> None:
        """Start the text over.

        Args:
            ids: The token ids to start with.
            context: Those of them that the decoder computes with.
        """
        self.ids = ids
        self.ignored_tokens = len(ids) - len(context)
        self._start_text()
        self.set_context(context)

    def set_context(self, ids: list[int]) -> None:
        """Prefill all of `ids` but the last, which is the input of the next step."""
        self.prefill_ids, self.position = ids[:-1], 0

    def _start_text(self) -> None:
        shows_prompt = self.config.include_prefix and not self.config.prompt_suffix
        prefix = self.prompt if shows_prompt else ""
        # The start of another row also ends a row, if the model left out the end.
        marked = START_OF_TEXT in (self.config.prompt_prefix or "")
        self.detokenizer = StreamingDetokenizer(
            prefix,
            *(self.config.truncate or ()),
            START_OF_TEXT if marked else None,
            exact=self.exact,
        )
        self.finisher: SentenceFinisher | None = None
        if self.config.finish_sentence and not self.config.is_constrained:
            self.finisher = SentenceFinisher(self.prompt, prefix.lstrip("\n"), self.max_new_tokens)

    @property
    def max_new_tokens(self) -> int:
        """Maximum number of generated tokens."""
        return self.config.length - len(self.prompt_ids)

    def next_segment(
        self, n_tokens: int, reason: FinishReason | None
    ) -> tuple[str, FinishReason | None]:
        """Return the text that became certain, and why the text ends; None if it does not.

        Args:
            n_tokens: Number of tokens generated so far.
            reason: Why the text ends here, if the model, a stop string or the limit ends it.
        """
        segment = self.detokenizer.next_segment()
        if self.finisher is not None:
            return self.finisher.add(segment, n_tokens, reason)
        return segment, reason

    def new_tokens(self) -> tuple[TokenLogprob, ...]:
        """The tokens since the last call, if their log-probabilities are recorded."""
        new = self.processors.tokens[self._n_reported :] if self.processors else []
        self._n_reported += len(new)
        return tuple(new)

    @property
    def text(self) -> str:
        """All segments returned so far."""
        return self.detokenizer.text if self.finisher is None else self.finisher.text


class ContinuousBatch:
    """Sequences in the slots of one decoder, which is reserved until `close`.

    batch = ContinuousBatch(decoder, tokenizer)
    batch.add(sequence)
    while batch.n_active:
        batch.prefill()
        for chunk in batch.step(): ...
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer) -> None:
        self._decoder, self._tokenizer = decoder, tokenizer
        self._n_ctx = decoder.config.n_ctx
        self._slots: list[Sequence | None] = [None] * decoder.batch_size
        decoder.in_use = True

    def close(self) -> None:
        """Release the decoder."""
        self._decoder.in_use = False

    @property
    def n_active(self) -> int:
        """Number of sequences in the batch."""
        return sum(sequence is not None for sequence in self._slots)

    @property
    def n_ready(self) -> int:
        """Number of sequences that the next `step` gives a token."""
        return sum(sequence is not None and not sequence.is_prefilling for sequence in self._slots)

    @property
    def n_free(self) -> int:
        """Number of sequences that can be added."""
        return len(self._slots) - self.n_active

    def add(self, sequence: Sequence) -> None:
        """Put a sequence into a free slot."""
        slot = self._slots.index(None)  # the lowest: `step` computes slots up to the last used
        self._slots[slot] = sequence
        self._start(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Drop a sequence before it has finished."""
        self._slots[self._slots.index(sequence)] = None

    def clear(self) -> None:
        """Drop all sequences."""
        self._slots = [None] * len(self._slots)

    def prefill(self, max_tokens: int | None = None) -> None:
        """Compute keys and values of the prompts of new sequences: of all, or of about
        `max_tokens` tokens, so that a long prompt does not delay the other sequences."""
        left = max_tokens
        for slot, sequence in enumerate(self._slots):
            while sequence and sequence.prefill_ids is not None and (left is None or left > 0):
                start = sequence.position
                sequence.position = self._decoder.prefill_chunk(
                    slot, sequence.prefill_ids, start, left
                )
                left = None if left is None else left - (sequence.position - start)
                if sequence.position == len(sequence.prefill_ids):
                    sequence.prefill_ids = None

    def step(self) -> Iterator[GenerationChunk]:
        """Generate one token for each sequence that is not being prefilled."""
        # Slots after the last sequence are not computed.
        n_slots = 1 + max(slot for slot, sequence in enumerate(self._slots) if sequence)
        slots = self._slots[:n_slots]
        ids, positions = np.zeros(len(slots), np.int32), np.zeros(len(slots), np.int32)
        uniform_samples = np.zeros(len(slots), np.float32)
        any_config = next(sequence for sequence in slots if sequence).config
        configs = [sequence.config if sequence else any_config for sequence in slots]
        newest = max(sequence.position for sequence in slots if sequence)
        for slot, sequence in enumerate(slots):
            if sequence is None:
                positions[slot] = min(newest, self._decoder.idle_position(slot))
            else:
                # During prefill the slot writes to the position that prefill overwrites next.
                positions[slot] = sequence.position
                if not sequence.is_prefilling:
                    ids[slot] = sequence.ids[-1]
                    uniform_samples[slot] = sequence.random.random(dtype=np.float32)
        adjust = {
            slot: sequence.processors.apply
            for slot, sequence in enumerate(slots)
            if sequence is not None and sequence.processors and not sequence.is_prefilling
        }
        next_ids = self._decoder.step(ids, positions, uniform_samples, configs, adjust)
        for slot, sequence in enumerate(slots):
            if sequence is not None and not sequence.is_prefilling:
                yield from self._append(slot, sequence, int(next_ids[slot]))

    def _start(self, sequence: Sequence) -> None:
        sequence.processors = Processors(
            sequence.config, self._tokenizer, sequence.prompt_ids, sequence.top_logprobs
        )
        ids = list(sequence.prompt_ids) or [self._tokenizer.end_of_text]
        # A prompt longer than the context keeps its last part, as a text that outgrows it does.
        sequence.restart(ids, ids if len(ids) <= self._n_ctx else self._window(ids))

    def _window(self, ids: list[int]) -> list[int]:
        """The last half context of `ids`: where the sliding window continues."""
        return ids[-max(1, self._n_ctx // 2) :]

    def _append(self, slot: int, sequence: Sequence, token: int) -> Iterator[GenerationChunk]:
        sequence.ids.append(token)
        sequence.position += 1
        if sequence.processors:
            sequence.processors.append(token)
        config, detokenizer = sequence.config, sequence.detokenizer
        n_tokens = len(sequence.ids) - max(1, len(sequence.prompt_ids))
        if token == self._tokenizer.end_of_text:
            detokenizer.finalize()
        elif token < self._tokenizer.n_vocab:  # a model may have ids that its vocabulary lacks
            detokenizer.add(self._tokenizer.decode_bytes([token]))
        stopped = detokenizer.is_finished
        # At temperature 0 the same tokens would be chosen again.
        retry = stopped and detokenizer.is_blank and config.temperature > 0
        if retry and sequence.retries < BLANK_RETRIES:
            sequence.retries += 1
            self._start(sequence)
            return
        reason: FinishReason | None = "stop" if stopped else None
        if not stopped and n_tokens >= sequence.max_new_tokens:
            detokenizer.finalize()
            reason = "length"
        segment, reason = sequence.next_segment(n_tokens, reason)
        if reason is not None:
            self._slots[slot] = None
            processors = sequence.processors
            logprob, tokens = (processors.logprob, processors.tokens) if processors else (None, [])
            result = GenerationResult(
                *(sequence.text, sequence.prompt, sequence.index, n_tokens, reason, logprob),
                tuple(tokens),
                ignored_tokens=sequence.ignored_tokens,
            )
            yield GenerationChunk(sequence.index, segment, result, sequence.new_tokens())
            return
        if segment:
            yield GenerationChunk(sequence.index, segment, tokens=sequence.new_tokens())
        if sequence.position >= self._n_ctx:
            sequence.set_context(self._window(sequence.ids))


def check_prompt_fits(prompt_ids: list[int], length: int) -> None:
    """Check that a prompt leaves room for generated tokens.

    Args:
        prompt_ids: The prompt's token ids.
        length: Maximum number of tokens, including the prompt.

    Raises:
        OptionError: The prompt has `length` tokens or more.
    """
    if len(prompt_ids) >= length:
        raise OptionError(
            f"the prefix has {len(prompt_ids)} tokens and length={length} includes the prefix: "
            f"set length to {len(prompt_ids) + 1} or more"
        )
