"""What is killed in the crash tests: preparation, command and checks of each scenario."""

from __future__ import annotations

import random
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from crashes.killing import End
from faulty_server import FaultyServer, running
from gpt2_helpers.checkpoint.model_files import latest_checkpoint, load_for_inference
from gpt2_helpers.checkpoint.pretrained import FILES, MIRROR_VARIABLE
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.generation.output_file import SAMPLE_DELIM
from gpt2_helpers.google import archive_checks, run_archive
from gpt2_helpers.system.files import drain, ignore, read_sha256
from gpt2_helpers.tokenizer import Tokenizer
from toy_runs import TEXT

STEPS, SAVE_EVERY = 12, 3
FEW = "--seed 1 --batch-size 2 --accumulate-gradients 1 --precision float32 --learning-rate 0.01"


class Scenario(ABC):
    """One operation that writes files."""

    name = ""
    environment: Mapping[str, str] = {}
    tears = True  # whether to kill during writes; a text that is appended to a file may be cut off

    def prepare(self, work: Path, toy: Path) -> None:
        """Create the files it needs in `work`; `toy` is a folder with a model and a run."""
        shutil.copytree(toy / "models", work / "models")
        (work / "text.txt").write_text(TEXT, encoding="utf-8")

    @abstractmethod
    def call(self, work: Path) -> list[Any] | None:
        """The command or the call that remains to be done; None if all is done."""

    @abstractmethod
    def check(self, work: Path, end: End, reference: Path) -> None:
        """What must hold after a kill. `reference` is the folder of an uninterrupted process."""

    @abstractmethod
    def check_end(self, work: Path, reference: Path) -> None:
        """What must hold in the end: the same result as in `reference`."""


def arrays(prefix: Path) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint; reading verifies their checksums."""
    return dict(WeightsReader(prefix))


def assert_same(first: Path, second: Path) -> None:
    """Compare two checkpoints bit by bit."""
    ours, theirs = arrays(first), arrays(second)
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)


def newest_of(folder: RunFolder) -> Path:
    """The prefix of the run's newest checkpoint."""
    checkpoint = folder.require().checkpoint
    assert checkpoint is not None
    return checkpoint


def litter(folder: Path) -> list[str]:
    """Temporary files, of which none may remain in the end."""
    found = [path for pattern in ("*.part*", "*.progress") for path in folder.rglob(pattern)]
    return sorted(str(path.relative_to(folder)) for path in found)


class Finetuning(Scenario):
    """The run always opens with complete weights, loses only the steps since the last save, and
    ends with the same weights."""

    name = "finetune"
    options = ""

    def folder(self, work: Path) -> RunFolder:
        return RunFolder(work / "checkpoint", "run1")

    def arguments(self, work: Path, steps: int) -> str:
        return (
            f"finetune text.txt --model-name toy --steps {steps} --save-every {SAVE_EVERY} {FEW} "
            f"--sample-every 0 --max-checkpoints 2 {self.options}"
        )

    def call(self, work: Path) -> list[Any] | None:
        left = STEPS - self.folder(work).read().step
        return self.arguments(work, left).split() if left else None

    def check(self, work: Path, end: End, reference: Path) -> None:
        folder = self.folder(work)
        run = folder.read()
        steps = [int(step) for step in re.findall(r"^\[(\d+) \|", end.output, re.MULTILINE)]
        last = max(steps, default=0)
        assert run.step > last - SAVE_EVERY, f"step {last} was done, {run.step} saved"
        if run.checkpoint:
            for array in arrays(run.checkpoint).values():
                assert np.isfinite(array).all()
            Tokenizer.load(folder.path)
            load_for_inference(folder.path, "float32", "float32")
            RunRecord.load(folder.path)
            assert dict(run.optimizer_state() or {}), "no optimizer state was saved"

    def check_end(self, work: Path, reference: Path) -> None:
        for kind in ("model", "optimizer"):
            ours, theirs = (
                self.folder(folder).path / f"{kind}-{STEPS}" for folder in (work, reference)
            )
            assert_same(ours, theirs)
        record, other = (self.folder(folder).read().record for folder in (work, reference))
        assert record.losses == other.losses
        if not (work / "done").exists():  # killed after the last save: the next training cleans up
            self.folder(work).remove_partial()
        assert litter(self.folder(work).path) == []


