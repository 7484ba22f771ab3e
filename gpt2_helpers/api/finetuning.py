"""The public function that finetunes, with gpt-2-simple's parameters; new ones are keyword-only."""

from __future__ import annotations

import gc
from pathlib import Path

from gpt2_helpers.api.arguments import config_from, require_session
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.console import show_finetuning
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.session import Session
from gpt2_helpers.system.cluster import read_cluster
from gpt2_helpers.system.tensorflow_setup import load_tensorflow
from gpt2_helpers.types import DatasetPath


def finetune(
    sess: Session,
    dataset: DatasetPath,
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
    deduplicate: bool = False,
    dropout: float = 0.0,
    encoding: str | None = None,
    early_stopping_patience: int = 0,
    early_stopping_monitor: str = "validation_loss",
    max_grad_norm: float = 0.0,
    legacy_tokens: bool = False,
    lora_rank: int = 0,
    keywords_from: str | None = None,
    precision: str = "auto",
    prompt_column: str | None = None,
    sample_dir: str | Path = "samples",
    lr_schedule: str = "constant",
    seed: int | None = None,
    strip_boilerplate: bool = False,
    unwrap: bool = False,
    eval_every: int = 100,
    validation_data: str | Path | None = None,
    validation_split: float = 0.0,
    warmup_steps: int = 0,
    weight_decay: float | None = None,
    windows: str = "auto",
) -> None:
    """Finetune a model on your own text.

    The run is saved in `checkpoint_dir/run_name`, and the finetuned model stays loaded in `sess`.
    If the run already exists, training resumes for `steps` more steps and `model_name` is ignored.
    Except for the bundled `tiny`, a new run needs a model that was downloaded with `download_gpt2`.
    Ctrl-C saves the run and returns. With `backup_to_drive`, a disconnect loses at most
    `save_every` steps, provided that they take longer than uploading a checkpoint.

    Args:
        sess: A session from `start_tf_sess`.
        dataset: File (.txt, .csv, .jsonl, .parquet, .npz ...), folder with its subfolders, glob,
            URL, or a list of these.
        reuse: Ignored; accepted for compatibility with gpt-2-simple.

    Raises:
        OptionError: If an option is invalid.
        DatasetError: If the dataset is missing or can't be trained on.
        CheckpointError: If the model or the run is missing or damaged.
        DriveError: If `backup_to_drive` is set and Google Drive is not mounted or is full.
        OutOfMemoryError: If the GPU or the machine runs out of memory.

    Example:
        gpt2.download_gpt2(model_name="124M")
        sess = gpt2.start_tf_sess()
        gpt2.finetune(sess, "titles.csv", model_name="124M", steps=500)
    """
    given = locals()
    require_session(sess)
    configs = [config_from(kind, given) for kind in (FinetuneConfig, RunConfig, DatasetConfig)]
    if read_cluster() is None:  # else the other workers must be joined first
        load_tensorflow()
    try:
        show_finetuning(sess.finetune(dataset, *configs), print_every)
    except Gpt2Error:
        sess.close()  # the weights may be NaN; what was saved before is intact
        raise
    gc.collect()  # frees the optimizer state, which is twice as large as the model
