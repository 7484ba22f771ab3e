"""The options of an export and their validation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, fields_of, option

GIGABYTE = 1 << 30  # bytes, as BigQuery counts them

# The fields used for each source, in addition to those in COMMON.
SOURCE_FIELDS = {
    "hacker_news": ("first_month", "last_month", "words"),
    "reddit": ("subreddit", "first_month", "last_month", "words"),
    "own": ("table", "text_column", "order_column", "filter_column", "filter_value", "words"),
}
COMMON = ("source", "min_length", "limit", "project", "limit_gb", "csv_path")

SAMPLE_TABLE = "titles.csv"  # an export of this name would be read in place of the sample

_PROJECT = r"(?:[a-z0-9.-]+\.[a-z]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
_TABLE = re.compile(rf"({_PROJECT})\.(\w{{1,1024}})\.(\*|[\w-]{{1,1024}}\*?)")
_COLUMN = re.compile(r"[^\W\d]\w{0,299}")
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,24}")
_MONTH = re.compile(r"([0-9]{4})[-_/. ]?([0-9]{1,2})")
_EARLIEST, _LATEST = 2005, 2100


@dataclass(frozen=True)
class BigQueryConfig(ValidatedConfig):
    """Which texts to export, the maximum cost, and the file to write.

    Months are normalized to YYYY-MM. Fields of other sources are ignored.

    >>> BigQueryConfig(source="reddit", first_month="2019/1", last_month="2019_03").first_month
    '2019-01'
    """

    source: str = option(
        "hacker_news",
        "Hacker News titles, Reddit titles (not public since 2025), or a table of your own",
        choices=tuple(SOURCE_FIELDS),
    )
    subreddit: str | None = option(
        "AskReddit", "such as AskReddit, without r/; empty exports all of Reddit"
    )
    first_month: str | None = option(
        None, "such as 2019-01; empty starts with the oldest titles of Hacker News"
    )
    last_month: str | None = option(
        None, "such as 2019-03, inclusive; empty ends with the newest titles of Hacker News"
    )
    table: str | None = option(
        None, "project.dataset.table; a * at the end matches all tables with this prefix"
    )
    text_column: str | None = option(None, "where the texts are, such as title")
    order_column: str | None = option(
        None,
        "export the rows with the highest values in this column, such as score; empty: any rows",
    )
    filter_column: str | None = option(
        None, "export only rows with the filter value in this column; empty: all rows"
    )
    filter_value: str | None = option(None, "what a row must have in that column, ignoring case")
    words: str | None = option(
        None,
        "export only texts with one of these words or phrases, separated by commas; empty: all",
    )
    min_length: int = option(
        8,
        "shorter texts are left out",
        label="Min length (characters)",
        minimum=1,
        maximum=10_000,
        suggested_range=(1, 100),
    )
    limit: int = option(
        16_000,
        "maximum number of rows; fewer cost the same",
        label="Number of texts",
        minimum=1,
        maximum=10_000_000,
        suggested_range=(1_000, 100_000),
    )
    project: str | None = option(
        None, "its id in Google Cloud, such as my-project-123456; queries are billed to it"
    )
    limit_gb: float = option(
        10.0,
        "a query that would read more is not run and costs nothing; 1,024 GB per month are free",
        label="Limit (GB)",
        minimum=0.01,
        maximum=1_000_000.0,
        suggested_range=(1.0, 100.0),
    )
    csv_path: str | None = option(
        None,
        "where to save the titles, in a new file ending with .csv; empty: named by source and date",
        label="CSV file",
        is_path=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields_of(type(self)):
            value = getattr(self, field.name)
            if isinstance(value, str):
                self._set(field.name, value.strip() or (None if field.optional else ""))
        self._check_project()
        if self.csv_path and not self.csv_path.lower().endswith(".csv"):
            raise OptionError(f"csv_path must end with .csv, got {self.csv_path!r}")
        if self.csv_path and Path(self.csv_path).name.lower() == SAMPLE_TABLE:
            raise OptionError(
                f"csv_path must not be {SAMPLE_TABLE}, the name of the sample table: choose another"
            )
        if self.source == "own":
            self._check_table()
        else:
            self._check_months()
        if self.source == "reddit" and self.subreddit:
            name = re.sub(r"^/?r/|/$", "", self.subreddit)
            if not _SUBREDDIT.fullmatch(name):
                raise OptionError(
                    "subreddit must be a name of letters, digits and _, such as AskReddit, got "
                    f"{self.subreddit!r}"
                )
            self._set("subreddit", name)

    def _set(self, name: str, value: str | None) -> None:
        object.__setattr__(self, name, value)

    def _check_project(self) -> None:
        if self.project and not re.fullmatch(_PROJECT, self.project):
            raise OptionError(
                "project must be a project id, such as my-project-123456, got "
                f"{self.project!r}: it is shown next to the name on console.cloud.google.com"
            )

    def _check_months(self) -> None:
        for name in ("first_month", "last_month"):
            typed = getattr(self, name)
            if typed:
                self._set(name, _month(name, typed))
            elif self.source == "reddit":
                raise OptionError(
                    f"{name} must be given for reddit, such as 2019-01: each month is a separate "
                    "table, and reading all of them would be expensive"
                )
        if self.first_month and self.last_month and self.first_month > self.last_month:
            raise OptionError(
                f"last_month must not be before first_month, {self.first_month}, got "
                f"{self.last_month}"
            )

    def _check_table(self) -> None:
        # The console shows names in backticks; legacy SQL has project:dataset.table.
        name = (self.table or "").replace("`", "")
        if ":" in name and name.count(".") == 1:
            name = name.replace(":", ".")
        if not _TABLE.fullmatch(name):
            raise OptionError(
                "table must have the form project.dataset.table, such as "
                f"bigquery-public-data.hacker_news.full, got {self.table or ''!r}"
            )
        self._set("table", name)
        for name in ("text_column", "order_column", "filter_column"):
            column = getattr(self, name)
            if name == "text_column" and not column:
                raise OptionError("text_column must be given: the column with the texts")
            if column and not _COLUMN.fullmatch(column):
                raise OptionError(
                    f"{name} must be a column name of letters, digits and _, got {column!r}"
                )
        if bool(self.filter_column) != bool(self.filter_value):
            given, missing = "filter_column", "filter_value"
            if self.filter_value:
                given, missing = missing, given
            raise OptionError(f"{missing} must be set with {given}: set both or neither")

    @property
    def file_stem(self) -> str:
        """The start of the names of its files, from the source.

        >>> BigQueryConfig().file_stem, BigQueryConfig(
        ...     source="own", table="my-project.texts.jokes", text_column="joke"
        ... ).file_stem
        ('hacker_news', 'jokes')
        """
        name = self.source
        if self.source == "reddit":
            name = f"reddit_{self.subreddit or 'all'}"
        elif self.source == "own" and self.table:
            name = self.table.rpartition(".")[2]
        return re.sub(r"\W+", "_", name).strip("_") or self.source

    @property
    def limit_bytes(self) -> int:
        """`limit_gb` in bytes."""
        return int(self.limit_gb * GIGABYTE)


def _month(name: str, typed: str) -> str:
    match = _MONTH.fullmatch(typed)
    year, month = map(int, match.groups()) if match else (0, 0)
    if not (_EARLIEST <= year <= _LATEST and 1 <= month <= 12):
        raise OptionError(f"{name} must be a year and a month, such as 2019-01, got {typed!r}")
    return f"{year:04}-{month:02}"
