"""Finished texts -> a file, as gpt-2-simple writes them: each, a newline, and the delimiter."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.files import commit, flush

SAMPLE_DELIM = "=" * 20 + "\n"  # between two texts


class TextWriter:
    """Writes each text whole, as soon as it is given. The file is begun with the first of them.

    Where there is an older file, that is `PATH.part` beside it, which takes its place at the end,
    be it an interrupt's. After an error, or killed, both are there; without a text, the older one
    alone.

    with TextWriter("texts.txt", delimiter="=" * 20 + "\\n") as writer:
        writer.write("A text.")
    """

    def __init__(self, path: str | Path, delimiter: str) -> None:
        self.path, self._delimiter = Path(path), delimiter
        self._file: BinaryIO | None = None
        self._whole = 0  # bytes of finished texts
        self._part: Path | None = None

    def __enter__(self) -> TextWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        with self._named_errors():
            with contextlib.suppress(OSError):  # of a full disk, which `write` has told
                self._file.close()
            written = self._part or self.path
            if written.is_file() and written.stat().st_size > self._whole:
                os.truncate(written, self._whole)  # the beginning of a text that was cut off
            failed = kind is not None and issubclass(kind, Exception)  # an interrupt is a wish
            if self._part is not None and not self._whole:
                self._part.unlink()
            elif self._part is not None and not failed:
                flush(self._part)
                commit(self._part, self.path)

    def write(self, text: str) -> None:
        """Append one text; OptionError where the file cannot be written."""
        with self._named_errors():
            if self._file is None:
                self._file = self._begun().open("wb")
            content = f"{text}\n{self._delimiter}".encode()
            self._file.write(content)
            self._file.flush()
            self._whole += len(content)

    def _begun(self) -> Path:
        """What to write into: the file, or one beside it where there is something to lose."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not (self.path.is_file() and self.path.stat().st_size):
            return self.path
        older = self.path.resolve()  # a link stays one
        self._part = older.with_name(f"{older.name}.part")
        self._part.touch()
        shutil.copymode(older, self._part)
        return self._part

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OptionError(
                f"destination_path={str(self.path)!r} cannot be written to: {error.strerror}: "
                "give another place"
            ) from None


def new_file(folder: str | Path) -> Path:
    """An empty file named by the time (UTC), as gpt-2-simple names them, and taken by no other
    call, such as `gen/gpt2_gentext_20261124_181500.txt`. OptionError where it cannot be made."""
    name = f"gpt2_gentext_{datetime.now(timezone.utc):%Y%m%d_%H%M%S}"
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for order in itertools.count(1):
            path = folder / (f"{name}.txt" if order == 1 else f"{name}_{order}.txt")
            with contextlib.suppress(FileExistsError):
                path.touch(exist_ok=False)
                return path
    except OSError as error:
        raise OptionError(
            f"folder={str(folder)!r} cannot be written to: {error.strerror}: give another place"
        ) from None
    raise AssertionError("counting never ends")
