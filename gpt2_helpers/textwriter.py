"""Finished texts -> a file, as gpt-2-simple writes them: each, a newline, and the delimiter."""

from __future__ import annotations

import contextlib
import itertools
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TextIO

from gpt2_helpers.errors import OptionError


class TextWriter:
    """Writes each text whole, as soon as it is given. The file is begun with the first of them, so
    that a call that fails before leaves an older file as it was.

    with TextWriter("texts.txt", delimiter="=" * 20 + "\\n") as writer:
        writer.write("A text.")
    """

    def __init__(self, path: str | Path, delimiter: str) -> None:
        self.path, self._delimiter = Path(path), delimiter
        self._file: TextIO | None = None

    def __enter__(self) -> TextWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, text: str) -> None:
        """Append one text; OptionError where the file cannot be written."""
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w", encoding="utf-8", newline="\n")
            self._file.write(f"{text}\n{self._delimiter}")
            self._file.flush()
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
