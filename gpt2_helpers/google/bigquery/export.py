"""Exporting a query's texts to a CSV file. An iterator of its progress; prints nothing.

The file is UTF-8 with the header `title` and one text per row.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import itertools
from collections.abc import Generator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.errors import BigQueryError, OptionError, write_problem
from gpt2_helpers.google.bigquery.clean_text import clean as clean
from gpt2_helpers.google.bigquery.client import run
from gpt2_helpers.google.bigquery.config import BigQueryConfig
from gpt2_helpers.google.bigquery.query import build
from gpt2_helpers.system.files import atomic_write

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

HEADER = "title"
PREVIEW = 10  # number of texts to show


@dataclass(frozen=True)
class ExportProgress:
    """The progress of an export. Only the last one has a `path`, when the file is complete."""

    rows: int = 0  # rows fetched so far
    total: int = 0  # rows of the result; 0 while the query runs
    kept: int = 0
    empty: int = 0  # left out, like those in the next two
    short: int = 0
    repeated: int = 0
    preview: tuple[str, ...] = ()  # the first texts kept
    path: Path | None = None

    def describe(self) -> str:
        """The numbers of texts kept and left out, as text.

        >>> ExportProgress(rows=120, total=120, kept=100, short=1, repeated=19).describe()
        '100 texts kept of 120; left out: 19 repeated, 1 too short'
        """
        counts = {"repeated": self.repeated, "too short": self.short, "empty": self.empty}
        left = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        kept = f"{self.kept:,} texts kept of {self.rows:,}"
        return f"{kept}; left out: {left}" if left else kept


def export(client: Client, config: BigQueryConfig) -> Generator[ExportProgress, None, None]:
    """Run a query and write its texts to a CSV file.

    Empty, repeated and short texts are left out. The file is written atomically; an existing file
    is never replaced.

    Args:
        client: A client from `client.sign_in`.
        config: The options; the file is `new_csv_path(config)`.

    Yields:
        The progress: at the start, after each page of rows, and when the file is complete.

    Raises:
        BigQueryError: If the query fails, or no texts are left.
        OptionError: If the file can't be written; this is checked before the query is run.

    Example:
        for progress in export(sign_in(config.project), config):
            print(progress.describe())
    """
    path = new_csv_path(config)
    try:
        yield from _write(client, config, path)
    except OSError as error:
        problem = write_problem(path, error, "choose another file")
        raise OptionError(f"csv_path={str(path)!r} cannot be written: {problem}") from None


def new_csv_path(config: BigQueryConfig, today: date | None = None) -> Path:
    """Return the file of an export, which does not exist yet.

    Args:
        config: The options. Without `csv_path`, the name has the source and the date, and a number
            if that file exists.
        today: The date in the name (default: today).

    Raises:
        OptionError: If `csv_path` exists.

    >>> new_csv_path(BigQueryConfig(), date(2026, 11, 30)).name
    'hacker_news_2026-11-30.csv'
    """
    if config.csv_path:
        path = Path(config.csv_path)
        if path.exists() and not path.is_dir():
            raise OptionError(
                f"csv_path must be a new file, got {config.csv_path!r}, which exists: choose "
                "another name, or leave it empty"
            )
        return path
    stem = f"{config.file_stem}_{today or date.today()}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(path for path in (Path(f"{name}.csv") for name in names) if not path.exists())


def _write(
    client: Client, config: BigQueryConfig, path: Path
) -> Generator[ExportProgress, None, None]:
    if path.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    fetched = kept = empty = short = 0
    seen: set[bytes] = set()  # hashes, because the texts may need much memory
    preview: list[str] = []
    with atomic_write(path) as out:
        file = io.TextIOWrapper(out, encoding="utf-8", newline="")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([HEADER])
        yield (progress := ExportProgress())
        rows = run(client, build(config), config.limit_bytes)
        for page in rows.pages:
            for text in map(clean, page):
                fetched += 1
                if not text:
                    empty += 1
                elif len(text) < config.min_length:
                    short += 1
                else:
                    seen.add(hashlib.blake2b(text.encode(), digest_size=16).digest())
                    if len(seen) > kept:
                        kept = len(seen)
                        writer.writerow([text])
                        preview += [text] * (len(preview) < PREVIEW)
            repeated = fetched - kept - empty - short
            yield (
                progress := ExportProgress(
                    fetched, rows.total, kept, empty, short, repeated, tuple(preview)
                )
            )
        if not kept:
            found = "only empty or too short texts" if fetched else "no texts"
            raise BigQueryError(
                f"the query found {found}, so {path} was not written: check the spelling, add "
                "months, or reduce min_length"
            )
        file.detach()  # flushes; closing it would close `out` too early
    yield dataclasses.replace(progress, path=path)
