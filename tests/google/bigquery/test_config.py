"""The options of an export: normalization and validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bigquery_options import own, reddit
from gpt2_helpers.errors import OptionError
from gpt2_helpers.google.bigquery.config import GIGABYTE, SOURCE_FIELDS, BigQueryConfig


@pytest.mark.parametrize(
    "typed", ["2019-13", "2019-00", "March 2019", "19-03", "2019", "1999-01", "2019-03' OR 1=1 --"]
)
@pytest.mark.parametrize("source", ["reddit", "hacker_news"])
def test_an_invalid_month(typed: str, source: str) -> None:
    with pytest.raises(OptionError, match=r"^first_month must be a year and a month, such as"):
        reddit(source=source, first_month=typed)


@pytest.mark.parametrize(
    "name", ["subreddit", "table", "text_column", "order_column", "filter_column", "project"]
)
def test_names_that_could_inject_sql_are_rejected(name: str) -> None:
    make = reddit if name == "subreddit" else own
    for typed in ("a` OR `b", "a'b", "a\\b", "a.b.c`.d", "a b", "a;b", "a\nb", "x.y.z` --"):
        with pytest.raises(OptionError, match=f"^{name} must "):
            make(**{name: typed, **({"filter_value": "x"} if name == "filter_column" else {})})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"source": "reddit"}, "first_month must be given for reddit, such as 2019-01"),
        (
            {"first_month": "2019-04", "last_month": "2019-03"},
            "last_month must not be before first_month, 2019-04, got 2019-03",
        ),
        ({"source": "own"}, "table must have the form project.dataset.table"),
        ({"source": "own", "table": "jokes"}, "table must have the form project.dataset.table"),
        ({"source": "own", "table": "my-project.a.b"}, "text_column must be given"),
        (
            {
                "source": "own",
                "table": "my-project.a.b",
                "text_column": "joke",
                "filter_column": "kind",
            },
            "filter_value must be set with filter_column",
        ),
        ({"project": "My first project"}, "project must be a project id"),
        ({"csv_path": "titles.txt"}, "csv_path must end with .csv"),
        (
            {"csv_path": "data/Titles.csv"},
            "csv_path must not be titles.csv",
        ),
        ({"source": "redit"}, "source must be one of hacker_news, reddit, own"),
        ({"limit": 0}, "limit must be between 1"),
        ({"limit_gb": 0.0}, "limit_gb must be between 0.01"),
    ],
)
def test_error_messages_start_with_the_field(config: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        BigQueryConfig(**config)
    assert str(caught.value).startswith(message)


def test_empty_text_is_none() -> None:
    assert BigQueryConfig(first_month="", words=" ", project="") == BigQueryConfig()


@pytest.mark.parametrize("source", SOURCE_FIELDS)
def test_only_the_fields_of_the_source_are_validated(source: str) -> None:
    makers: dict[str, Callable[..., BigQueryConfig]] = {
        "hacker_news": BigQueryConfig,
        "reddit": reddit,
        "own": own,
    }
    others = {"subreddit": "not one name", "table": "no table", "text_column": "a b"}
    unused = {name: v for name, v in others.items() if name not in SOURCE_FIELDS[source]}
    assert makers[source](**unused).source == source


def test_the_limit_in_bytes() -> None:
    assert BigQueryConfig(limit_gb=1.5).limit_bytes == 3 * GIGABYTE // 2
