"""gpt2-helpers generate: a run or a model -> texts on stdout, or in one file or several."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.command import DONE
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.system.interrupts import deferred_interrupts

if TYPE_CHECKING:
    from gpt2_helpers.generation.result import GenerationResult

SUMMARY = "write texts with a finetuned run or a pretrained model"


@dataclass(frozen=True)
class OutputConfig(ValidatedConfig):
    """Where the texts go: to stdout by themselves."""

    destination_path: str | None = option(None, "file to write the texts into")
    nfiles: int | None = option(None, "files to write, nsamples texts in each", minimum=1)
    folder: str | None = option(None, "folder of those files; by itself gen")
    sample_delim: str | None = option(None, "what stands between two texts; by itself a line of =")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.destination_path and self.has_folder:
            raise OptionError(
                "destination_path names one file, nfiles and folder ask for files that are named "
                "by the time: give one or the other"
            )

    @property
    def has_folder(self) -> bool:
        """Whether files named by the time are asked for."""
        return self.nfiles is not None or self.folder is not None


def parser() -> Parser:
    """The arguments it takes."""
    parser = Parser(
        "generate",
        "",
        "Write texts with a finetuned run, or with a pretrained model. They are printed, or\n"
        "written into one file (--destination-path) or several (--nfiles).",
        (
            "--run-name run1 --nsamples 5 --length 100 --temperature 0.8",
            '--prefix "<|startoftext|>" --include-prefix False --nsamples 9 --batch-size 9',
            '--model-name 124M --prefix "The secret of life is" --destination-path out.txt',
        ),
    )
    parser.add_text_option(
        "--prefix",
        "text to go on from; given again, nsamples texts for each",
        action="append",
        metavar="TEXT",
    )
    model_options.add_names(parser)
    parser.add_config(SamplingConfig)
    parser.add_config(OutputConfig)
    model_options.add_folders(parser)
    return parser


def run(options: Namespace) -> int:
    """Load what is asked for, and write."""
    sampling, output = config_from(SamplingConfig, options), config_from(OutputConfig, options)
    session = model_options.loaded(options)
    prompts = getattr(options, "prefix", [""])
    total = len(prompts) * sampling.nsamples
    for order in range(output.nfiles or 1):
        if sampling.seed is not None and order:  # the same seed would write the same file again
            sampling = dataclasses.replace(sampling, seed=(sampling.seed + 1) % 2**63)
        _write(session.generate(prompts, sampling), total, output)
    return DONE


def _write(results: Iterator[GenerationResult], total: int, output: OutputConfig) -> None:
    """Each text as soon as it is finished, and whole even where Ctrl-C comes."""
    from gpt2_helpers.console import say, with_bar
    from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter, new_file
    from gpt2_helpers.generation.result import in_order

    delimiter = SAMPLE_DELIM if output.sample_delim is None else output.sample_delim
    if total == 1:
        delimiter = ""
    with contextlib.closing(with_bar(results, total)) as finished:
        shown = in_order(finished)
        if output.destination_path is None and not output.has_folder:
            for result in shown:
                with _unbroken():
                    say(f"{result.text}\n{delimiter}", end="")
            return
        first = next(shown)  # what is refused shows here, before a file is begun
        path = output.destination_path or new_file(output.folder or "gen")
        with TextWriter(path, delimiter) as writer:
            for result in itertools.chain([first], shown):
                with _unbroken():
                    writer.write(result.text)
    print(f"{total} {'text' if total == 1 else 'texts'} in {path}", flush=True)


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """What is done within it is done whole; an interrupt comes after."""
    with deferred_interrupts() as interruption:
        yield
    if interruption.requested:
        raise KeyboardInterrupt
