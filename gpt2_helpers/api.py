"""gpt-2-simple's functions, by name and parameter, each a thin call of the modules under it.

What is new is keyword-only and comes after. A session can load and finetune again and again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gpt2_helpers.api_drive import (
    copy_checkpoint_from_gdrive,
    copy_checkpoint_to_gdrive,
    copy_file_from_gdrive,
    copy_file_to_gdrive,
    finish_upload,
    is_mounted,
    mount_gdrive,
)
from gpt2_helpers.checkpoint import model_download
from gpt2_helpers.checkpoint.model_files import model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.console import say, show_finetuning, with_bar
from gpt2_helpers.data import dataset as datasets
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.evaluation.loss_plot import plot_loss
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session, set_threads
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer
from gpt2_helpers.web.notebook import serve

__all__ = [
    "copy_checkpoint_from_gdrive",
    "copy_checkpoint_to_gdrive",
    "copy_file_from_gdrive",
    "copy_file_to_gdrive",
    "download_gpt2",
    "encode_csv",
    "encode_dataset",
    "finetune",
    "finish_upload",
    "generate",
    "generate_to_file",
    "get_available_gpus",
    "is_gpt2_downloaded",
    "is_mounted",
    "load_gpt2",
    "mount_gdrive",
    "plot_loss",
    "reset_session",
    "serve",
    "start_tf_sess",
]


class Unsaid(str):
    """A parameter's default, which can be told from the same text given by a caller."""


RUN_NAME, CHECKPOINT_DIR = Unsaid("run1"), Unsaid("checkpoint")


def download_gpt2(model_dir: str | Path = "models", model_name: str = "124M") -> None:
    """Fetch a model's seven files into `model_dir/model_name`; DownloadError where they don't come.

    What is there whole is not fetched again, and a broken download goes on where it stopped.
    """
    model_download.download_model(model_name, model_dir)


def is_gpt2_downloaded(model_dir: str | Path = "models", model_name: str = "124M") -> bool:
    """Whether all seven files of a model are in `model_dir/model_name`."""
    return model_download.is_downloaded(model_name, model_dir)


def start_tf_sess(threads: int = -1, server: Any = None) -> Session:
    """A new, empty session. `server`, once TensorFlow 1's, is taken and not needed."""
    set_threads(threads)
    return Session()


def reset_session(sess: Session, threads: int = -1, server: Any = None) -> Session:
    """Let go of a session's model and start a new session. Never needed before loading another."""
    _check(sess)
    sess.close()
    return start_tf_sess(threads, server)


def get_available_gpus() -> list[str]:
    """TensorFlow's names of the GPUs that can be used."""
    return [gpu.device for gpu in device.gpus()]


def finetune(
    sess: Session,
    dataset: str | Path,
    steps: int = 1000,
    model_name: str = "124M",
    model_dir: str | Path = "models",
    combine: int = 50000,
    batch_size: int = 1,
    learning_rate: float = 0.0001,
    accumulate_gradients: int = 5,
    restore_from: str | Path = "latest",
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    sample_every: int = 100,
    sample_length: int = 1023,
    sample_num: int = 1,
    multi_gpu: bool = False,
    save_every: int = 1000,
    print_every: int = 1,
    max_checkpoints: int = 1,
    use_memory_saving_gradients: bool = False,
    only_train_transformer_layers: bool = False,
    optimizer: str = "adam",
    overwrite: bool = False,
    reuse: bool = False,
    *,
    column: str | None = None,
    backup_to_drive: bool = False,
    dropout: float = 0.0,
    early_stopping_patience: int = 0,
    max_grad_norm: float = 0.0,
    legacy_tokens: bool = False,
    lora_rank: int = 0,
    precision: str = "auto",
    sample_dir: str | Path = "samples",
    lr_schedule: str = "constant",
    seed: int | None = None,
    eval_every: int = 100,
    validation_data: str | Path | None = None,
    validation_split: float = 0.0,
    warmup_steps: int = 0,
    weight_decay: float | None = None,
) -> None:
    """Finetune a model on `dataset` (a file, folder or glob) for `steps` more steps.

    The result is in `checkpoint_dir/run_name` and stays loaded in `sess`. What each option means
    stands in `config`; `reuse`, once needed by TensorFlow 1, is taken and not needed. An interrupt
    saves and returns. With `backup_to_drive` a disconnect costs no more than `save_every` steps:
    let those take longer than an upload to Google Drive does.
    """
    given = locals()
    _check(sess)
    configs = [_config(kind, given) for kind in (FinetuneConfig, RunConfig, DatasetConfig)]
    try:
        show_finetuning(sess.finetune(dataset, *configs), print_every)
    except Gpt2Error:
        sess.close()  # a model whose loss is no number any more writes nothing: the saved one does
        raise
    gc.collect()  # the optimizer, twice as large as the model, is needed no longer


def load_gpt2(
    sess: Session,
    checkpoint: str = "latest",
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str | None = None,
    model_dir: str | Path = "models",
    multi_gpu: bool = False,
    reuse: bool = False,
    *,
    precision: str = "auto",
) -> None:
    """Load a finetuned run, or with `model_name` a pretrained model, in place of what was loaded.

    `checkpoint` names another than the newest, such as 'model-500'. `multi_gpu` and `reuse` are
    taken and not needed.
    """
    _check(sess)
    if model_name:
        sess.load_pretrained(model_name, model_dir, precision)
        say(f"loaded the pretrained model {model_name}")
    else:
        sess.load_run(run_name, checkpoint_dir, checkpoint, precision)
        say(f"loaded {run_name}")