class FinetuningFresh(Finetuning):
    """A run that is started again saves steps that exist already: each has complete weights with
    their optimizer state, or neither."""

    name = "finetune fresh"
    options = "--restore-from fresh"

    def call(self, work: Path) -> list[Any] | None:
        done = (work / "done").exists()
        twice = (work / "twice").exists()
        if done and not twice:
            (work / "done").unlink()
            (work / "twice").touch()
        elif done:
            return None
        return self.arguments(work, STEPS).split()

    def check(self, work: Path, end: End, reference: Path) -> None:
        folder = self.folder(work)
        for path in folder.path.glob("model-*.index"):
            assert arrays(path.with_suffix(""))
            state = folder.path / f"optimizer-{path.stem.rpartition('-')[2]}"
            assert dict(WeightsReader(state))


class FinetuningOverwrite(Finetuning):
    """Older checkpoints are deleted when a new one is complete."""

    name = "finetune with overwrite"
    options = "--overwrite True"


class FinetuningEarlyStopping(Finetuning):
    """The best checkpoint is kept with the newest one, and the count of evaluations without an
    improvement is restored."""

    name = "finetune with early stopping"
    options = "--validation-split 0.2 --eval-every 2 --early-stopping-patience 20"

    def check(self, work: Path, end: End, reference: Path) -> None:
        super().check(work, end, reference)
        folder = self.folder(work)
        if (best := folder.read().best_step) is not None:
            assert arrays(folder.path / f"model-{best}")

    def check_end(self, work: Path, reference: Path) -> None:
        super().check_end(work, reference)
        record, other = (self.folder(folder).read().record for folder in (work, reference))
        assert record.validation_losses == other.validation_losses


class FinetuningAdapters(Finetuning):
    """With LoRA adapters, which are saved next to the weights."""

    name = "finetune with adapters"
    options = "--lora-rank 2"

    def check_end(self, work: Path, reference: Path) -> None:
        super().check_end(work, reference)
        ours, theirs = (
            self.folder(folder).path / f"adapters-{STEPS}" for folder in (work, reference)
        )
        assert_same(ours, theirs)


class FinetuningBackup(Finetuning):
    """With a backup to Drive after each save: it always has a complete archive, at most one save
    behind."""

    name = "finetune with Drive"
    options = "--backup-to-drive True"

    def prepare(self, work: Path, toy: Path) -> None:
        super().prepare(work, toy)
        (work / "drive" / "MyDrive").mkdir(parents=True)

    @property
    def environment(self) -> Mapping[str, str]:  # type: ignore[override]
        return {"GPT2_DRIVE_MOUNT": "drive"}

    def check(self, work: Path, end: End, reference: Path) -> None:
        super().check(work, end, reference)
        if (lost := self.folder(work).read().step - SAVE_EVERY) > 0:
            assert assert_whole_archive(work) >= lost

    def check_end(self, work: Path, reference: Path) -> None:
        super().check_end(work, reference)
        step = assert_whole_archive(work)
        if (work / "done").exists():  # not killed between its last save and its backup
            assert step == STEPS
            assert litter(work / "drive") == []


def archive_in(work: Path) -> Path:
    return work / "drive" / "MyDrive" / "checkpoint_run1.tar"


def assert_whole_archive(work: Path) -> int:
    """Check that the archive or the previous one is complete and has the right hash; returns its
    step."""
    import hashlib

    for archive in (archive_in(work), run_archive.previous_archive(archive_in(work))):
        if archive.is_file() and archive_checks.is_complete(archive):
            recorded, _ = read_sha256(archive)
            assert recorded in (None, hashlib.sha256(archive.read_bytes()).hexdigest()), archive
            return archive_checks.read_contents(archive).step
    raise AssertionError(f"no complete archive in {sorted(archive_in(work).parent.iterdir())}")


