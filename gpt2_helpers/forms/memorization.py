"""Shows the memorization check of generated texts, and the advice based on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.html import show, table
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.system.files import drain

if TYPE_CHECKING:
    from gpt2_helpers.checkpoint.run_folder import RunFolder
    from gpt2_helpers.evaluation.overlap_report import OverlapReport
    from gpt2_helpers.session import Session

_MAX_EXAMPLES = 8


def show_memorization(sess: Session, texts: Iterable[str]) -> OverlapReport | None:
    """Compare texts with the training text of the session's run; show counts and closest matches.

    Validation data counts as training text here.

    Args:
        sess: A session with a finetuned run.
        texts: Generated texts.

    Returns:
        The counts, for `show_advice`. None, with a note in the cell, if the training text is
        missing.

    Raises:
        NotebookError: If the session has no finetuned run.

    Example:
        report = forms.show_memorization(sess, writer.texts)
    """
    from gpt2_helpers.evaluation.memorization_check import check_texts
    from gpt2_helpers.evaluation.training_text import TrainingData

    with plain_errors():
        folder = _run_folder(sess)
        try:
            report = drain(check_texts([*texts], TrainingData.of_run(folder)))
        except Gpt2Error as error:
            show(widgets.HTML(message("note", str(error))))
            return None
    counts = [
        ("Copies: the same words", report.copies),
        ("Near copies: differ in a word or two", report.near_copies),
        ("Novel", report.novel),
        ("Duplicates of another generated text", report.duplicates),
    ]
    shown = message("heading", str(report)) + table(
        [(label, f"{n:,}", f"{n / max(1, report.total):.0%}") for label, n in counts],
        head=("", "Texts", "Share"),
    )
    if examples := report.closest_examples(_MAX_EXAMPLES):
        shown += message("heading", "Closest matches") + table(
            [(text.strip(), match.nearest) for text, match in examples],
            head=("Generated", "Training text"),
        )
    shown += "".join(message("note", note) for note in report.notes)
    show(widgets.HTML(shown))
    return report


def show_advice(sess: Session, report: OverlapReport | None = None) -> None:
    """Show what the run's losses and the memorization check recommend.

    Args:
        sess: A session with a finetuned run.
        report: The result of `show_memorization`.

    Raises:
        NotebookError: If the session has no finetuned run.

    Example:
        forms.show_advice(sess, report)
    """
    from gpt2_helpers.evaluation.memorization import advice

    with plain_errors():
        run = _run_folder(sess).read()
        lines = advice(run.record, report, run.record.epochs(run.step))
    lines = lines or ["The losses and the memorization check show no problem."]
    show(widgets.HTML("".join(message("note", line) for line in lines)))


def _run_folder(sess: Session) -> RunFolder:
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    if sess.run_folder is None:
        raise OptionError(
            "the session has no finetuned run, so there is no training text to compare with: load "
            "a run first"
        )
    return RunFolder(sess.run_folder.parent, sess.run_folder.name)
