"""Prompts -> streams of texts: batching, early stop, prefix, truncate, sliding window.

An iterator that knows nothing of printing or files. A row whose text has ended takes the next
text, so that short texts cost what they are long.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OutOfMemoryError, is_out_of_memory
from gpt2_helpers.generation.batch import Draft, Piece, Rows, Text, check_room
from gpt2_helpers.generation.decoder import Model, inference_dtype
from gpt2_helpers.generation.decoders import decoder_for
from gpt2_helpers.tokenizer import Tokenizer


def stream(
    model: Model,
    tokenizer: Tokenizer,
    prompts: str | Sequence[str],
    config: SamplingConfig,
    batch_invariant: bool = True,
) -> Iterator[Text]:
    """Texts as they finish: `config.nsamples` for each prompt, not always in order (see
    `Text.index`). An empty prompt begins a new document.

    A seed gives the same texts for any batch size, for which 16-bit models are multiplied in fp32;
    without `batch_invariant` they stay as they are, and it gives the same texts for the same batch.

    Raises OptionError where a prompt leaves no room in `config.length`, and OutOfMemoryError that
    says what to lower. A model is for one thread at a time, where several streams may take turns.

    for text in stream(model, tokenizer, ["Once upon a time"], SamplingConfig(length=50)):
        print(text)
    """
    for piece in pieces(model, tokenizer, prompts, config, batch_invariant):
        if piece.finished is not None:
            yield piece.finished


def pieces(
    model: Model,
    tokenizer: Tokenizer,
    prompts: str | Sequence[str],
    config: SamplingConfig,
    batch_invariant: bool = True,
) -> Iterator[Piece]:
    """The same texts piece by piece as they come, those of a batch interleaved. The pieces of one
    text joined are that text."""
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    encoded = [tokenizer.encode(prompt, special=True) for prompt in prompts]
    for ids in encoded:
        check_room(ids, config.length)
        if len(ids) > model.config.n_ctx:
            warnings.warn(
                f"the prefix has {len(ids)} tokens, the model sees {model.config.n_ctx}: "
                "the text goes on from its last part",
                stacklevel=3,
            )
    waiting = _drafts(prompts, encoded, config)
    with _out_of_memory_told(config):
        batch_size = max(1, min(config.batch_size, len(prompts) * config.nsamples))
        longest = max((len(ids) for ids in encoded), default=0)
        precision = inference_dtype(model, config, batch_invariant)
        room = 1 + max(config.length, longest)
        rows = Rows(decoder_for(model, batch_size, room, precision), tokenizer)
    try:
        while True:
            with _out_of_memory_told(config):
                while rows.free and (draft := next(waiting, None)) is not None:
                    rows.begin(draft)
                if not rows.busy:
                    break
                rows.read()
                fresh = list(rows.advance())
            yield from fresh
    finally:
        rows.close()


def _drafts(
    prompts: list[str], encoded: list[list[int]], config: SamplingConfig
) -> Iterator[Draft]:
    """Every text that is asked for, in order, before it begins."""
    seed = secrets.randbits(63) if config.seed is None else config.seed
    for order, (prompt, ids) in enumerate(zip(prompts, encoded, strict=True)):
        for sample in range(config.nsamples):
            index = order * config.nsamples + sample
            yield Draft(index, prompt, ids, config, seed, index)


@contextmanager
def _out_of_memory_told(config: SamplingConfig) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"out of memory for texts of length {config.length}, {config.batch_size} side by side: "
            "lower batch_size or length, or take a smaller model"
        ) from error


def in_order(texts: Iterable[Text]) -> Iterator[Text]:
    """Texts in the order of their prompts, which is not always that in which they finish."""
    early: dict[int, Text] = {}
    following = 0
    try:
        for text in texts:
            early[text.index] = text
            while following in early:
                yield early.pop(following)
                following += 1
    except KeyboardInterrupt:  # what is finished is not lost
        yield from (early[index] for index in sorted(early))
        raise
