"""Progress on a terminal or in a notebook cell. Shows what the engines yield, computes nothing."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from gpt2_helpers.system.progress import Bar

if TYPE_CHECKING:
    from gpt2_helpers.generation.result import GenerationResult
    from gpt2_helpers.system.files import CopyProgress
    from gpt2_helpers.training.run import FinetuneRun, RunProgress


def say(line: str, end: str = "\n") -> None:
    """Print a line beside progress bars that may be showing; a pipe gets it at once too."""
    Bar.write(line, end=end)
    sys.stdout.flush()


def progress_line(progress: RunProgress) -> str:
    """What one step has to tell, in gpt-2-simple's form."""
    line = (
        f"[{progress.step} | {progress.seconds:2.2f}] "
        f"loss={progress.loss:2.2f} avg={progress.average_loss:2.2f}"
    )
    if progress.validation_loss is not None:
        line += f" validation={progress.validation_loss:2.2f}"
    return line


def show_finetuning(run: FinetuneRun, print_every: int = 1) -> None:
    """Train to the end with a bar, a line every `print_every` steps, and the samples."""
    for note in run.notes:
        say(note)
    told = len(run.notes)
    total = run.config.steps if run.config.steps > 0 else None
    steps = iter(run)
    bar = Bar(total=total, desc="finetuning", unit="step")
    # Closed here and not some time later: the run is saved also where a line cannot be printed.
    with closing(steps), bar:
        for progress in steps:
            bar.set_postfix_str(
                f"loss {progress.average_loss:.2f}, {progress.tokens_per_second:,.0f} tokens/s",
                refresh=False,
            )
            bar.update()
            if progress.step % print_every == 0 or progress.validation_loss is not None:
                say(progress_line(progress))
            for number, sample in enumerate(progress.samples, 1):
                say(f"======== SAMPLE {number} ========\n{sample}\n")
            for note in run.notes[told:]:
                say(note)
            told = len(run.notes)
    for note in run.notes[told:]:
        say(note)
    say(outcome(run))


def outcome(run: FinetuneRun) -> str:
    """How a finetuning ended, and where it is."""
    verb = "interrupted and saved" if run.interrupted else "saved"
    return f"{verb}: {run.folder.path}, step {run.folder.read().step}"


def with_bytes(moving: Iterable[CopyProgress], title: str) -> None:
    """Let something move to its end, with a bar of its bytes."""
    with Bar(desc=title, unit="B", unit_scale=True) as bar:
        for moved in moving:
            bar.total = moved.total
            bar.update(moved.done - bar.n)


def with_bar(
    results: Iterable[GenerationResult], total: int
) -> Generator[GenerationResult, None, None]:
    """Yield the same results and show how many are done in a progress bar."""
    with Bar(total=total, desc="generating", unit="text") as bar:
        for result in results:
            bar.update()
            yield result