class Pretraining(Scenario):
    """The same command resumes and ends with the same model."""

    name = "pretrain"

    def call(self, work: Path) -> list[Any] | None:
        if (work / "done").exists():
            return None
        shape = "--vocab-size 300 --n-ctx 32 --n-embd 16 --n-layer 1 --n-head 2"
        options = f"--steps {STEPS} --save-every {SAVE_EVERY} --validation-split 0 {shape} {FEW}"
        return f"pretrain text.txt --out models/mine {options}".split()

    def check(self, work: Path, end: End, reference: Path) -> None:
        folder = RunFolder(work / "models" / "mine", "training")
        if newest := folder.read().checkpoint:
            arrays(newest)
            Tokenizer.load(folder.path)
        if (work / "models" / "mine" / "model.ckpt.index").is_file():
            load_for_inference(work / "models" / "mine", "float32", "float32")

    def check_end(self, work: Path, reference: Path) -> None:
        ours, theirs = (folder / "models" / "mine" for folder in (work, reference))
        assert_same(latest_checkpoint(ours), latest_checkpoint(theirs))
        for name in ("encoder.json", "vocab.bpe", "hparams.json"):
            assert (ours / name).read_bytes() == (theirs / name).read_bytes()


class Encoding(Scenario):
    """The file has the old ids or the new ones, and no temporary file remains."""

    name = "encode"

    def prepare(self, work: Path, toy: Path) -> None:
        super().prepare(work, toy)
        np.savez(work / "ids.npz", np.arange(5))

    def call(self, work: Path) -> list[Any] | None:
        if len(self._ids(work)) != 5:
            return None
        return ["encode", "text.txt", "--model-name", "toy", "--out-path", "ids.npz"]

    def check(self, work: Path, end: End, reference: Path) -> None:
        ids = self._ids(work)
        assert np.array_equal(ids, np.arange(5)) or np.array_equal(ids, self._ids(reference))

    def check_end(self, work: Path, reference: Path) -> None:
        np.testing.assert_array_equal(self._ids(work), self._ids(reference))
        assert not (found := litter(work)), found

    def _ids(self, work: Path) -> np.ndarray:
        with np.load(work / "ids.npz") as archive:
            ids: np.ndarray = archive["arr_0"]
            return ids


class Generating(Scenario):
    """The file has all finished texts and no partial one."""

    name = "generate to a file"
    tears = False

    def call(self, work: Path) -> list[Any] | None:
        if (work / "done").exists():
            return None
        options = "--model-name toy --nsamples 60 --batch-size 4 --length 14 --seed 3"
        return f"generate {options} --destination-path texts.txt".split()

    def check(self, work: Path, end: End, reference: Path) -> None:
        found = [path for path in (work / "texts.txt", work / "texts.txt.part") if path.is_file()]
        for path in found:
            content = path.read_bytes().decode("utf-8")
            assert (reference / "texts.txt").read_bytes().decode("utf-8").startswith(content), path
            assert not content or content.endswith(SAMPLE_DELIM), path

    def check_end(self, work: Path, reference: Path) -> None:
        ours, theirs = (folder / "texts.txt" for folder in (work, reference))
        assert ours.read_bytes() == theirs.read_bytes()
        assert litter(work) == []


class GeneratingOverFile(Generating):
    """The file has the old content or all new texts; finished texts are in `texts.txt.part`."""

    name = "generate over a file"
    before = "Old texts\n"

    def prepare(self, work: Path, toy: Path) -> None:
        super().prepare(work, toy)
        (work / "texts.txt").write_text(self.before, encoding="utf-8")

    def check(self, work: Path, end: End, reference: Path) -> None:
        content = (work / "texts.txt").read_bytes()
        assert content in (self.before.encode(), (reference / "texts.txt").read_bytes())
        if (part := work / "texts.txt.part").is_file():
            written = part.read_bytes().decode("utf-8")
            assert (reference / "texts.txt").read_bytes().decode("utf-8").startswith(written)
            assert not written or written.endswith(SAMPLE_DELIM)


class Exporting(Scenario):
    """An older archive is on Drive: it or the new one can always be opened."""

    name = "export to Drive"

    def prepare(self, work: Path, toy: Path) -> None:
        shutil.copytree(toy / "checkpoint", work / "checkpoint")
        (work / "drive" / "MyDrive").mkdir(parents=True)
        shutil.copy(toy / "older.tar", archive_in(work))

    @property
    def environment(self) -> Mapping[str, str]:  # type: ignore[override]
        return {"GPT2_DRIVE_MOUNT": "drive"}

    def call(self, work: Path) -> list[Any] | None:
        if (work / "done").exists():
            return None
        return ["call", "copy_checkpoint_to_gdrive", {"run_name": "run1"}]

    def check(self, work: Path, end: End, reference: Path) -> None:
        assert_whole_archive(work)

    def check_end(self, work: Path, reference: Path) -> None:
        assert archive_in(work).read_bytes() == archive_in(reference).read_bytes()
        assert litter(work / "drive") == []


