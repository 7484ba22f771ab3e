"""Writes finished texts to a file, each completely or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeVar

from gpt2_helpers.errors import OptionError, write_problem
from gpt2_helpers.system.files import commit, flush, ignore
from gpt2_helpers.system.paths import user_path

SAMPLE_DELIM = "=" * 20 + "\n"  # after each text in gpt-2-simple's format
NAME_PREFIX = "gpt2_gentext_"  # of the files that `new_file` creates
DEFAULT_FILE = "gpt_2_gen_texts.txt"  # of `generate_to_file`
_File = TypeVar("_File", bound="OutputFile")


class OutputFile:
    """A file to which texts are appended.

    The file is created with the first text. If it exists already, texts are written to `PATH.part`
    next to it, which replaces it at the end, also after Ctrl-C. After an error or a kill both files
    remain, and the next writer renames `PATH.part`. Without a text the existing file is unchanged.

    Args:
        path: The file.
        on_message: Called with a message if a file of an interrupted writer is renamed.

    Raises:
        OptionError: The path is a folder.
    """

    def __init__(self, path: str | Path, on_message: Callable[[str], None] = ignore) -> None:
        self.path = user_path(path, "destination_path")
        if self.path.is_dir():  # before anything is generated
            raise OptionError(f"destination_path={str(path)!r} is a folder: name a file in it")
        self._on_message = on_message
        self._file: BinaryIO | None = None
        self._size = 0  # of the finished texts, in bytes
        self._part: Path | None = None

    def __enter__(self: _File) -> _File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        with self.explained_errors():
            with contextlib.suppress(OSError):  # of a full disk, which `append` has reported
                self._file.close()
            written = self._part or self.path
            if written.is_file() and written.stat().st_size > self._size:
                os.truncate(written, self._size)  # an incomplete text
            failed = kind is not None and issubclass(kind, Exception)  # Ctrl-C is not an error
            if self._part is not None and not self._size:
                self._part.unlink()
            elif self._part is not None and not failed:
                flush(self._part)
                commit(self._part, self.path)

    def append(self, content: bytes) -> None:
        """Append a text with what belongs to it.

        Raises:
            OptionError: The file cannot be written.
        """
        with self.explained_errors():
            if self._file is None:
                self._file = self._target().open("wb")
            self._file.write(content)
            self._file.flush()
            self._size += len(content)

    def resume(self, target: Path, size: int) -> None:
        """Append to a file that an earlier writer left.

        Args:
            target: `path`, or its `part_path`.
            size: Bytes of it to keep.

        Raises:
            OptionError: The file cannot be written.
        """
        with self.explained_errors():
            os.truncate(target, size)
            self._file = target.open("ab")
            self._size = size
            self._part = None if target == self.path else target

    @property
    def part_path(self) -> Path:
        """Where texts are written while `path` has other content."""
        existing = self.path.resolve()  # a symbolic link is kept
        return existing.with_name(f"{existing.name}.part")

    def keep_interrupted(self, written: Path) -> None:
        """Rename the file of an interrupted writer, and say so."""
        kept = _unused(self.path.resolve(), "interrupted")
        written.rename(kept)
        self._on_message(f"the finished texts of an interrupted call are kept in {kept}")

    def _target(self) -> Path:
        """The file to write to: `path`, or a file next to it if `path` has content."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not (self.path.is_file() and self.path.stat().st_size):
            return self.path
        self._part = self.part_path
        if self._part.is_file() and self._part.stat().st_size:
            self.keep_interrupted(self._part)
        self._part.touch()
        shutil.copymode(self.path.resolve(), self._part)
        return self._part

    @contextlib.contextmanager
    def explained_errors(self) -> Iterator[None]:
        """Raise OptionError in place of OSError."""
        try:
            yield
        except OSError as error:
            problem = write_problem(self.path, error, "choose another path")
            raise OptionError(
                f"cannot write to destination_path={str(self.path)!r}: {problem}"
            ) from None


class TextWriter(OutputFile):
    """Writes texts in gpt-2-simple's format.

    Args:
        path: The file.
        delimiter: Written after each text and its newline.
        on_message: Called with a message if a file of an interrupted writer is renamed.

    with TextWriter("texts.txt", delimiter="=" * 20 + "\\n") as writer:
        writer.write("A text.")
    """

    def __init__(
        self, path: str | Path, delimiter: str, on_message: Callable[[str], None] = ignore
    ) -> None:
        super().__init__(path, on_message)
        self._delimiter = delimiter

    def write(self, text: str) -> None:
        """Append one text; raises OptionError if the file cannot be written."""
        self.append(f"{text}\n{self._delimiter}".encode())


def _unused(path: Path, word: str) -> Path:
    """A path next to `path` that does not exist, such as `texts.interrupted.txt`."""
    for order in itertools.count(1):
        number = "" if order == 1 else f"-{order}"
        unused = path.with_name(f"{path.stem}.{word}{number}{path.suffix}")
        if not os.path.lexists(unused):
            return unused
    raise AssertionError("unreachable")


def new_file(folder: str | Path) -> Path:
    """Create an empty file, named by the time (UTC) as gpt-2-simple does, under a name that no
    other call has taken: for instance `gen/gpt2_gentext_20261124_181500.txt`.

    Raises:
        OptionError: The file cannot be created.
    """
    name = f"{NAME_PREFIX}{datetime.now(timezone.utc):%Y%m%d_%H%M%S}"
    folder = user_path(folder, "folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for order in itertools.count(1):
            path = folder / (f"{name}.txt" if order == 1 else f"{name}_{order}.txt")
            with contextlib.suppress(FileExistsError):
                path.touch(exist_ok=False)
                return path
    except OSError as error:
        problem = write_problem(folder, error, "choose another folder")
        raise OptionError(f"cannot write to folder={str(folder)!r}: {problem}") from None
    raise AssertionError("unreachable")


def is_generated(path: str | Path) -> bool:
    """Whether a file contains generated texts: it has one of their default names, or ends with the
    delimiter after a text.

    >>> is_generated("gpt2_gentext_20261124_181500.txt")
    True
    """
    path = Path(path)
    if path.name.startswith(NAME_PREFIX) or path.name == DEFAULT_FILE:
        return True
    end = f"\n{SAMPLE_DELIM}".encode()
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(end)))
            return file.read() == end
    except OSError:
        return False
