"""Generates many texts into a file, which the same call resumes after an interruption."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.config import NoveltyConfig, SamplingConfig
from gpt2_helpers.generation.bulk_file import BulkFile
from gpt2_helpers.generation.output_formats import OutputFormat, TextSource, generation_options
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.novel_generation import NovelGeneration
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import ignore
from gpt2_helpers.system.interrupts import deferred_interrupts


class BulkGeneration:
    """Texts for each prompt, written to a file as they are complete.

    A text depends on the seed and its number alone, so a file that was interrupted ends up as it
    would have without the interruption. Without a seed one is chosen, and kept with the file.

    Args:
        session: The session with the model.
        prompts: The prompts.
        config: Sampling options; `nsamples` texts are generated for each prompt.
        path: The file.
        output: Its format.
        on_message: Called with what happens to a file of an earlier call.
        resume: Whether to resume a file of the same call. Defaults to True.
        novelty: Which texts are left out. Defaults to None, which leaves out none.

    Attributes:
        total: Number of texts of the complete file, if none is missing.

    for result in BulkGeneration(session, ["Once"], config, "texts.jsonl", JsonLines()):
        print(result.text)
    """

    def __init__(
        self,
        session: Session,
        prompts: Sequence[str],
        config: SamplingConfig,
        path: str | Path,
        output: OutputFormat,
        on_message: Callable[[str], None] = ignore,
        resume: bool = True,
        novelty: NoveltyConfig | None = None,
    ) -> None:
        self._session, self._prompts = session, list(prompts)
        self._config, self._output = session.as_trained(config), output
        self._novelty = novelty or NoveltyConfig()
        self._texts = NovelGeneration(session, novelty, on_message)
        self.total = len(self._prompts) * config.nsamples
        seed = secrets.randbits(63) if config.seed is None else config.seed
        source = TextSource(seed, session.name, session.step)
        self._file = BulkFile(path, output, self._command(), source, self.total, on_message, resume)

    def __enter__(self) -> BulkGeneration:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    @property
    def n_texts(self) -> int:
        """Number of texts that the file has."""
        return self._file.n_texts

    def __iter__(self) -> Iterator[GenerationResult]:
        """Generate the missing texts, and yield each after it was written. Ctrl-C never cuts one
        off.

        Raises:
            OptionError: An option is invalid, or the file cannot be written.
            OutOfMemoryError: The device has too little memory.
        """
        file = self._file
        self._texts.restore(file.keys)
        results = self._texts.results(
            self._prompts,
            dataclasses.replace(self._config, seed=file.source.seed),
            first=file.n_done,
            n_missing=file.n_done - file.n_texts,
            logprobs=self._output.has_records,
            # A 16-bit model stays fast unless the user asked for the same texts again.
            batch_invariant=self._config.seed is not None,
        )
        for result in results:
            if result.index > file.n_done and not self._texts.is_active:
                raise KeyboardInterrupt  # which leaves a gap: the next call generates it again
            with deferred_interrupts() as interruption:
                file.write(result, self._texts.key(result.text))
            yield result
            if interruption.requested:
                raise KeyboardInterrupt
        self._file.finish()

    def _command(self) -> dict[str, Any]:
        """Everything that the texts depend on, for the record of the file."""
        model = self._session.inference_model
        prompts = json.dumps(self._prompts).encode(errors="surrogatepass")
        return {
            "model": self._session.name,
            "step": self._session.step,
            "weights": model.weights_hash,
            "base_model": self._session.base_model,
            "precision": model.decoding_precision,
            "gpt2_helpers": installed_versions()["gpt2-helpers"],
            "format": self._output.name,
            "delimiter": self._output.delimiter if self._output.name == "text" else None,
            "prompts": len(self._prompts),
            "prompts_sha256": hashlib.sha256(prompts).hexdigest(),
            "given_seed": self._config.seed,
            "options": generation_options(self._config),
            **(dataclasses.asdict(self._novelty) if self._novelty.is_active else {}),
        }
