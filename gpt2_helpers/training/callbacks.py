"""Callbacks of a training run: recorded losses, TensorBoard, backups, and sample texts.

They are called between optimizer steps. They print nothing and do not decide when to save.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.checkpoint.run_card import write_card
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.config import PRESET, RunConfig
from gpt2_helpers.errors import OptionError, OutOfMemoryError, write_problem
from gpt2_helpers.generation.decoders import DecoderPool, runs_on_tflite
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.system.files import atomic_write_text
from gpt2_helpers.tokenizer import COMPLETION_MARKER, END_OF_TEXT, START_OF_TEXT, Tokenizer
from gpt2_helpers.training.memory import is_large
from gpt2_helpers.training.tensorboard import EventWriter
from gpt2_helpers.training.trainer import Progress

_PROMPT_TOKENS = 1000  # searched for a prompt before and after a place in the data
_FIRST_WORD = re.compile(rf"(?:\n|{re.escape(END_OF_TEXT)})\s*(\S{{1,20}})")


class Callback:
    """Base class of callbacks. Every hook does nothing by default."""

    def on_step(self, progress: Progress) -> None:
        """Called after each optimizer step, before that step is saved."""

    def on_save(self, folder: RunFolder, scheduled: bool) -> None:
        """Called after each save, and once before the first step of a resumed run.

        `scheduled` is False if the checkpoint was saved only because it is the best so far. The
        last call of a run may follow one for the same step, so that failed work can be retried.
        """

    def on_end(self) -> None:
        """Called once when training ends, even after an error."""


class LossHistory(Callback):
    """Appends the losses of each step to the run's record."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record

    def on_step(self, progress: Progress) -> None:
        """Append the step's losses."""
        self._record.losses.append((progress.step, progress.loss))
        if progress.validation_loss is not None:
            self._record.validation_losses.append((progress.step, progress.validation_loss))


class ModelCard(Callback):
    """Writes the run's model card after each save."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record

    def on_save(self, folder: RunFolder, scheduled: bool) -> None:
        """Write the card. A full disk must not end training."""
        if self._record.checkpoints:
            with suppress(OSError):
                write_card(folder.path, folder.name, self._record, self._record.checkpoints[-1])


class TensorBoard(Callback):
    """Writes losses and learning rate to an event file in the run folder."""

    def __init__(self, folder: Path) -> None:
        self._writer = EventWriter(folder)
        self.path = self._writer.path

    def on_step(self, progress: Progress) -> None:
        """Add the step's losses and learning rate."""
        scalars = {
            "loss": progress.loss,
            "average_loss": progress.average_loss,
            "learning_rate": progress.learning_rate,
        }
        if progress.validation_loss is not None:
            scalars["validation_loss"] = progress.validation_loss
        self._writer.add(progress.step, scalars)

    def on_save(self, folder: RunFolder, scheduled: bool) -> None:
        """Flush the event file, so that it is as new as the checkpoint."""
        self._writer.flush()

    def on_end(self) -> None:
        """Close the event file."""
        self._writer.close()


class Backup(Callback):
    """Calls a function with the run folder after each scheduled save.

    Args:
        copy: The function.

    Example:
        run.callbacks.append(Backup(lambda folder: print(folder.path)))
    """

    def __init__(self, copy: Callable[[RunFolder], None]) -> None:
        self._copy = copy

    def on_save(self, folder: RunFolder, scheduled: bool) -> None:
        """Copy the run folder if the save was scheduled."""
        if scheduled:
            self._copy(folder)


