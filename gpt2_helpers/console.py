"""Progress in a terminal or a notebook cell: prints what training and generation yield."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from gpt2_helpers import errors
from gpt2_helpers.system.progress import Bar
from gpt2_helpers.system.text_encoding import printable

if TYPE_CHECKING:
    from gpt2_helpers.generation.result import GenerationResult
    from gpt2_helpers.training.run import FinetuneRun, RunProgress


def print_line(line: str, end: str = "\n") -> None:
    """Print a line above any progress bar, and flush it.

    Characters that stdout cannot show, for instance in a redirected output on Windows, are printed
    as escapes such as `\\u2015`.
    """
    if sys.stdout is not None:  # as in a Windows program without a console
        Bar.write(printable(line, sys.stdout), end=end)
        sys.stdout.flush()


def print_note(line: str) -> None:
    """Print a line to stderr above any progress bar, to keep it apart from generated texts."""
    if sys.stderr is not None:
        Bar.write(printable(errors.printable(line), sys.stderr), file=sys.stderr)


def progress_line(progress: RunProgress) -> str:
    """One training step as a line, in gpt-2-simple's format."""
    line = (
        f"[{progress.step} | {progress.seconds:2.2f}] "
        f"loss={progress.loss:2.2f} avg={progress.average_loss:2.2f}"
    )
    if progress.validation_loss is not None:
        line += f" validation={progress.validation_loss:2.2f}"
    return line


def show_finetuning(run: FinetuneRun, print_every: int = 1) -> None:
    """Train to the end; show a progress bar, losses, samples, and the run's notes.

    Args:
        run: The run to train.
        print_every: Steps between two lines with losses. Validation losses are always printed.
    """
    shown = 0  # notes printed so far

    def print_new_notes() -> None:
        nonlocal shown
        for note in run.notes[shown:]:
            _show(errors.printable(note))  # it may quote names of files
        shown = len(run.notes)

    print_new_notes()
    total = run.config.steps if run.config.steps > 0 else None
    steps = iter(run)
    bar = Bar(total=total, desc="finetuning", unit="step")
    # Closing the iterator saves the run at once, even if printing fails.
    with closing(steps), bar:
        for progress in steps:
            bar.set_postfix_str(
                f"loss {progress.average_loss:.2f}, {progress.tokens_per_second:,.0f} tokens/s",
                refresh=False,
            )
            bar.update()
            if progress.step % print_every == 0 or progress.validation_loss is not None:
                _show(progress_line(progress))
            for number, sample in enumerate(progress.samples, 1):
                _show(f"======== SAMPLE {number} ========\n{sample}\n")
            print_new_notes()
    print_new_notes()
    _show(result_line(run))
    for line in result_advice(run):
        print_note(line)


def _show(line: str) -> None:
    """Print a line of a training, which must not end because its output cannot be written.

    Only a closed pipe ends it, as it ends other commands; the run is saved then.
    """
    try:
        print_line(line)
    except BrokenPipeError:
        raise
    except (OSError, ValueError):  # the disk with the log is full, or stdout was closed
        pass


def result_line(run: FinetuneRun) -> str:
    """How a finetuning run ended, its folder and its step, as one line."""
    result = "interrupted and saved" if run.interrupted else "saved"
    if not run.workers.is_chief:
        return f"{result} by the chief: step {run.saved_step}"
    return f"{result}: {run.folder.path}, step {run.folder.read().step}"


def result_advice(run: FinetuneRun) -> list[str]:
    """Whether a run that has ended should be trained longer or shorter, as sentences."""
    from gpt2_helpers.evaluation.training_advice import training_advice

    if run.interrupted or not run.workers.is_chief:
        return []
    return training_advice(run.record, run.record.epochs(run.trainer.step))


def with_progress(
    results: Iterable[GenerationResult], total: int, done: int = 0
) -> Generator[GenerationResult, None, None]:
    """Yield the same results; show how many are done, the rate and the remaining time.

    Args:
        results: The results.
        total: Their number, with those of an earlier call.
        done: Number of texts of an earlier call, which do not count for the rate.
    """
    with Bar(total=total, initial=done, desc="generating", unit="text") as bar:
        for result in results:
            bar.update()
            yield result
