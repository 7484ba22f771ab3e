"""Finished texts -> a file, as gpt-2-simple writes them: each, a newline, and the delimiter."""

from __future__ import annotations

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
