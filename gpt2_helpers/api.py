"""The public functions: those of gpt-2-simple, with the same names and parameters.

`api_setup` and `api_drive` have the rest. New parameters are keyword-only and come last. The
`Args:` sections are completed from the config fields at the end of this module.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
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
from gpt2_helpers.api_setup import (
    CHECKPOINT_DIR,
    RUN_NAME,
    download_gpt2,
    encode_csv,
    encode_dataset,
    export_gpt2,
    get_available_gpus,
    import_gpt2,
    is_gpt2_downloaded,
    load_adapter,
    load_gpt2,
    load_if_needed,
    require_session,
    reset_session,
    start_tf_sess,
    use_adapter,
)
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, LoadConfig, RunConfig, SamplingConfig
from gpt2_helpers.console import print_line, print_note, show_finetuning, with_progress
from gpt2_helpers.data.prompt_files import given_prompts
from gpt2_helpers.docstrings import document
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.loss_plot import plot_loss
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.exchange.export_config import ExportConfig
from gpt2_helpers.generation.output_file import DEFAULT_FILE, SAMPLE_DELIM, TextWriter
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session
from gpt2_helpers.types import DatasetPath
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.notebook import serve

__all__ = [
    "copy_checkpoint_from_gdrive",
    "copy_checkpoint_to_gdrive",
    "copy_file_from_gdrive",
    "copy_file_to_gdrive",
    "download_gpt2",
    "encode_csv",
    "encode_dataset",
    "export_gpt2",
    "finetune",
    "finish_upload",
    "generate",
    "generate_to_file",
    "get_available_gpus",
    "import_gpt2",
    "is_gpt2_downloaded",
    "is_mounted",
    "load_adapter",
    "load_gpt2",
    "mount_gdrive",
    "plot_loss",
    "reset_session",
    "score",
    "serve",
    "start_tf_sess",
    "use_adapter",
]


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
    configs = [_config(kind, given) for kind in (FinetuneConfig, RunConfig, DatasetConfig)]
    try:
        show_finetuning(sess.finetune(dataset, *configs), print_every)
    except Gpt2Error:
        sess.close()  # the weights may be NaN; what was saved before is intact
        raise
    gc.collect()  # frees the optimizer state, which is twice as large as the model


def generate(
    sess: Session,
    run_name: str = RUN_NAME,
    checkpoint_dir: str | Path = CHECKPOINT_DIR,
    model_name: str | None = None,
    model_dir: str | Path = "models",
    sample_dir: str | Path = "samples",
    return_as_list: bool = False,
    truncate: str | Sequence[str] | None = None,
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
    *,
    prompt_prefix: str | None = None,
    prompt_suffix: str | None = None,
    prompts: str | Path | None = None,
    finish_sentence: bool = False,
    min_p: float = 0.0,
    typical_p: float = 0.0,
    repetition_penalty: float = 1.0,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
    no_repeat_ngram_size: int = 0,
    banned_words: Sequence[str] | None = None,
    logit_bias: Mapping[str, float] | None = None,
    best_of: int = 0,
    best_of_by: str = "mean",
    choices: Sequence[str] | None = None,
    regex: str | None = None,
) -> list[str] | None:
    """Generate texts: print them, return them as a list, or write them to a file.

    The model is the run or pretrained model that is named; it is loaded if necessary. If none is
    named, the session's current model is used, or run1 if the session is empty. A finetuned run
    stays loaded if `model_name` is the model that it was finetuned from.

    Args:
        sess: A session from `start_tf_sess`.
        run_name: Name of the run to use.
        model_name: Pretrained model to use instead of a run.
        sample_dir: Ignored; accepted for compatibility with gpt-2-simple.
        return_as_list: Return the texts instead of printing them.
        destination_path: File to write the texts to, instead of printing them.
        sample_delim: Text to write after each generated text, if there are several.
        prefix: Prompt that every text continues, or a list of prompts with `nsamples` texts each.
        prompt_prefix: Text put before every prompt and left out of the texts. For a run that was
            finetuned on a table, "<|startoftext|>" generates rows. Defaults to None, which puts
            nothing there, unless the run was trained on prompts and completions.
        prompts: File of prompts in place of `prefix`, with `nsamples` texts each: a prompt per
            line, or a table, JSON or Parquet file with the column `prompt`.

    Returns:
        The texts in the order of their prompts if `return_as_list` is set, else None.

    Raises:
        OptionError: If an option is invalid or the file can't be written.
        CheckpointError: If the run or the model is missing or damaged.
        OutOfMemoryError: If the GPU or the machine runs out of memory.

    Example:
        texts = gpt2.generate(sess, prefix="Once upon a time", length=100, return_as_list=True)
    """
    batch_size = 1 if batch_size is None else batch_size  # gpt-2-simple's command passed None
    config = _config(SamplingConfig, locals())
    texts = given_prompts(prefix, prompts)
    load_if_needed(sess, run_name, checkpoint_dir, model_name, model_dir)
    _explain_prompt_prefix(sess, texts, prompt_prefix)
    total = len(texts) * nsamples
    results = in_order(sess.generate(texts, config))
    if total == 1:
        sample_delim = ""
    written = []
    if destination_path is not None:
        with TextWriter(destination_path, sample_delim, print_note) as writer:
            for result in with_progress(results, total):
                writer.write(result.text)
                if return_as_list:
                    written.append(result.text)
    elif return_as_list:
        written = [result.text for result in results]
    else:
        for result in results:
            print_line(f"{result.text}\n{sample_delim}", end="")
    return written if return_as_list else None


def generate_to_file(
    sess: Session,
    run_name: str = RUN_NAME,
    checkpoint_dir: str | Path = CHECKPOINT_DIR,
    model_name: str | None = None,
    model_dir: str | Path = "models",
    truncate: str | Sequence[str] | None = None,
    destination_path: str | Path = DEFAULT_FILE,
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
    *,
    prompt_prefix: str | None = None,
    prompt_suffix: str | None = None,
    prompts: str | Path | None = None,
    finish_sentence: bool = False,
    min_p: float = 0.0,
    typical_p: float = 0.0,
    repetition_penalty: float = 1.0,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
    no_repeat_ngram_size: int = 0,
    banned_words: Sequence[str] | None = None,
    logit_bias: Mapping[str, float] | None = None,
    best_of: int = 0,
    best_of_by: str = "mean",
    choices: Sequence[str] | None = None,
    regex: str | None = None,
) -> None:
    """Generate texts and write them to a file, each as soon as it is complete.

    Args:
        sess: A session from `start_tf_sess`.
        run_name: Name of the run to use.
        model_name: Pretrained model to use instead of a run.
        destination_path: File to write the texts to.
        sample_delim: Text to write after each generated text, if there are several.
        prefix: Prompt that every text continues, or a list of prompts with `nsamples` texts each.
        prompt_prefix: Text put before every prompt and left out of the texts. See `generate`.
        prompts: File of prompts in place of `prefix`, see `generate`.

    Raises:
        OptionError: If an option is invalid or the file can't be written.
        CheckpointError: If the run or the model is missing or damaged.
        OutOfMemoryError: If the GPU or the machine runs out of memory.

    Example:
        gpt2.generate_to_file(sess, destination_path="texts.txt", nsamples=100)
    """
    generate(**locals())


def score(
    sess: Session,
    text: str | Sequence[str],
    run_name: str = RUN_NAME,
    checkpoint_dir: str | Path = CHECKPOINT_DIR,
    model_name: str | None = None,
    model_dir: str | Path = "models",
    *,
    stride: int | None = None,
    window: int | None = None,
    prompt_prefix: str | None = None,
    precision: str = "float32",
) -> TextScore | list[TextScore]:
    """Compute how likely a text is: the log-probability of each of its tokens.

    The model is chosen as in `generate`. A text that is longer than the model's context is scored
    with a window that moves over it. The first token follows an `<|endoftext|>`, as in training.

    Args:
        sess: A session from `start_tf_sess`.
        text: The text, or a list of texts, which are computed in batches.
        run_name: Name of the run to use.
        model_name: Pretrained model to use instead of a run.

    Returns:
        A `TextScore`, or a list of them for a list of texts. `tokens`, `ids` and `logprobs` have
        one entry per token: its text, its id, and the natural logarithm of its probability.
        `total` is their sum; `loss` (nats per token), `perplexity` and `bits_per_byte` are those of
        the text.

    Raises:
        OptionError: If an option is invalid, or `text` is not a string or a list of strings.
        DatasetError: If a text is empty.
        CheckpointError: If the run or the model is missing or damaged.

    Example:
        score = gpt2.score(sess, "Once upon a time")
        print(score.perplexity, list(zip(score.tokens, score.logprobs)))
    """
    config = _config(ScoreConfig, locals())
    texts = given_prompts(text, option="text")
    load_if_needed(sess, run_name, checkpoint_dir, model_name, model_dir)
    scores = list(sess.scorer(config).score(texts))
    return scores[0] if isinstance(text, str) else scores


def _config(kind: type, given: dict[str, Any]) -> Any:
    """Create a config dataclass from a function's arguments."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: given[name] for name in names if name in given})


def _explain_prompt_prefix(sess: Session, prompts: list[str], prompt_prefix: str | None) -> None:
    """Print what to pass if the run was finetuned on a table and the caller did not decide."""
    marker = sess.prompt_prefix
    is_decided = prompt_prefix is not None or any(str(text).startswith(marker) for text in prompts)
    if marker and not is_decided and not sess.prompt_suffix:
        print_note(
            f"{sess.run_name} was finetuned on the rows of a table: pass "
            f'prompt_prefix="{marker}" to generate rows, or prompt_prefix="" to hide this note'
        )


_OPTIONS: dict[str, tuple[type, ...]] = {
    "finetune": (FinetuneConfig, RunConfig, DatasetConfig),
    "load_gpt2": (LoadConfig, RunConfig),
    "export_gpt2": (RunConfig, ExportConfig),
    "generate": (SamplingConfig, RunConfig),
    "generate_to_file": (SamplingConfig, RunConfig),
    "score": (ScoreConfig, RunConfig),
}
for _name in __all__:
    document(
        globals()[_name], *_OPTIONS.get(_name, (RunConfig, DatasetConfig)), keywords=ServeConfig
    )