class Importing(Exporting):
    """A run with the same name exists: it or the one from Drive can always be opened."""

    name = "import from Drive"

    def prepare(self, work: Path, toy: Path) -> None:
        super().prepare(work, toy)
        shutil.copy(toy / "newer.tar", archive_in(work))

    def call(self, work: Path) -> list[Any] | None:
        if (work / "done").exists():
            return None
        return ["call", "copy_checkpoint_from_gdrive", {"run_name": "run1"}]

    def check(self, work: Path, end: End, reference: Path) -> None:
        folder = RunFolder(work / "checkpoint", "run1")
        assert arrays(newest_of(folder))
        Tokenizer.load(folder.read().path)

    def check_end(self, work: Path, reference: Path) -> None:
        ours, theirs = (RunFolder(folder / "checkpoint", "run1") for folder in (work, reference))
        assert_same(newest_of(ours), newest_of(theirs))
        assert litter(work / "checkpoint") == []


class ExportingFolder(Exporting):
    """As a folder: the older run or the new one can always be opened."""

    name = "export to Drive as a folder"

    def prepare(self, work: Path, toy: Path) -> None:
        super().prepare(work, toy)
        drain(run_archive.unpack(archive_in(work), self.folder(work), ignore))

    def folder(self, work: Path) -> RunFolder:
        return RunFolder(work / "drive" / "MyDrive" / "checkpoint", "run1")

    def call(self, work: Path) -> list[Any] | None:
        if (work / "done").exists():
            return None
        return ["call", "copy_checkpoint_to_gdrive", {"run_name": "run1", "copy_folder": True}]

    def check(self, work: Path, end: End, reference: Path) -> None:
        folder = self.folder(work)
        assert arrays(newest_of(folder))
        Tokenizer.load(folder.read().path)

    def check_end(self, work: Path, reference: Path) -> None:
        assert_same(newest_of(self.folder(work)), newest_of(self.folder(reference)))
        assert litter(work / "drive") == []


class ImportingFolder(Importing):
    """From a folder on Drive, over a run with the same name."""

    name = "import from Drive as a folder"

    def prepare(self, work: Path, toy: Path) -> None:
        super().prepare(work, toy)
        on_drive = RunFolder(work / "drive" / "MyDrive" / "checkpoint", "run1")
        drain(run_archive.unpack(archive_in(work), on_drive, ignore))

    def call(self, work: Path) -> list[Any] | None:
        if (work / "done").exists():
            return None
        return ["call", "copy_checkpoint_from_gdrive", {"run_name": "run1", "copy_folder": True}]


class Downloading(Scenario):
    """A model file has its name only if it is complete."""

    name = "download"

    def __init__(self, server: FaultyServer) -> None:
        self._content = {
            name: random.Random(order).randbytes(300_000 if "data" in name else 900)
            for order, name in enumerate(FILES)
        }
        server.files = {f"/models/124M/{name}": body for name, body in self._content.items()}
        self.environment = {MIRROR_VARIABLE: f"{server.address}/models/"}

    def prepare(self, work: Path, toy: Path) -> None:
        pass

    def call(self, work: Path) -> list[Any] | None:
        return None if (work / "done").exists() else ["download", "124M"]

    def check(self, work: Path, end: End, reference: Path) -> None:
        for name, body in self._content.items():
            path = work / "models" / "124M" / name
            assert not path.exists() or path.read_bytes() == body, name

    def check_end(self, work: Path, reference: Path) -> None:
        self.check(work, End(0, ""), reference)
        assert litter(work) == []


@contextmanager
def scenarios() -> Iterator[list[Scenario]]:
    """All scenarios, with the server that one of them needs."""
    with running() as server:
        yield [
            Finetuning(),
            FinetuningFresh(),
            FinetuningOverwrite(),
            FinetuningEarlyStopping(),
            FinetuningAdapters(),
            FinetuningBackup(),
            Pretraining(),
            Encoding(),
            Generating(),
            GeneratingOverFile(),
            Exporting(),
            ExportingFolder(),
            Importing(),
            ImportingFolder(),
            Downloading(server),
        ]
