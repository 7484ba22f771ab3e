"""The session: holds the loaded model between calls, and loads, trains and generates with it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2_helpers import loaded_model
from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import (
    DatasetConfig,
    FinetuneConfig,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.errors import CheckpointError, OptionError, nearest
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import Scorer
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate, stream
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.google import drive
from gpt2_helpers.loaded_model import LoadedModel
from gpt2_helpers.system import device
from gpt2_helpers.system.cluster import is_chief
from gpt2_helpers.system.tensorflow_setup import free_graphs
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import DatasetPath

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2
    from gpt2_helpers.training.run import FinetuneRun


class Session:
    """Holds one model at a time, and can load another at any time. Not thread-safe.

    session = Session()
    session.load_run("run1")
    for result in session.generate("Once upon", SamplingConfig(length=50)):
        print(result.text)

    Attributes:
        adapter: The name of the adapter in use. None without one.
    """

    def __init__(self) -> None:
        self._base: LoadedModel | None = None
        self._adapters: dict[str, LoadedModel] = {}
        self.adapter: str | None = None

    @property
    def _current(self) -> LoadedModel | None:
        return self._base if self.adapter is None else self._adapters[self.adapter]

    @property
    def _loaded(self) -> LoadedModel:
        if self._current is None:
            raise CheckpointError(
                "no model is loaded: load_gpt2(sess, run_name='run1') loads a finetuned one, "
                "load_gpt2(sess, model_name='124M') a pretrained one"
            )
        return self._current

    @property
    def is_loaded(self) -> bool:
        """Whether a model is loaded."""
        return self._current is not None

    @property
    def model(self) -> GPT2:
        """The loaded model in TensorFlow, for training and everything else.

        Without a GPU, loading a model only prepares it for generation. The first use of this
        property then loads TensorFlow, and the model again from its files.

        Raises:
            CheckpointError: No model is loaded, or its files no longer exist.
        """
        return self._loaded.to_tensorflow()

    @property
    def inference_model(self) -> GPT2 | InferenceModel:
        """The loaded model, in the form that generation needs.

        Raises:
            CheckpointError: No model is loaded.
        """
        return self._loaded.model

    @property
    def decoders(self) -> DecoderPool:
        """The loaded model's decoders.

        Raises:
            CheckpointError: No model is loaded.
        """
        return self._loaded.decoders

    @property
    def tokenizer(self) -> Tokenizer:
        """The loaded model's tokenizer.

        Raises:
            CheckpointError: No model is loaded.
        """
        return self._loaded.tokenizer

    @property
    def run_name(self) -> str | None:
        """The name of the loaded run. None if no run is loaded."""
        return self._current.run_name if self._current else None

    @property
    def run_folder(self) -> Path | None:
        """The folder of the loaded run. None if no run is loaded."""
        return self._current.run_folder if self._current else None

    @property
    def base_model(self) -> str | None:
        """The pretrained model that the run was finetuned from, if known."""
        return self._current.base_model if self._current else None

    @property
    def model_name(self) -> str | None:
        """The name of the loaded pretrained model. None if none is loaded."""
        return self._current.model_name if self._current else None

    @property
    def name(self) -> str:
        """The name of the loaded run or pretrained model."""
        return self.run_name or self.model_name or "a model"

    @property
    def step(self) -> int | None:
        """Optimizer steps of the loaded checkpoint. None if no run is loaded."""
        return self._current.step if self._current else None

    @property
    def prompt_prefix(self) -> str:
        """The start of each text that the run was trained on: `<|startoftext|>` for a table, else
        empty."""
        return self._current.prompt_prefix if self._current else ""

    @property
    def prompt_suffix(self) -> str:
        """The marker between prompts and completions that the run was trained with, else empty."""
        return self._current.prompt_suffix if self._current else ""

    @property
    def example_prompts(self) -> tuple[str, ...]:
        """Prompts to try with the loaded model, the best first."""
        return self._current.example_prompts if self._current else ()

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the loaded adapters."""
        return tuple(self._adapters)

    def load_run(
        self,
        run_name: str = "run1",
        checkpoint_dir: str | Path = "checkpoint",
        checkpoint: str | None = None,
        precision: str = "auto",
    ) -> None:
        """Load a finetuned run.

        Args:
            run_name: Name of the run.
            checkpoint_dir: Folder that holds the runs.
            checkpoint: Name of a checkpoint, such as "model-500" (default: the newest).
            precision: One of auto, float32, bfloat16, float16 and int8. "auto" picks the best one
                for this device. int8 is for generation only.

        Raises:
            CheckpointError: The run or checkpoint does not exist or is damaged.
            OptionError: `precision` is unknown.
        """
        self._base = loaded_model.load_run(
            run_name, checkpoint_dir, checkpoint, precision, before=self.close
        )

    def load_pretrained(
        self, model_name: str, model_dir: str | Path = "models", precision: str = "auto"
    ) -> None:
        """Load a pretrained model.

        Args:
            model_name: Name of the model, such as "124M", or "tiny" for the bundled one.
            model_dir: Folder that holds the models.
            precision: See `load_run`.

        Raises:
            CheckpointError: The model is not there, or it is damaged.
            OptionError: `precision` is unknown.
        """
        self._base = loaded_model.load_pretrained(
            model_name, model_dir, precision, before=self.close
        )

    def load_named(
        self,
        name: str,
        checkpoint_dir: str | Path = "checkpoint",
        model_dir: str | Path = "models",
        precision: str = "auto",
    ) -> None:
        """Load the run of this name, or the pretrained model if it does not exist.

        Args:
            name: Name of a run or of a pretrained model.
            checkpoint_dir: Folder that holds the runs.
            model_dir: Folder that holds the models.
            precision: See `load_run`.

        Raises:
            CheckpointError: There is neither, or it is damaged.
            OptionError: `precision` is unknown.
        """
        if RunFolder(checkpoint_dir, name).read().checkpoint is not None:
            self.load_run(name, checkpoint_dir, precision=precision)
        else:
            self.load_pretrained(name, model_dir, precision)

    def load_adapter(
        self, run_name: str, checkpoint_dir: str | Path = "checkpoint", name: str | None = None
    ) -> None:
        """Load the LoRA adapters of a run of the loaded model, for `use_adapter`.

        They are kept merged into the weights, so texts are the same as those of the run loaded
        alone.

        Args:
            run_name: Name of a run that was finetuned with `lora_rank` from the loaded model.
            checkpoint_dir: Folder that holds the runs.
            name: Name of the adapter (default: that of the run).

        Raises:
            CheckpointError: No model is loaded, there is no such run, it has no adapters, or it was
                finetuned from another model.
        """
        if self._base is None:
            raise CheckpointError("no model is loaded: load the adapters' base model first")
        name = name or run_name
        self._adapters[name] = loaded_model.load_adapter(self._base, run_name, checkpoint_dir)

    def use_adapter(self, name: str | None) -> None:
        """Generate with one of `adapters` from now on, or without one if the name is None.

        Raises:
            OptionError: No adapter of this name is loaded.
        """
        if name is not None and name not in self._adapters:
            raise OptionError(
                f"no adapter {name!r}{nearest(name, self.adapters)}: "
                f"{', '.join(self.adapters) or 'none'} loaded, load_adapter loads another"
            )
        self.adapter = name

    def finetune(
        self,
        dataset: DatasetPath,
        finetune: FinetuneConfig | None = None,
        run: RunConfig | None = None,
        data: DatasetConfig | None = None,
    ) -> FinetuneRun:
        """Prepare a finetuning run, whose model is then loaded. Iterate over the run to train.

        Args:
            dataset: A text, CSV, TSV or encoded file (.npz), a folder, a glob, or a list of these.
            finetune: How to train (default: all defaults of `FinetuneConfig`).
            run: Which model to start from, and what to save (default: all defaults of `RunConfig`).
            data: How to read the dataset (default: all defaults of `DatasetConfig`).

        Returns:
            The run, whose model is the session's from now on.

        Raises:
            CheckpointError: The base model or the run cannot be read.
            DatasetError: The dataset cannot be read.
            DriveError: `run.backup_to_drive` is set, and Google Drive is not mounted or is full.
            OptionError: Options contradict each other.
        """
        if run is not None and run.backup_to_drive and is_chief():
            drive.my_drive()  # fails early if Drive is not mounted
        self.close()

        from gpt2_helpers.training.run import FinetuneRun

        opened = FinetuneRun(dataset, finetune, run, data)
        if opened.run_config.backup_to_drive and opened.workers.is_chief:
            from gpt2_helpers.google.drive_backup import DriveBackup
            from gpt2_helpers.training.callbacks import Backup
            from gpt2_helpers.training.memory import save_bytes

            backup = DriveBackup(
                opened.folder,
                step=opened.trainer.step,
                size=save_bytes(opened.model.config, opened.config),
                overwrite=opened.run_config.overwrite,
                on_message=opened.notes.append,
            )
            opened.callbacks.append(Backup(backup))
        self._base = LoadedModel(opened.model, opened.decoders, opened.tokenizer)
        self._base.set_run(opened.folder, opened.record)
        return opened

    def generate(
        self, prompts: str | Sequence[str], config: SamplingConfig, **more: Any
    ) -> Iterator[GenerationResult]:
        """Generate `config.nsamples` texts for each prompt.

        Args:
            prompts: One prompt or several.
            config: Length, number of texts, batch size and sampling options.
            **more: See `generate` of generation/generate.py.

        Yields:
            Each text when it is finished; `generation.result.in_order` sorts them.

        Raises:
            CheckpointError: No model is loaded.
            OptionError: A prompt leaves no room in `config.length`.
            OutOfMemoryError: The device has too little memory; says which options to lower.
        """
        return generate(self.decoders, self.tokenizer, prompts, self.as_trained(config), **more)

    def stream(
        self, prompts: str | Sequence[str], config: SamplingConfig, **more: Any
    ) -> Iterator[GenerationChunk]:
        """Generate the same texts as `generate`, in chunks as tokens are generated.

        Args:
            prompts: One prompt or several.
            config: Length, number of texts, batch size and sampling options.
            **more: See `stream` of generation/generate.py.

        Yields:
            Chunks of all texts, interleaved; the last chunk of each text has its result.

        Raises:
            CheckpointError: No model is loaded.
            OptionError: A prompt leaves no room in `config.length`.
            OutOfMemoryError: The device has too little memory; says which options to lower.
        """
        return stream(self.decoders, self.tokenizer, prompts, self.as_trained(config), **more)

    def as_trained(self, config: SamplingConfig) -> SamplingConfig:
        """The options with the markers that a run of prompts and completions was trained with."""
        if not self.prompt_suffix or config.prompt_suffix is not None:
            return config
        prefix = self.prompt_prefix if config.prompt_prefix is None else config.prompt_prefix
        return replace(config, prompt_prefix=prefix, prompt_suffix=self.prompt_suffix)

    def scorer(self, config: ScoreConfig | None = None) -> Scorer:
        """Return what scores texts with the loaded model: `scorer().score(["It was", "Why?"])`.

        Args:
            config: Window, stride and precision (default: all defaults of `ScoreConfig`).

        Raises:
            CheckpointError: No model is loaded.
            OptionError: The window, the stride or the prefix is too long for the model.
        """
        return Scorer(self.decoders, self.tokenizer, config, self.prompt_prefix)

    def close(self) -> None:
        """Release the model and its memory. The session can load another."""
        self._base, self._adapters, self.adapter = None, {}, None
        # Compiled functions and the model reference each other: only the collector frees them.
        gc.collect()
        free_graphs()


def set_threads(threads: int) -> None:
    """Limit the number of threads; 0 or less sets no limit.

    TensorFlow accepts a limit only before its first computation. Later calls only warn.
    """
    if threads <= 0:
        return
    device.set_max_threads(threads)

    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        warnings.warn(
            f"threads={threads} has no effect: set it before TensorFlow's first computation",
            stacklevel=3,
        )
