"""Options of exports for tests."""

from __future__ import annotations

from typing import Any

from gpt2_helpers.google.bigquery.config import GIGABYTE, BigQueryConfig

PROJECT = "my-project-1"
LIMIT = GIGABYTE


def reddit(**options: Any) -> BigQueryConfig:
    months = {"first_month": "2019-01", "last_month": "2019-03"}
    return BigQueryConfig(**{"source": "reddit", **months, **options})


def own(**options: Any) -> BigQueryConfig:
    given = {"source": "own", "table": "my-project.texts.jokes", "text_column": "joke"}
    return BigQueryConfig(**{**given, **options})
