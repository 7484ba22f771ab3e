"""A generated part of a documentation page, between two comments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PageSection:
    """A part of a page that a script writes.

    Attributes:
        page: File of the page.
        begin: Comment before the part.
        end: Comment after it.
        content: Makes the part.
    """

    page: Path
    begin: str
    end: str
    content: Callable[[], str]

    def update(self, text: str) -> str:
        """Return the text of the page with the part replaced."""
        before, _, rest = text.partition(self.begin)
        _, _, after = rest.partition(self.end)
        return f"{before}{self.begin}\n{self.content()}\n{self.end}{after}"

    def main(self, description: str) -> None:
        """Print the part, or with --write update the page: the command of the script."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--write", action="store_true", help=f"update {self.page.name}")
        if parser.parse_args().write:
            text = self.page.read_text(encoding="utf-8")
            self.page.write_text(self.update(text), encoding="utf-8")
        else:
            print(self.content())
