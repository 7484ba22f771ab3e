"""gpt2-helpers generate: generate texts and print them or write them to files."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.command import DONE, check_files, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import PRESET, BulkConfig, NoveltyConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import fields_of, option
from gpt2_helpers.system.interrupts import deferred_interrupts
from gpt2_helpers.web.config import ServeConfig

if TYPE_CHECKING:
    from gpt2_helpers.novel_generation import NovelGeneration
    from gpt2_helpers.session import Session

SUMMARY = "generate texts with a finetuned or pretrained model"


@dataclass(frozen=True)
class OutputConfig(BulkConfig):
    """Where the prompts are read from, and where the texts are written."""

    prompts: str | None = option(
        None,
        "file of prompts: one per line, or a table, JSON Lines, JSON or Parquet file",
        default_text="none",
        is_path=True,
    )
    destination_path: str | None = option(
        None, "file to write the texts to", default_text="printed to stdout", is_path=True
    )
    nfiles: int | None = option(
        None,
        "number of files to write, named by date and time, with nsamples texts each",
        minimum=1,
    )
    folder: str | None = option(None, "folder for these files", default_text="gen", is_path=True)
    sample_delim: str | None = option(
        None, "text to write after each generated text", default_text="a line of 20 ="
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.destination_path is None and self.output_format not in ("auto", "text"):
            raise OptionError(
                f"output_format={self.output_format} needs destination_path: name a file"
            )
        if self.destination_path and self.has_folder:
            raise OptionError(
                "use destination_path for one file, or nfiles and folder for files named by date "
                "and time, not both"
            )

    @property
    def has_folder(self) -> bool:
        """Whether to write files named by date and time."""
        return self.nfiles is not None or self.folder is not None


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "generate",
        "",
        "Generate texts with a finetuned run or a pretrained model, and print them or write\n"
        "them to one file (--destination-path) or several (--nfiles).",
        (
            "--run-name run1 --nsamples 5 --length 100 --temperature 0.8",
            "--run-name titles --nsamples 20 --batch-size 20 --length 60",
            '--model-name 124M --prefix "The secret of life is" --destination-path out.txt',
        ),
    )
    parser.add_text_option(
        "--prefix",
        "prompt that the texts continue; can be repeated (default: no prompt)",
        action="append",
        metavar="TEXT",
    )
    model_options.add_model_options(parser)
    names = [field.name for field in fields_of(SamplingConfig) if field.name != "prompt_prefix"]
    parser.add_config(SamplingConfig, *names, defaults=PRESET)
    default_text = field_of(ServeConfig, "prompt_prefix").default_text
    parser.add_field(field_of(SamplingConfig, "prompt_prefix", default_text=default_text))
    parser.add_config(OutputConfig)
    parser.add_config(NoveltyConfig)
    model_options.add_loading_options(parser)
    return parser


def run(options: Namespace) -> int:
    """Load the model and generate."""
    sampling = config_from(SamplingConfig, options, PRESET)
    output = config_from(OutputConfig, options)
    novelty = config_from(NoveltyConfig, options)
    if novelty.novel_column is not None and novelty.novel_against is None:
        raise OptionError("novel_column needs novel_against, the training text with that column")
    for dataset in novelty.novel_against or ():
        check_files(dataset)
    prompts = _prompts(options, output)
    session = model_options.load_session(options)

    from gpt2_helpers.novel_generation import NovelGeneration

    if sampling.prompt_prefix is None:
        sampling = dataclasses.replace(sampling, prompt_prefix=session.prompt_prefix)
    texts = NovelGeneration(session, novelty, print_status)  # no file repeats a text of another
    for number in range(output.nfiles or 1):
        if sampling.seed is not None and number:  # the same seed would repeat the first file
            sampling = dataclasses.replace(sampling, seed=(sampling.seed + 1) % 2**63)
        if output.destination_path is not None:
            _write_file(session, prompts, sampling, output.destination_path, output, novelty)
        else:
            _write(texts, prompts, sampling, output)
    return DONE


def _prompts(options: Namespace, output: OutputConfig) -> list[str]:
    from gpt2_helpers.data.prompt_files import read_prompts

    given: list[str] | None = getattr(options, "prefix", None)
    if output.prompts is None and output.prompts_column is None:
        return given or [""]
    if output.prompts is None:
        raise OptionError("--prompts-column needs --prompts, a file with that column")
    if given:
        raise OptionError(f"use --prefix or --prompts, not both: got {given[0]!r} too")
    return read_prompts(output.prompts, output.prompts_column)


def _write_file(
    session: Session,
    prompts: list[str],
    sampling: SamplingConfig,
    path: str,
    output: OutputConfig,
    novelty: NoveltyConfig,
) -> None:
    """Write the texts to a file, or those that an interrupted command left out."""
    from gpt2_helpers.bulk_generation import BulkGeneration
    from gpt2_helpers.console import with_progress
    from gpt2_helpers.generation.output_formats import choose_format

    delimiter = _delimiter(output, len(prompts) * sampling.nsamples)
    chosen = choose_format(path, output.output_format, delimiter)
    if chosen.has_records and output.sample_delim is not None:
        raise OptionError(f"sample_delim is not possible in {chosen.name}: leave it out")
    arguments = (session, prompts, sampling, path, chosen, print_status)
    with BulkGeneration(*arguments, novelty=novelty) as bulk:
        for _ in with_progress(bulk, bulk.total, bulk.n_texts):
            pass
    print(_summary(bulk.n_texts, path), flush=True)


def _write(
    texts: NovelGeneration, prompts: list[str], sampling: SamplingConfig, output: OutputConfig
) -> None:
    """Write each text as soon as it is finished, to stdout or to a new file in the folder; Ctrl-C
    never cuts one off."""
    from gpt2_helpers.console import print_line, with_progress
    from gpt2_helpers.generation.output_file import TextWriter, new_file

    total, written = len(prompts) * sampling.nsamples, 0
    delimiter = _delimiter(output, total)
    with contextlib.closing(with_progress(texts.results(prompts, sampling), total)) as shown:
        if not output.has_folder:
            for result in shown:
                with _without_interrupts():
                    print_line(f"{result.text}\n{delimiter}", end="")
            return
        first = next(shown, None)  # invalid options raise here, before a file is created
        if first is None:
            return
        path = new_file(output.folder or "gen")
        with TextWriter(path, delimiter, print_status) as writer:
            for result in itertools.chain([first], shown):
                with _without_interrupts():
                    writer.write(result.text)
                    written += 1
    print(_summary(written, path), flush=True)


def _delimiter(output: OutputConfig, total: int) -> str:
    """The text after each text; none after a single one."""
    from gpt2_helpers.generation.output_file import SAMPLE_DELIM

    if total == 1:
        return ""
    return SAMPLE_DELIM if output.sample_delim is None else output.sample_delim


def _summary(total: int, path: str | Path) -> str:
    return f"{total} {'text' if total == 1 else 'texts'} in {path}"


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block."""
    with deferred_interrupts() as interruption:
        yield
    if interruption.requested:
        raise KeyboardInterrupt
