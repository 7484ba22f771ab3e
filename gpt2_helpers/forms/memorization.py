"""How many texts are copies of the training text, with examples, and what the numbers advise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.html import show, table
from gpt2_helpers.forms.widgets.style import message

if TYPE_CHECKING:
    from gpt2_helpers.checkpoint.run_folder import RunFolder
    from gpt2_helpers.evaluation.memorization import OverlapReport
    from gpt2_helpers.session import Session

_EXAMPLES = 8


def show_memorization(sess: Session, texts: Iterable[str]) -> OverlapReport | None:
    """Compare texts with the data of the session's run, what was held back to validate on among
    it: counts, and the closest examples.

    Returns the counts for `show_advice`; None, and why, where the training text is not here.

    tally = show_memorization(sess, writer.texts)
    """
    from gpt2_helpers.evaluation.memorization import load_training_text

    with plain_errors():
        folder = _folder_of(sess)
        try:
            originality = load_training_text(folder)
        except Gpt2Error as error:
            show(widgets.HTML(message("note", str(error))))
            return None
        tally = originality.report(texts)
    counts = [
        ("copies: the same words", tally.copies),
        ("near copies: a word or two differ", tally.near_copies),
        ("the model's own", tally.novel),
        ("repeats among them", tally.duplicates),
    ]
    shown = message("heading", str(tally)) + table(
        [(what, f"{n:,}", f"{n / max(1, tally.total):.0%}") for what, n in counts],
        head=("", "texts", "share"),
    )
    if examples := tally.closest_examples(_EXAMPLES):
        shown += message("heading", "The closest") + table(
            [(text.strip(), match.nearest) for text, match in examples],
            head=("the model wrote", "its data has"),
        )
    show(widgets.HTML(shown + "".join(message("note", note) for note in originality.notes)))
    return tally


def show_advice(sess: Session, tally: OverlapReport | None = None) -> None:
    """Say what the run's losses and the counts advise against learning by heart."""
    from gpt2_helpers.evaluation.memorization import advice

    with plain_errors():
        run = _folder_of(sess).read()
        lines = advice(run.record, tally, run.record.epochs(run.step))
    nothing = ["Nothing in the numbers of this run speaks against it."]
    show(widgets.HTML("".join(message("note", line) for line in lines or nothing)))


def _folder_of(sess: Session) -> RunFolder:
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    if sess.run_folder is None:
        raise OptionError(
            "the session holds no finetuned run: load one, and there is a training text to "
            "compare with"
        )
    return RunFolder(sess.run_folder.parent, sess.run_folder.name)