def generate(
    sess: Session,
    run_name: str = RUN_NAME,
    checkpoint_dir: str | Path = CHECKPOINT_DIR,
    model_name: str | None = None,
    model_dir: str | Path = "models",
    sample_dir: str | Path = "samples",
    return_as_list: bool = False,
    truncate: str | None = None,
    destination_path: str | Path | None = None,
    sample_delim: str = SAMPLE_DELIM,
    prefix: str | Sequence[str] | None = None,
    seed: int | None = None,
    nsamples: int = 1,
    batch_size: int = 1,
    length: int = 1023,
    temperature: float = 0.7,
    top_k: int = 0,
    top_p: float = 0.0,
    include_prefix: bool = True,
) -> list[str] | None:
    """Write `nsamples` texts with a model: printed, returned as a list, or into a file.

    Which model: the run or pretrained model that is named, loaded if it isn't; where none is, the
    one that the session holds, else run1. A run whose base is `model_name` stays loaded. `length`
    counts the prefix in. Several prefixes give `nsamples` texts each, in their order. `sample_dir`
    is taken and not needed. Raises OptionError for an option that cannot be, CheckpointError where
    there is no such model.
    """
    batch_size = 1 if batch_size is None else batch_size  # gpt-2-simple's command passed None
    config = _config(SamplingConfig, locals())
    prompts = _prompts(prefix)
    _load_if_needed(sess, run_name, checkpoint_dir, model_name, model_dir)
    total = len(prompts) * nsamples
    results = in_order(sess.generate(prompts, config))
    if total == 1:
        sample_delim = ""
    written = []
    if destination_path is not None:
        with TextWriter(destination_path, sample_delim) as writer:
            for result in with_bar(results, total):
                writer.write(result.text)
                if return_as_list:
                    written.append(result.text)
    elif return_as_list:
        written = [result.text for result in results]
    else:
        for result in results:
            print(f"{result.text}\n{sample_delim}", end="", flush=True)
    return written if return_as_list else None


def generate_to_file(
    sess: Session,
    run_name: str = RUN_NAME,
    checkpoint_dir: str | Path = CHECKPOINT_DIR,
    model_name: str | None = None,
    model_dir: str | Path = "models",
    truncate: str | None = None,
    destination_path: str | Path = "gpt_2_gen_texts.txt",
    sample_delim: str = SAMPLE_DELIM,
    prefix: str | Sequence[str] | None = None,
    seed: int | None = None,
    nsamples: int = 1,
    batch_size: int = 1,
    length: int = 1023,
    temperature: float = 0.7,
    top_k: int = 0,
    top_p: float = 0.0,
    include_prefix: bool = True,
) -> None:
    """The same texts into the file `destination_path`, each as soon as its turn has come."""
    generate(**locals())


def encode_csv(
    csv_path: str | Path,
    out_path: str | Path = "csv_encoded.txt",
    header: bool = True,
    start_token: str = START_OF_TEXT,
    end_token: str = END_OF_TEXT,
    *,
    column: str | None = None,
) -> None:
    """Write a one-column CSV as a text file, each row between the two marks."""
    for note in datasets.encode_csv(
        csv_path, out_path, header, start_token, end_token, column=column
    ):
        say(note)


def encode_dataset(
    file_path: str | Path,
    model_dir: str | Path = "models",
    out_path: str | Path = "text_encoded.npz",
    model_name: str = "124M",
    combine: int = 50000,
    *,
    column: str | None = None,
    legacy_tokens: bool = False,
) -> None:
    """Encode a dataset once, with a model's tokenizer, into an .npz that `finetune` takes."""
    tokenizer = Tokenizer.load(model_folder(model_name, model_dir))
    encoded = datasets.encode_dataset(
        file_path, tokenizer, out_path, combine, column=column, legacy_tokens=legacy_tokens
    )
    for line in encoded.describe(n_ctx=0):
        say(line)


def _config(kind: type, given: dict[str, Any]) -> Any:
    """A config dataclass from those of a call's arguments that are its fields."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    values = {name: given[name] for name in names if name in given}
    if kind is RunConfig:
        values = {n: str(v) if isinstance(v, Path) else v for n, v in values.items()}
    return kind(**values)


def _check(sess: Session) -> None:
    if not isinstance(sess, Session):
        raise OptionError(
            f"sess must be a session, got {type(sess).__name__}: sess = gpt2.start_tf_sess()"
        )


def _prompts(prefix: str | Sequence[str] | None) -> list[str]:
    if prefix is None or isinstance(prefix, str):
        return [prefix or ""]
    if not isinstance(prefix, Iterable) or not (prompts := list(prefix)):
        raise OptionError(f"prefix must be a text or a list of texts, got {prefix!r}")
    return prompts


def _load_if_needed(
    sess: Session,
    run_name: str,
    checkpoint_dir: str | Path,
    model_name: str | None,
    model_dir: str | Path,
) -> None:
    """Load what was named, unless the session holds it; where nothing was, keep what it holds."""
    _check(sess)
    if model_name:
        # gpt-2-simple's callers name the base model beside a session that has been finetuned.
        base_of_run = sess.run_name is not None and sess.base_model in (None, model_name)
        if sess.model_name != model_name and not base_of_run:
            sess.load_pretrained(model_name, model_dir)
        return
    folder = RunFolder(checkpoint_dir, run_name).path
    held = sess.is_loaded
    if not isinstance(run_name, Unsaid):
        held = run_name == sess.run_name
    if not isinstance(checkpoint_dir, Unsaid):
        held = held and folder == sess.run_folder
    if not held:
        sess.load_run(run_name, checkpoint_dir)
