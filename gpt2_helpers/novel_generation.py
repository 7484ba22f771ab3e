"""Generates texts that are neither duplicates nor copies of the training text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from gpt2_helpers.config import NoveltyConfig, SamplingConfig
from gpt2_helpers.evaluation.novelty import NoveltyFilter
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult, in_order
from gpt2_helpers.generation.selection import Selection
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import ignore


class NovelGeneration:
    """Generates the texts of one or several calls, and others in place of those that are left out.

    The texts do not depend on the batch size. Several calls have no text in common with each other.

    Args:
        session: The session with the model.
        config: What is left out (default: nothing).
        on_message: Called with what was left out, and if there are fewer texts than wanted.

    for result in NovelGeneration(session, NoveltyConfig(unique=True)).results(["Once"], sampling):
        print(result.text)
    """

    def __init__(
        self,
        session: Session,
        config: NoveltyConfig | None = None,
        on_message: Callable[[str], None] = ignore,
    ) -> None:
        self._session, self._config = session, config or NoveltyConfig()
        self._on_message = on_message

    @property
    def is_active(self) -> bool:
        """Whether any text may be left out."""
        return self._config.is_active

    @cached_property
    def filter(self) -> NoveltyFilter:
        """What decides which texts are left out. It is created, and the training text read, when it
        is first used.

        Raises:
            DatasetError: The training text cannot be read.
        """
        found = NoveltyFilter.from_config(self._config)
        for note in found.notes:
            self._on_message(note)
        return found

    def restore(self, keys: Iterable[str]) -> None:
        """Remember the texts of an earlier call by their keys, see `key`."""
        if self.is_active:
            self.filter.restore(keys)

    def key(self, text: str) -> str:
        """What identifies a text among all that are generated. Empty if they are not compared."""
        return self.filter.key(text) if self._config.unique else ""

    def results(
        self,
        prompts: Sequence[str],
        sampling: SamplingConfig,
        first: int = 0,
        n_missing: int = 0,
        **more: Any,
    ) -> Iterator[GenerationResult]:
        """Generate texts, and yield them in order.

        Args:
            prompts: The prompts.
            sampling: Sampling options.
            first: Number of the first text to generate. Defaults to 0.
            n_missing: How many of the texts before it are missing. Defaults to 0.
            **more: See `generate` of generation/generate.py.

        Yields:
            The results by index; indexes are missing if no try was accepted.

        Raises:
            DatasetError: The training text cannot be read.
            OptionError: An option is invalid, or cannot be combined with these.
            OutOfMemoryError: The device has too little memory.
        """
        if not self.is_active:
            results = self._session.generate(prompts, sampling, first=first, **more)
            yield from self.in_order(results, first)
            return
        chunks = self.chunks(prompts, sampling, first, n_missing, **more)
        yield from (chunk.result for chunk in chunks if chunk.result is not None)

    def in_order(
        self, results: Iterable[GenerationResult], first: int = 0
    ) -> Iterator[GenerationResult]:
        """Sort the results of `chunks` by index, see `in_order` of generation/result.py."""
        return iter(results) if self.is_active else in_order(results, first)

    def chunks(
        self,
        prompts: Sequence[str],
        sampling: SamplingConfig,
        first: int = 0,
        n_missing: int = 0,
        **more: Any,
    ) -> Iterator[GenerationChunk]:
        """Generate the same texts as `results`, in chunks. Texts that may be left out are one chunk
        each, in order.

        Args:
            prompts: As for `results`.
            sampling: As for `results`.
            first: As for `results`.
            n_missing: As for `results`.
            **more: As for `results`.

        Yields:
            The chunks, the last of each text with its result.

        Raises:
            DatasetError: As for `results`.
            OptionError: As for `results`.
            OutOfMemoryError: As for `results`.
        """
        selection = None
        if self.is_active:
            selection = Selection(self.filter, self._config.max_tries, first)
        yield from self._session.stream(prompts, sampling, first=first, selection=selection, **more)
        if selection is not None:
            n_missing += selection.n_missing
            total = len(prompts) * sampling.nsamples
            for line in self.filter.summary(n_missing, total, self._config.max_tries):
                self._on_message(line)