class SampleWriter:
    """Generates sample texts with the model in training and writes them to the sample folder."""

    def __init__(
        self,
        decoders: DecoderPool,
        tokenizer: Tokenizer,
        tokens: NDArray[np.integer],
        config: RunConfig,
        seed: int,
        has_prompts: bool = False,
    ) -> None:
        """Generate nothing yet.

        Args:
            decoders: The decoders of the model in training.
            tokenizer: That model's tokenizer.
            tokens: Training data; each sample starts as a random paragraph of it does.
            config: How often, how many and how long samples are, and where to write them.
            seed: Seed of the samples, combined with the step.
            has_prompts: Whether samples continue a random prompt of the data instead.
        """
        self._decoders, self._tokenizer, self._tokens = decoders, tokenizer, tokens
        self._config, self._seed, self._has_prompts = config, seed, has_prompts

    def is_due(self, step: int) -> bool:
        """Whether `sample_every` asks for samples at this step."""
        return bool(self._config.sample_every) and step % self._config.sample_every == 0

    def write(self, step: int) -> tuple[str, ...]:
        """Generate the samples of this step, write them to `samples-STEP`, and return them.

        Args:
            step: Completed steps of the run.

        Returns:
            The texts, each of which starts with the first word of a random paragraph, or as a row
            does if the training data is a table.

        Raises:
            OutOfMemoryError: The samples do not fit in memory.
            OptionError: The samples cannot be written.
        """
        config = self._config
        samples = self._generate(step)
        folder = Path(config.sample_dir) / config.run_name
        blocks = (f"======== SAMPLE {n} ========\n{text}\n" for n, text in enumerate(samples, 1))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            atomic_write_text(folder / f"samples-{step}", "\n".join(blocks))
        except OSError as error:
            problem = write_problem(folder, error, "use another sample_dir or sample_every=0")
            raise OptionError(
                f"cannot write samples to {folder}: {problem} (the checkpoint was saved)"
            ) from None
        return samples

    def continuations(
        self, step: int, count: int, n_tokens: int, prompt: str | None = None
    ) -> tuple[str, ...]:
        """Generate texts without their prompts.

        Args:
            step: Completed steps of the run.
            count: Number of texts.
            n_tokens: Maximum length of a text in tokens.
            prompt: The prompt of all texts. Defaults to None: random ones, as for samples.

        Raises:
            OutOfMemoryError: The texts do not fit in memory.
        """
        seed = (self._seed + step) & (2**63 - 1)
        prompts = [prompt or self._prompt(abs(seed - order)) for order in range(count)]
        return self._texts(prompts, seed, n_tokens, include_prefix=False, batch_size=count)

    def _generate(self, step: int) -> tuple[str, ...]:
        config, seed = self._config, (self._seed + step) & (2**63 - 1)
        number = {"nsamples": config.sample_num, "batch_size": config.sample_num}
        try:
            return self._texts([self._prompt(seed)], seed, config.sample_length, **number)
        except OutOfMemoryError as error:
            raise OutOfMemoryError(
                f"out of memory while sampling at step {step} (the checkpoint was saved): lower "
                f"sample_length (now {config.sample_length}) or sample_num (now "
                f"{config.sample_num}), or set sample_every=0"
            ) from error

    def _texts(
        self, prompts: list[str], seed: int, n_tokens: int, **options: Any
    ) -> tuple[str, ...]:
        longest = max(len(self._tokenizer.encode(prompt)) for prompt in prompts)
        length = n_tokens + longest
        sampling = replace(PRESET, length=length, seed=seed, finish_sentence=False, **options)
        try:
            # Batch-invariant sampling would need an fp32 copy of a model that is frozen in 16 bits.
            results = generate(
                self._decoders, self._tokenizer, prompts, sampling, batch_invariant=False
            )
            return tuple(result.text for result in in_order(results))
        finally:
            self._release_decoders()

    def _prompt(self, seed: int) -> str:
        return self._random_prompt(seed) if self._has_prompts else self._random_start(seed)

    def _random_prompt(self, seed: int) -> str:
        """The first prompt after a random place in the data, with its markers."""
        tokens = self._tokens
        start = int(np.random.default_rng(seed).integers(len(tokens)))
        text = self._tokenizer.decode(tokens[max(0, start - _PROMPT_TOKENS) : start])
        text += self._tokenizer.decode(tokens[start : start + _PROMPT_TOKENS])
        for document in reversed(text.split(END_OF_TEXT)):
            prompt, marker, _ = document.partition(COMPLETION_MARKER)
            if marker and START_OF_TEXT in prompt:
                return prompt.lstrip("\n") + marker
        return self._random_start(seed)

    def _random_start(self, seed: int) -> str:
        """The first word of a random paragraph, the start marker of a row, or a random token."""
        place = int(np.random.default_rng(seed).integers(len(self._tokens)))
        text = self._tokenizer.decode(self._tokens[place : place + _PROMPT_TOKENS])
        word = _FIRST_WORD.search(text)
        if word is None:
            return self._random_token(seed)
        return START_OF_TEXT if word[1].startswith(START_OF_TEXT) else word[1].rstrip("\ufffd")

    def _random_token(self, seed: int) -> str:
        """The text of a random token of the data; empty for `<|endoftext|>`."""
        token = int(self._tokens[np.random.default_rng(seed).integers(len(self._tokens))])
        if token == self._tokenizer.end_of_text:
            return ""
        return self._tokenizer.decode([token]).replace("\ufffd", "")

    def _release_decoders(self) -> None:
        """Free the decoders' memory until the next samples.

        On a CPU they must be rebuilt then anyway, since the weights have changed. On a GPU it
        is worth the time only for large models.
        """
        if runs_on_tflite(self._decoders.model.decoding_precision):
            self._decoders.clear()
        elif is_large(self._decoders.model.config):
            self._decoders.clear()
            gc.collect()  # TensorFlow graphs are part of reference cycles
