"""The model of a worker process, and the model handler that Beam's RunInference calls.

An element is a list of prompts or texts, each with its number in the whole job. A number and the
seed of the job determine a text, so it does not matter with which others it is computed, or how
often: a bundle that is retried gives the same texts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from gpt2_helpers.beam.storage import join, local_folder, read_file
from gpt2_helpers.checkpoint.model_files import (
    checkpoint_named_in,
    checkpoint_prefix,
    chosen_checkpoint,
    latest_checkpoint,
    weights_hash,
)
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.tensor_bundle import INDEX, MAX_INDEX_BYTES
from gpt2_helpers.config import BUNDLED_MODEL, SamplingConfig
from gpt2_helpers.data.remote_files import is_url
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.similarity import passage
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.generation.output_formats import TextSource, record_of
from gpt2_helpers.session import Session
from gpt2_helpers.system import device
from gpt2_helpers.system.bounded_files import read_bounded
from gpt2_helpers.system.files import drain

# RunInference logs this for each model, unless PyTorch is installed.
logging.root.addFilter(lambda record: "Resource module is not" not in str(record.msg))

Numbered = tuple[int, str]  # the number of a prompt or text in the job, from 0, and the text
Row = dict[str, Any]


@dataclass(frozen=True)
class ModelSource:
    """Where a worker finds the model.

    Attributes:
        model_name: A pretrained model, or None for a run.
        run_name: The run, if no model is named.
        checkpoint_dir: Folder or URL that holds the runs.
        model_dir: Folder or URL that holds the models.
        checkpoint: The checkpoint of the run.
        precision: See `Session.load_run`.
        threads: Threads of each process. Default: one per core.
    """

    model_name: str | None = None
    run_name: str = "run1"
    checkpoint_dir: str = "checkpoint"
    model_dir: str = "models"
    checkpoint: str | None = None
    precision: str = "auto"
    threads: int | None = None

    def load(self, files: ExitStack) -> Session:
        """Load the model; see `Session.load_run` and `Session.load_pretrained` for the errors.

        Args:
            files: Keeps local copies of the files until it is closed; weights are read as needed.
        """
        if self.threads is not None:
            device.set_max_threads(self.threads)
        session = Session()
        if self.model_name is None:
            folder = files.enter_context(local_folder(self.checkpoint_dir, self.run_name))
            session.load_run(self.run_name, folder, self.checkpoint, self.precision)
        else:
            folder = Path(self.model_dir)
            if self.is_remote:
                folder = files.enter_context(local_folder(self.model_dir, self.model_name))
            session.load_pretrained(self.model_name, folder, self.precision)
        return session

    @property
    def is_remote(self) -> bool:
        """Whether the files are at a URL."""
        if self.model_name is None:
            return is_url(self.checkpoint_dir)
        return is_url(self.model_dir) and self.model_name != BUNDLED_MODEL

    def version(self) -> str:
        """What identifies the weights: the checkpoint's name, and its `weights_hash`.

        Raises:
            CheckpointError: The run or model does not exist.
        """
        if not self.is_remote:
            prefix = self._local_checkpoint()
            index = read_bounded(Path(f"{prefix}{INDEX}"), MAX_INDEX_BYTES)
            return f"{prefix.name} {weights_hash(index)}"
        root = self.checkpoint_dir if self.model_name is None else self.model_dir
        folder = join(root, self.model_name or self.run_name)
        name = checkpoint_named_in(read_file(join(folder, "checkpoint")) or b"")
        if self.model_name is None and self.checkpoint not in (None, "latest"):
            name = checkpoint_prefix(Path(str(self.checkpoint))).name
        return f"{name} {weights_hash(read_file(join(folder, name + INDEX)) or b'')}"

    def _local_checkpoint(self) -> Path:
        if self.model_name is not None:
            return latest_checkpoint(model_folder(self.model_name, self.model_dir))
        run = RunFolder(self.checkpoint_dir, self.run_name).require()
        return chosen_checkpoint(run.path, self.checkpoint)


def require_seed(config: SamplingConfig) -> int:
    """The seed of a job; raises OptionError if there is none."""
    if config.seed is None:
        raise OptionError("seed is missing: without one, a retried bundle has other texts")
    return config.seed


class TextModel:
    """A loaded model that generates and scores lists of numbered texts, one list at a time.

    Args:
        source: Where the model is.
    """

    def __init__(self, source: ModelSource) -> None:
        self._files = ExitStack()
        self._session = source.load(self._files)
        self._lock = Lock()  # decoders belong to one thread; a runner may use several

    def generate(
        self, lists: Sequence[Sequence[Numbered]], config: SamplingConfig
    ) -> list[list[Row]]:
        """Generate `config.nsamples` texts for each prompt.

        Args:
            lists: Lists of prompts; all of them are one batch.
            config: The sampling options, with a seed.

        Returns:
            For each list its texts in the order of the prompts, as `record_of` describes them.
        """
        seed = require_seed(config)
        if config.prompt_prefix is None:
            config = replace(config, prompt_prefix=self._session.prompt_prefix)
        prompts = [prompt for part in lists for prompt in part]
        source = TextSource(seed, self._session.name, self._session.step)
        with self._lock:
            results = list(
                self._session.generate(
                    [text for _, text in prompts],
                    config,
                    numbers=[number for number, _ in prompts],
                    logprobs=True,
                )
            )
        rows: dict[int, list[Row]] = {}
        for result in sorted(results, key=lambda result: result.index):
            rows.setdefault(result.index // config.nsamples, []).append(record_of(result, source))
        return [[row for number, _ in part for row in rows[number]] for part in lists]

    def score(self, lists: Sequence[Sequence[Numbered]], config: ScoreConfig) -> list[list[Row]]:
        """Score texts: tokens, bytes, loss, perplexity and bits per byte of each.

        Args:
            lists: Lists of texts, none of them empty.
            config: Window, stride and precision.

        Returns:
            For each list the scores of its texts.
        """
        texts = [text for part in lists for _, text in part]
        with self._lock:
            scores = iter(list(self._session.scorer(config).score(texts)))
        model = {"model": self._session.name, "step": self._session.step}
        return [
            [
                {"index": number, "text": text, **next(scores).measures.as_json(), **model}
                for number, text in part
            ]
            for part in lists
        ]


class TextModelHandler(ModelHandler[Sequence[Numbered], PredictionResult, TextModel]):
    """Loads a model once a process, or once a machine, and generates or scores lists of texts.

    Args:
        source: Where the model is.
        config: Sampling options to generate with, or options to score with.
        batch_size: Elements (lists) that are computed together, at most.
        share_model: Whether all processes of a machine use one model, in a process of its own.
    """

    def __init__(
        self,
        source: ModelSource,
        config: SamplingConfig | ScoreConfig,
        batch_size: int = 1,
        share_model: bool = False,
    ) -> None:
        super().__init__()
        self._source, self._config = source, config
        self._batch_size, self._share_model = batch_size, share_model

    def load_model(self) -> TextModel:
        return TextModel(self._source)

    def run_inference(
        self,
        batch: Sequence[Sequence[Numbered]],
        model: TextModel,
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        if isinstance(self._config, SamplingConfig):
            rows = model.generate(batch, self._config)
        else:
            rows = model.score(batch, self._config)
        return map(PredictionResult, batch, rows)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": self._batch_size, "max_batch_size": self._batch_size}

    def share_model_across_processes(self) -> bool:
        return self._share_model

    def get_metrics_namespace(self) -> str:
        return "gpt2_helpers_inference"


class MemorizationHandler(ModelHandler[Sequence[Numbered], PredictionResult, TrainingData]):
    """Compares lists of generated texts with training text, which is read once for each batch.

    Args:
        data: The training text.
        batch_size: Elements (lists) that are compared at a time, at most.
        threads: Threads of each process. Default: one per core, at most four.
    """

    def __init__(self, data: TrainingData, batch_size: int = 1, threads: int | None = None) -> None:
        super().__init__()
        self._data, self._batch_size, self._threads = data, batch_size, threads

    def load_model(self) -> TrainingData:
        return self._data

    def run_inference(
        self,
        batch: Sequence[Sequence[Numbered]],
        model: TrainingData,
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        texts = [text for part in batch for _, text in part]
        rows = _match_rows(drain(check_texts(texts, model, self._threads, use_processes=False)))
        return [
            PredictionResult(part, [{"index": number, **next(rows)} for number, _ in part])
            for part in batch
        ]

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": self._batch_size, "max_batch_size": self._batch_size}

    def get_metrics_namespace(self) -> str:
        return "gpt2_helpers_memorization"


def _match_rows(report: OverlapReport) -> Iterator[Row]:
    for text, match in report.matches:
        yield {
            "text": text,
            "kind": match.kind,
            "similarity": round(match.similarity, 4),
            "nearest": match.nearest,
            "longest_run": match.run,
            "run": passage(text, match.run_start, match.run),
        }
