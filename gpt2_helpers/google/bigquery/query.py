"""Building the SQL of an export and its parameters. Needs no Google package.

Only validated names, months and constants are inserted into the SQL; all other user input is passed
as query parameters. The months of a wildcard table are literals, because with parameters BigQuery
would read, and bill, the tables of all months.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from gpt2_helpers.errors import OptionError
from gpt2_helpers.google.bigquery.config import BigQueryConfig

HACKER_NEWS_TABLE = "bigquery-public-data.hacker_news.full"
REDDIT_TABLE = "fh-bigquery.reddit_posts.*"

_SUFFIX = re.compile(r"^\d{4}_\d{2}\Z", re.ASCII)


@dataclass(frozen=True)
class Parameter:
    """A query parameter; `kind` is its BigQuery type: STRING, INT64 or TIMESTAMP."""

    name: str
    kind: str
    value: str | int | datetime

    @property
    def literal(self) -> str:
        """The value as an SQL literal, for display only."""
        if isinstance(self.value, int):
            return str(self.value)
        if isinstance(self.value, datetime):
            return f"TIMESTAMP '{self.value:%Y-%m-%d}'"
        escaped = self.value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{escaped}'"


@dataclass(frozen=True)
class Query:
    """An SQL query with `@name` parameters, their values, and a description."""

    sql: str
    parameters: tuple[Parameter, ...]
    description: str

    @property
    def readable(self) -> str:
        """The SQL with the values inserted, for BigQuery's console."""
        literals = {parameter.name: parameter.literal for parameter in self.parameters}
        return re.sub(r"@(\w+)", lambda match: literals[match[1]], self.sql)


def build(config: BigQueryConfig) -> Query:
    """Build the query of an export.

    The result has one column, `title`, with the texts of the highest score first. HTML entities
    and U+FFFD replacement characters are removed.

    Args:
        config: The options.

    Returns:
        The query.

    >>> query = build(BigQueryConfig(first_month="2019-01", words="rust, c++"))
    >>> query.description
    'Hacker News, from 2019-01 on, with one of: rust, c++: up to 16,000 titles of 8 characters
    or more, the highest score first'
    >>> [parameter.name for parameter in query.parameters]
    ['first_day', 'min_length', 'words', 'limit']
    """
    table, column, ranking, things = HACKER_NEWS_TABLE, "title", "score", "titles"
    order = ranking
    if config.source == "reddit":
        table = REDDIT_TABLE
    elif config.source == "own":
        # Qualified, because a bare `title` would refer to the output column.
        table, column = config.table or "", f"source.`{config.text_column}`"
        ranking, things = config.order_column or "", "texts"
        order = f"source.`{ranking}`"
    conditions = _conditions(config, column)
    lines = [
        "SELECT",
        "  REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(",
        f"    {column}, '&amp;', '&'), '&lt;', '<'), '&gt;', '>'), '\\ufffd', '') AS title",
        f"FROM `{table}`" + (" AS source" if config.source == "own" else ""),
        "WHERE " + "\n  AND ".join(sql for sql, _ in conditions),
        *([f"ORDER BY {order} DESC"] if ranking else []),
        "LIMIT @limit",
    ]
    parameters = [parameter for _, parameter in conditions if parameter]
    parameters.append(Parameter("limit", "INT64", config.limit))
    description = (
        f"{_describe_source(config)}: up to {config.limit:,} {things} of {config.min_length:,} "
        "characters or more" + (f", the highest {ranking} first" if ranking else "")
    )
    return Query("\n".join(lines), tuple(parameters), description)


def _conditions(config: BigQueryConfig, column: str) -> list[tuple[str, Parameter | None]]:
    """The conditions on a row, each with the parameter it uses."""
    found: list[tuple[str, Parameter | None]] = []
    first, last = config.first_month, config.last_month
    if config.source == "hacker_news":
        found.append(("type = 'story'", None))
        if first:
            begin = Parameter("first_day", "TIMESTAMP", _first_day(first))
            found.append(("timestamp >= @first_day", begin))
        if last:
            end = Parameter("day_after", "TIMESTAMP", _first_day(last, months_later=1))
            found.append(("timestamp < @day_after", end))
    elif config.source == "reddit":
        months = f"'{_suffix(first or '')}' AND '{_suffix(last or '')}'"
        found.append((f"_TABLE_SUFFIX BETWEEN {months}", None))
    length = Parameter("min_length", "INT64", config.min_length)
    found.append((f"LENGTH({column}) >= @min_length", length))
    if config.source == "reddit" and config.subreddit:
        subreddit = Parameter("subreddit", "STRING", config.subreddit.lower())
        found.append(("LOWER(subreddit) = @subreddit", subreddit))
    if config.source == "own" and config.filter_column and config.filter_value:
        value = Parameter("filter_value", "STRING", config.filter_value)
        text = f"CAST(source.`{config.filter_column}` AS STRING)"
        found.append((f"LOWER({text}) = LOWER(@filter_value)", value))
    if words := _words(config):
        pattern = Parameter("words", "STRING", _pattern(words))
        found.append((f"REGEXP_CONTAINS({column}, @words)", pattern))
    return found


def _describe_source(config: BigQueryConfig) -> str:
    """Describe the source of the texts."""
    if config.source == "own":
        parts = [f"{config.table}, column {config.text_column}"]
        if config.filter_column:
            parts.append(f"where {config.filter_column} is {config.filter_value}")
    else:
        parts = ["Hacker News"]
        if config.source == "reddit":
            parts = [f"r/{config.subreddit}" if config.subreddit else "all of Reddit"]
        first, last = config.first_month, config.last_month
        if first and last:
            parts.append(first if first == last else f"{first} to {last}")
        elif first or last:
            parts.append(f"from {first} on" if first else f"up to {last}")
    if words := _words(config):
        parts.append(f"with one of: {', '.join(words)}")
    return ", ".join(parts)


def _first_day(month: str, months_later: int = 0) -> datetime:
    years, months = divmod(int(month[5:]) - 1 + months_later, 12)
    return datetime(int(month[:4]) + years, months + 1, 1, tzinfo=timezone.utc)


def _suffix(month: str) -> str:
    """The suffix of a month's table; checked again because it is inserted into the SQL."""
    suffix = month.replace("-", "_")
    if not _SUFFIX.match(suffix):
        raise OptionError(f"a month must have the form 2019-01, got {month!r}")
    return suffix


def _words(config: BigQueryConfig) -> list[str]:
    words = (" ".join(word.split()) for word in (config.words or "").split(","))
    return [word for word in words if word]


def _pattern(words: list[str]) -> str:
    """An RE2 pattern for any of the words, case-insensitive. `\\b` would not match after c++."""
    either = "|".join(map(re.escape, words))
    return rf"(?i)(?:^|[^\pL\pN])(?:{either})(?:$|[^\pL\pN])"
