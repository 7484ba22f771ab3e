"""The session: holds the loaded model between calls, and loads, trains and generates with it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.checkpoint.model_files import (
    checkpoint_names,
    checkpoint_prefix,
    load_for_inference,
    load_model,
)
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.config import (
    BUNDLED_MODEL,
    INFERENCE_PRECISIONS,
    DatasetConfig,
    FinetuneConfig,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.data.formats import is_table
from gpt2_helpers.errors import CheckpointError, OptionError, nearest
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import Scorer
from gpt2_helpers.generation.decoders import DecoderPool, runs_on_tflite
from gpt2_helpers.generation.generate import generate, stream
from gpt2_helpers.generation.prompts import BUNDLED_MODEL_EXAMPLES, PRETRAINED_EXAMPLES
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.google import drive
from gpt2_helpers.model.lora import n_adapter_parameters
from gpt2_helpers.system import device
from gpt2_helpers.system.tensorflow_setup import free_graphs
from gpt2_helpers.tokenizer import COMPLETION_MARKER, START_OF_TEXT, Tokenizer
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
        run_name: The name of the loaded run. None if no run is loaded.
        run_folder: The folder of the loaded run. None if no run is loaded.
        base_model: The pretrained model that the run was finetuned from, if known.
        model_name: The name of the loaded pretrained model. None if none is loaded.
        prompt_prefix: What each text that the run was trained on starts with: `<|startoftext|>`
            for a table, else nothing.
        prompt_suffix: What was between prompts and completions in the training of the run, else
            nothing.
        example_prompts: Prompts to try with the loaded model, the best first.
    """

    def __init__(self) -> None:
        self._model: GPT2 | InferenceModel | None = None
        self._decoders: DecoderPool | None = None
        self._tokenizer: Tokenizer | None = None
        self.run_name: str | None = None
        self.run_folder: Path | None = None
        self.base_model: str | None = None
        self.model_name: str | None = None
        self.prompt_prefix = self.prompt_suffix = ""
        self.example_prompts: tuple[str, ...] = ()

    @property
    def is_loaded(self) -> bool:
        """Whether a model is loaded."""
        return self._model is not None

    @property
    def model(self) -> GPT2:
        """The loaded model in TensorFlow, for training and everything else.

        Without a GPU, loading a model only prepares it for generation. The first use of this
        property then loads TensorFlow, and the model again from its files.

        Raises:
            CheckpointError: No model is loaded, or its files have gone.
        """
        if isinstance(model := self.inference_model, InferenceModel):
            model = model.to_tensorflow()
            self._model, self._decoders = model, DecoderPool(model)
        return model

    @property
    def inference_model(self) -> GPT2 | InferenceModel:
        """The loaded model, in the form that generation needs.

        Raises:
            CheckpointError: No model is loaded.
        """
        if self._model is None:
            raise CheckpointError(
                "no model is loaded: load_gpt2(sess, run_name='run1') loads a finetuned one, "
                "load_gpt2(sess, model_name='124M') a pretrained one"
            )
        return self._model

    @property
    def decoders(self) -> DecoderPool:
        """The loaded model's decoders.

        Raises:
            CheckpointError: No model is loaded.
        """
        assert self.inference_model is not None
        assert self._decoders is not None
        return self._decoders

    @property
    def tokenizer(self) -> Tokenizer:
        """The loaded model's tokenizer.

        Raises:
            CheckpointError: No model is loaded.
        """
        assert self.inference_model is not None
        assert self._tokenizer is not None
        return self._tokenizer

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
            precision: One of auto, float32, bfloat16, float16 and int8. "auto" picks the fastest
                that this device is good at. int8 is for generation only.

        Raises:
            CheckpointError: There is no such run or checkpoint, or it is damaged.
            OptionError: `precision` is unknown.
        """
        folder = RunFolder(checkpoint_dir, run_name)
        run = folder.require()
        if checkpoint is not None and checkpoint != "latest":
            checkpoint = checkpoint_prefix(Path(checkpoint)).name
            names = checkpoint_names(run.path)
            if checkpoint not in names:
                raise CheckpointError(
                    f"no checkpoint {checkpoint!r} in {run.path}: there are {', '.join(names)}"
                )
        record = run.record
        self._load(run.path, precision, checkpoint)
        self._set_run(folder, record)

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
        folder = model_folder(model_name, model_dir)
        self._load(folder, precision, None)
        self.model_name = folder.name
        is_bundled = folder.name == BUNDLED_MODEL
        self.example_prompts = BUNDLED_MODEL_EXAMPLES if is_bundled else PRETRAINED_EXAMPLES

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
        if run is not None and run.backup_to_drive:
            drive.my_drive()  # fails early if Drive is not mounted
        self.close()

        from gpt2_helpers.training.run import FinetuneRun

        opened = FinetuneRun(dataset, finetune, run, data)
        if opened.run_config.backup_to_drive:
            from gpt2_helpers.google.drive_backup import DriveBackup
            from gpt2_helpers.training.callbacks import Backup

            backup = DriveBackup(
                opened.folder,
                step=opened.trainer.step,
                size=_save_bytes(opened),
                overwrite=opened.run_config.overwrite,
                on_message=opened.notes.append,
            )
            opened.callbacks.append(Backup(backup))
        self._model, self._tokenizer = opened.model, opened.tokenizer
        self._decoders = opened.decoders
        self._set_run(opened.folder, opened.record)
        return opened

    def generate(
        self, prompts: str | Sequence[str], config: SamplingConfig
    ) -> Iterator[GenerationResult]:
        """Generate `config.nsamples` texts for each prompt.

        Args:
            prompts: One prompt or several.
            config: Length, number of texts, batch size and sampling options.

        Yields:
            Each text when it is finished; `generation.result.in_order` sorts them.

        Raises:
            CheckpointError: No model is loaded.
            OptionError: A prompt leaves no room in `config.length`.
            OutOfMemoryError: The device has too little memory; says which options to lower.
        """
        return generate(self.decoders, self.tokenizer, prompts, self._as_trained(config))

    def stream(
        self, prompts: str | Sequence[str], config: SamplingConfig
    ) -> Iterator[GenerationChunk]:
        """Generate the same texts as `generate`, in chunks as tokens are generated.

        Args:
            prompts: One prompt or several.
            config: Length, number of texts, batch size and sampling options.

        Yields:
            Chunks of all texts, interleaved; the last chunk of each text has its result.

        Raises:
            CheckpointError: No model is loaded.
            OptionError: A prompt leaves no room in `config.length`.
            OutOfMemoryError: The device has too little memory; says which options to lower.
        """
        return stream(self.decoders, self.tokenizer, prompts, self._as_trained(config))

    def _as_trained(self, config: SamplingConfig) -> SamplingConfig:
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
        self._model = self._decoders = self._tokenizer = None
        self.run_name = self.run_folder = self.base_model = self.model_name = None
        self.prompt_prefix, self.prompt_suffix, self.example_prompts = "", "", ()
        # Compiled functions and the model reference each other: only the collector frees them.
        gc.collect()
        free_graphs()

    def _set_run(self, folder: RunFolder, record: RunRecord) -> None:
        self.run_name, self.run_folder = folder.name, folder.path
        self.base_model = record.base_model or None
        has_rows = record.prompt_prefix == START_OF_TEXT
        if record.prompt_prefix is None:  # recorded by an older version
            has_rows = is_table(Path(record.dataset))
        self.prompt_prefix = START_OF_TEXT if has_rows else ""
        self.prompt_suffix = COMPLETION_MARKER if record.has_prompts else ""
        self.example_prompts = tuple(record.example_prompts)

    def _load(self, folder: Path, precision: str, checkpoint: str | None) -> None:
        if precision not in INFERENCE_PRECISIONS:
            raise OptionError(
                f"precision must be one of {', '.join(INFERENCE_PRECISIONS)}, got {precision!r}"
                f"{nearest(str(precision), INFERENCE_PRECISIONS)}"
            )
        self.close()
        tokenizer = Tokenizer.load(folder)
        training_precision = device.choose_precision(precision)
        decoding_precision = device.choose_decoding_precision(precision)
        model: GPT2 | InferenceModel
        if runs_on_tflite(decoding_precision):
            model = load_for_inference(folder, training_precision, decoding_precision, checkpoint)
        else:
            model = load_model(folder, training_precision, checkpoint)
            model.decoding_precision = decoding_precision
        if tokenizer.n_vocab > model.config.n_vocab:
            raise CheckpointError(
                f"{folder}: encoder.json has {tokenizer.n_vocab} tokens, more than n_vocab="
                f"{model.config.n_vocab} in hparams.json: the files belong to different models"
            )
        decoders = DecoderPool(model)
        if isinstance(model, InferenceModel):
            decoders.get(1, 1, decoding_precision)  # reads the weights, so damage is reported here
        self._model, self._decoders, self._tokenizer = model, decoders, tokenizer


def _save_bytes(run: FinetuneRun) -> int:
    """The approximate size of one save: weights and adapters in fp32, Adam's two numbers for each
    trained parameter, and all of that twice if the best checkpoint is kept as well."""
    config = run.model.config
    numbers = trained = config.n_parameters
    if rank := run.config.lora_rank:
        trained = n_adapter_parameters(config, rank)
        numbers += trained
    if run.config.optimizer.startswith("adam"):
        numbers += 2 * trained
    return 4 * numbers * (2 if run.config.early_stopping_patience else 1)


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
