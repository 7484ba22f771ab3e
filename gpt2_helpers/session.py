"""A session: the model that one call loads and the next ones use. It can load another at any time."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from gpt2_helpers import device
from gpt2_helpers.checkpoint import load_model, model_folder
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.finetune_run import FinetuneRun
from gpt2_helpers.generation import Piece, Text, pieces, stream
from gpt2_helpers.model import GPT2
from gpt2_helpers.runs import RunFolder
from gpt2_helpers.tokenizer import Tokenizer


class Session:
    """Holds one model at a time. `run_name` and `model_name` say which; both None while empty.

    session = Session()
    session.load_run("run1")
    texts = list(session.generate("Once upon", SamplingConfig(length=50)))
    """

    def __init__(self) -> None:
        self._model: GPT2 | None = None
        self._tokenizer: Tokenizer | None = None
        self.run_name: str | None = None
        self.model_name: str | None = None

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def model(self) -> GPT2:
        """The loaded model; CheckpointError where there is none."""
        if self._model is None:
            raise CheckpointError(
                "no model is loaded: load_gpt2(sess, run_name='run1') loads a finetuned one, "
                "load_gpt2(sess, model_name='124M') a pretrained one"
            )
        return self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The loaded model's tokenizer; CheckpointError where there is none."""
        assert self.model is not None
        assert self._tokenizer is not None
        return self._tokenizer

    def load_run(
        self,
        run_name: str = "run1",
        checkpoint_dir: str | Path = "checkpoint",
        checkpoint: str | None = None,
        precision: str = "auto",
    ) -> None:
        """Load a finetuned run, its newest checkpoint or the one named, such as 'model-500'."""
        folder = RunFolder(checkpoint_dir, run_name)
        folder.require()
        self._load(folder.path, precision, checkpoint)
        self.run_name = run_name

    def load_pretrained(
        self, model_name: str, model_dir: str | Path = "models", precision: str = "auto"
    ) -> None:
        """Load a pretrained model by name."""
        self._load(model_folder(model_name, model_dir), precision, None)
        self.model_name = model_name

    def finetune(
        self,
        dataset: str | Path,
        finetune: FinetuneConfig | None = None,
        run: RunConfig | None = None,
        data: DatasetConfig | None = None,
    ) -> FinetuneRun:
        """Open a finetuning; iterating over what is returned trains. Its model is then loaded."""
        self.close()
        opened = FinetuneRun(dataset, finetune, run, data)
        self._model, self._tokenizer = opened.model, opened.tokenizer
        self.run_name = opened.run.run_name
        return opened

    def generate(self, prompts: str | Sequence[str], config: SamplingConfig) -> Iterator[Text]:
        """Texts as they finish; see `generation.stream`."""
        return stream(self.model, self.tokenizer, prompts, config)

    def generate_pieces(
        self, prompts: str | Sequence[str], config: SamplingConfig
    ) -> Iterator[Piece]:
        """Texts piece by piece; see `generation.pieces`."""
        return pieces(self.model, self.tokenizer, prompts, config)

    def close(self) -> None:
        """Let go of the model and its memory; the session can load another."""
        self._model = self._tokenizer = None
        self.run_name = self.model_name = None
        # Compiled functions and the model hold each other: only the collector frees them.
        gc.collect()

    def _load(self, folder: Path, precision: str, checkpoint: str | None) -> None:
        self.close()
        tokenizer = Tokenizer.load(folder)
        model = load_model(folder, device.choose_precision(precision), checkpoint)
        if tokenizer.n_vocab > model.config.n_vocab:
            raise CheckpointError(
                f"{folder}: encoder.json has {tokenizer.n_vocab} pieces, hparams.json allows "
                f"{model.config.n_vocab}: they don't belong together"
            )
        self._model, self._tokenizer = model, tokenizer


def set_threads(threads: int) -> None:
    """How many threads TensorFlow may use; only before its first computation. 0 or less: all."""
    if threads > 0:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
