"""A file of many texts that an interrupted call leaves so that the same call can resume it.

`PATH.progress` next to the file exists while texts are missing. Its first line is what the texts
depend on, as JSON; then each text has a line `[number of texts, size, CRC-32]` of the file after
it, and a key if texts are compared with each other. The number counts texts that were left out. A
kill between a text and its line costs that text, which is generated again, the same.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.output_file import OutputFile
from gpt2_helpers.generation.output_formats import OutputFormat, TextSource
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.system.files import CHUNK_SIZE, atomic_write_text, ignore
from gpt2_helpers.system.locks import lock_open_file

PROGRESS = ".progress"  # suffix of the file beside an incomplete one
RECORD = ".record.json"  # suffix of the file with the settings, beside CSV and JSON Lines
MAX_HEADER_BYTES = 1 << 20  # of the first line of a progress file
MAX_LINE_BYTES = 100  # of its other lines


class _Checkpoint(NamedTuple):
    """The file after a number of texts, and the key of the last one."""

    done: int
    size: int
    crc: int
    key: str = ""


class BulkFile(OutputFile):
    """Appends texts, and resumes a file of the same command.

    Args:
        path: The file.
        output: Its format.
        command: Everything that the texts depend on but the seed, for JSON. A file of another
            command is not resumed: it is renamed, and `on_message` called.
        source: Seed, model and step of the texts. The seed is used if no file is resumed.
        total: Number of texts of the complete file.
        on_message: Called with what happened to a file of an earlier call.
        resume: Whether to resume a file of the same command. Defaults to True.

    Attributes:
        n_done: Number of texts that are decided: those that the file has, and those before the last
            of them that were left out.
        n_texts: Number of texts that the file has.
        keys: The keys of the texts of earlier calls, as `write` was given them.
        source: Seed, model and step of the texts, the seed as the first call chose it.

    with BulkFile("texts.jsonl", JsonLines(), command, source, total=1000) as file:
        for result in remaining_texts(file.n_done, file.source.seed):
            file.write(result)
        file.finish()
    """

    def __init__(
        self,
        path: str | Path,
        output: OutputFormat,
        command: Mapping[str, Any],
        source: TextSource,
        total: int,
        on_message: Callable[[str], None] = ignore,
        resume: bool = True,
    ) -> None:
        super().__init__(path, on_message)
        self._may_resume = resume
        self.n_done = self.n_texts = 0
        self.keys: list[str] = []
        self.source = source
        self._output, self._total = output, total
        self._command = json.loads(json.dumps(command))
        self._crc = 0
        self._is_complete = False
        self._has_started = False  # a new file, rather than an earlier one
        self._progress: BinaryIO | None = None
        self._interrupted: Path | None = None  # the file of another command

    def __enter__(self) -> BulkFile:
        with self.explained_errors():
            if self.progress_path.is_file():
                try:
                    self._read_progress()
                except BaseException:
                    self._close_progress()
                    raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
            with self.explained_errors():
                if self._is_complete and self._output.has_records and self.n_texts:
                    self._write_record()
                self._close_progress()
                if self._is_complete or (self._has_started and not self.n_texts):
                    self.progress_path.unlink(missing_ok=True)
                if self._is_complete and self._interrupted is None:
                    # Left by a kill of this command, if the file itself was resumed.
                    self.part_path.unlink(missing_ok=True)
        finally:
            self._close_progress()

    @property
    def progress_path(self) -> Path:
        """The file beside it while texts are missing."""
        path = self.path.resolve()
        return path.with_name(path.name + PROGRESS)

    @property
    def record_path(self) -> Path:
        """The file beside CSV and JSON Lines with the settings of all texts."""
        path = self.path.resolve()
        return path.with_name(path.name + RECORD)

    def write(self, result: GenerationResult, key: str = "") -> None:
        """Append the text with the number `n_done`, or a later one if those between were left out.

        Args:
            result: The text.
            key: What `keys` returns of it when the file is resumed. Defaults to "".

        Raises:
            OptionError: The file cannot be written, or another process writes to it.
        """
        if not self.n_texts:
            self._start()
        header = b"" if self.n_texts else self._output.header
        content = header + self._output.row(result, self.source)
        self.append(content)
        self.n_done, self.n_texts = result.index + 1, self.n_texts + 1
        self._crc = zlib.crc32(content, self._crc)
        values = [self.n_done, self._size, self._crc, *([key] if key else [])]
        with self.explained_errors():
            self._write_line(values)

    def finish(self) -> None:
        """Mark the file as complete, to be called after the last text."""
        self._is_complete = True

    def _start(self) -> None:
        """Begin a new file; that of another command is renamed first."""
        with self.explained_errors():
            if self._interrupted is not None and self._interrupted.is_file():
                self.keep_interrupted(self._interrupted)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._progress is None:
                self._open_progress()
            assert self._progress is not None
            self._has_started = True
            self._progress.truncate(0)
            self._write_line({"command": self._command, "seed": self.source.seed})

    def _open_progress(self) -> None:
        self._progress = self.progress_path.open("a+b")
        if not lock_open_file(self._progress):
            self._close_progress()
            raise OptionError(
                f"another process writes to destination_path={str(self.path)!r}: wait until it "
                "ends, or choose another path"
            )

    def _close_progress(self) -> None:
        if self._progress is not None:
            with contextlib.suppress(OSError):  # of a full disk, which was reported
                self._progress.close()
            self._progress = None

    def _write_line(self, value: Any) -> None:
        assert self._progress is not None
        self._progress.write(json.dumps(value).encode() + b"\n")
        self._progress.flush()

    def _read_progress(self) -> None:
        """Resume the file of an earlier call, or remember it to rename it."""
        self._open_progress()
        assert self._progress is not None
        self._progress.seek(0)
        header = _parsed(self._progress.readline(MAX_HEADER_BYTES))
        header = header if isinstance(header, dict) else {}
        checkpoints = []
        while line := self._progress.readline(MAX_LINE_BYTES):
            checkpoint = _checkpoint(line)
            if checkpoint is None:  # torn by a crash of the machine
                break
            checkpoints.append(checkpoint)
        found: list[tuple[_Checkpoint, Path]] = []
        for target in (self.part_path, self.path):
            if target.is_file() and (last := _last_intact(target, checkpoints)) is not None:
                found.append((last, target))
        if not found:
            return
        # The part if both have as many: a complete file of the same command starts the same.
        last, target = max(found, key=lambda pair: pair[0].done)
        command, seed = header.get("command"), header.get("seed")
        if not (self._may_resume and command == self._command and isinstance(seed, int)):
            self._interrupted = target
            return
        self.resume(target, last.size)
        kept = checkpoints[: checkpoints.index(last) + 1]
        self.n_done, self.n_texts, self._crc = last.done, len(kept), last.crc
        self.keys = [checkpoint.key for checkpoint in kept if checkpoint.key]
        self.source = TextSource(seed, self.source.model, self.source.step)
        self._progress.truncate(self._end_of(last))
        self._on_message(f"resuming: {self.path} has {self.n_texts:,} of {self._total:,} texts")

    def _end_of(self, last: _Checkpoint) -> int:
        """The size of the progress file up to a line."""
        assert self._progress is not None
        self._progress.seek(0)
        self._progress.readline(MAX_HEADER_BYTES)
        while _checkpoint(self._progress.readline(MAX_LINE_BYTES)) != last:
            pass
        return self._progress.tell()

    def _write_record(self) -> None:
        values = {**self._command, "seed": self.source.seed, "texts": self.n_texts}
        content = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
        atomic_write_text(self.record_path, content)


def _parsed(line: bytes) -> Any:
    """The JSON of a line; None if it is damaged."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None


def _checkpoint(line: bytes) -> _Checkpoint | None:
    values = _parsed(line)
    if not isinstance(values, list) or not 3 <= len(values) <= 4:
        return None
    kinds = [type(value) for value in values]
    return _Checkpoint(*values) if kinds == [int, int, int, str][: len(kinds)] else None


def _last_intact(path: Path, checkpoints: list[_Checkpoint]) -> _Checkpoint | None:
    """The last state of a file that its content still has."""
    last, crc, position = None, 0, 0
    with path.open("rb") as file:
        for checkpoint in checkpoints:
            while position < checkpoint.size:
                content = file.read(min(CHUNK_SIZE, checkpoint.size - position))
                if not content:
                    return last
                crc, position = zlib.crc32(content, crc), position + len(content)
            if (position, crc) != checkpoint[1:3]:
                return last
            last = checkpoint
    return last
