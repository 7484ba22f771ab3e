"""The text that the loaded run was trained on, indexed once for all texts that it generates."""

from __future__ import annotations

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.forms.widgets.text_cards import Comparer
from gpt2_helpers.session import Session


class RunTrainingText:
    """Indexes the training text of the session's run, and again if it has changed.

    Args:
        session: The session with the run.

    index, note = RunTrainingText(session).read()
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        # The index, with its cache key and notes.
        self._cached: tuple[object, Comparer, str] | None = None

    def read(self) -> tuple[Comparer | None, str]:
        """Return the index with notes on it, or None and the reason why there is none."""
        folder = self._session.run_folder
        if folder is None:
            return None, "Copies are not marked: the training text of this model is unknown."
        from gpt2_helpers.evaluation.memorization import load_training_text

        run = RunFolder(folder.parent, folder.name)
        try:
            snapshot = run.read()
            record = snapshot.record
            # The run may have been restarted on another text.
            key = folder, record.dataset, record.parameters.get("column"), snapshot.step
            if self._cached is None or self._cached[0] != key:
                found = load_training_text(run)
                self._cached = key, found, " ".join(found.notes)
        except Gpt2Error as error:
            return None, f"Copies are not marked: {error}"
        _, index, notes = self._cached
        return index, notes
