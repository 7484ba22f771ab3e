"""The public functions that generate texts, with gpt-2-simple's parameters.

New parameters are keyword-only and come last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gpt2_helpers.api.arguments import (
    CHECKPOINT_DIR,
    RUN_NAME,
    config_from,
    load_if_needed,
    novelty_from,
)
from gpt2_helpers.bulk_generation import BulkGeneration
from gpt2_helpers.config import BulkConfig, SamplingConfig
from gpt2_helpers.console import print_line, print_note, with_progress
from gpt2_helpers.data.prompt_files import given_prompts
from gpt2_helpers.generation.output_file import DEFAULT_FILE, SAMPLE_DELIM
from gpt2_helpers.generation.output_formats import choose_format
from gpt2_helpers.novel_generation import NovelGeneration
from gpt2_helpers.session import Session
from gpt2_helpers.types import DatasetPath


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
    prompts_column: str | None = None,
    output_format: str = "auto",
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
    unique: bool = False,
    novel_against: DatasetPath | None = None,
    novel_column: str | None = None,
    max_tries: int = 10,
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
        destination_path: File to write the texts to, instead of printing them. If the same call was
            interrupted, it is resumed, unless `return_as_list` is set.
        sample_delim: Text to write after each generated text, if there are several.
        prefix: Prompt that every text continues, or a list of prompts with `nsamples` texts each.
        prompt_prefix: Text put before every prompt and left out of the texts. For a run that was
            finetuned on a table, "<|startoftext|>" generates rows. Defaults to None, which adds
            nothing, unless the run was trained on prompts and completions.
        prompts: File of prompts in place of `prefix`, with `nsamples` texts each: a prompt per
            line, or a table, JSON Lines, JSON or Parquet file with a column of prompts.
        unique: Generate another text in place of each one that repeats an earlier one.
        novel_against: Training text: a file, folder, glob, URL, or a list of these. Another text is
            generated in place of each copy and near copy, as `check_memorization` counts them.

    Returns:
        The texts in the order of their prompts if `return_as_list` is set, else None. With `unique`
        or `novel_against` there may be fewer texts; a note says so.

    Raises:
        OptionError: If an option is invalid or the file can't be written.
        CheckpointError: If the run or the model is missing or damaged.
        OutOfMemoryError: If the GPU or the machine runs out of memory.

    Example:
        texts = gpt2.generate(sess, prefix="Once upon a time", length=100, return_as_list=True)
    """
    batch_size = 1 if batch_size is None else batch_size  # gpt-2-simple's command passed None
    config = config_from(SamplingConfig, locals())
    file_options = config_from(BulkConfig, locals())
    novelty = novelty_from(unique, novel_against, novel_column, max_tries)
    texts = given_prompts(prefix, prompts, column=file_options.prompts_column)
    load_if_needed(sess, run_name, checkpoint_dir, model_name, model_dir)
    _explain_prompt_prefix(sess, texts, prompt_prefix)
    total = len(texts) * nsamples
    if total == 1:
        sample_delim = ""
    written = []
    if destination_path is not None:
        output = choose_format(destination_path, file_options.output_format, sample_delim)
        arguments = (sess, texts, config, destination_path, output, print_note)
        with BulkGeneration(*arguments, not return_as_list, novelty) as bulk:
            for result in with_progress(bulk, total, bulk.n_texts):
                if return_as_list:
                    written.append(result.text)
        return written if return_as_list else None
    results = NovelGeneration(sess, novelty, print_note).results(texts, config)
    if return_as_list:
        return [result.text for result in results]
    for result in results:
        print_line(f"{result.text}\n{sample_delim}", end="")
    return None


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
    prompts_column: str | None = None,
    output_format: str = "auto",
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
    unique: bool = False,
    novel_against: DatasetPath | None = None,
    novel_column: str | None = None,
    max_tries: int = 10,
) -> None:
    """Generate texts and write them to a file, each as soon as it is complete.

    If the same call was interrupted or killed, its file is resumed: it gets the texts that it would
    have had without the interruption.

    Args:
        sess: A session from `start_tf_sess`.
        run_name: Name of the run to use.
        model_name: Pretrained model to use instead of a run.
        destination_path: File to write the texts to.
        sample_delim: Text to write after each generated text, if there are several.
        prefix: Prompt that every text continues, or a list of prompts with `nsamples` texts each.
        prompt_prefix: Text put before every prompt and left out of the texts. See `generate`.
        prompts: File of prompts in place of `prefix`, see `generate`.
        unique: Leave out duplicates, see `generate`.
        novel_against: Training text, of which copies are left out, see `generate`.

    Raises:
        OptionError: If an option is invalid or the file can't be written.
        CheckpointError: If the run or the model is missing or damaged.
        OutOfMemoryError: If the GPU or the machine runs out of memory.

    Example:
        gpt2.generate_to_file(sess, destination_path="texts.txt", nsamples=100)
    """
    generate(**locals())


def _explain_prompt_prefix(sess: Session, prompts: list[str], prompt_prefix: str | None) -> None:
    """Print what to pass if the run was finetuned on a table and the caller did not decide."""
    marker = sess.prompt_prefix
    is_decided = prompt_prefix is not None or any(str(text).startswith(marker) for text in prompts)
    if marker and not is_decided and not sess.prompt_suffix:
        print_note(
            f"{sess.run_name} was finetuned on the rows of a table: pass "
            f'prompt_prefix="{marker}" to generate rows, or prompt_prefix="" to hide this note'
        )
