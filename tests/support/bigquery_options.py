"""Options of exports for tests."""

from __future__ import annotations

from typing import Any

from gpt2_helpers.google.bigquery.config import GIGABYTE, ExportConfig

PROJECT = "my-project-1"
LIMIT = GIGABYTE


def reddit(**options: Any) -> ExportConfig:
    months = {"first_month": "2019-01", "last_month": "2019-03"}
    return ExportConfig(**{"source": "reddit", **months, **options})


def own(**options: Any) -> ExportConfig:
    given = {"source": "own", "table": "my-project.texts.jokes", "text_column": "joke"}
    return ExportConfig(**{**given, **options})
