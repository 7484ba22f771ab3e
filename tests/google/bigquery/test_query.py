"""The SQL of an export and its parameters."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest

from bigquery_options import own, reddit
from gpt2_helpers.fields import fields_of
from gpt2_helpers.google.bigquery.config import COMMON, GIGABYTE, SOURCE_FIELDS, BigQueryConfig
from gpt2_helpers.google.bigquery.query import Parameter, Query, build


def values(query: Query) -> dict[str, Any]:
    return {parameter.name: parameter.value for parameter in query.parameters}


def test_the_query_of_the_article() -> None:
    query = build(reddit(subreddit="AskReddit", min_length=8, limit=16_000))
    assert query.readable == (
        "SELECT\n"
        "  REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(\n"
        "    title, '&amp;', '&'), '&lt;', '<'), '&gt;', '>'), '\\ufffd', '') AS title\n"
        "FROM `fh-bigquery.reddit_posts.*`\n"
        "WHERE _TABLE_SUFFIX BETWEEN '2019_01' AND '2019_03'\n"
        "  AND LENGTH(title) >= 8\n"
        "  AND LOWER(subreddit) = 'askreddit'\n"
        "ORDER BY score DESC\n"
        "LIMIT 16000"
    )
    assert "LENGTH(title) >= @min_length" in query.sql
    assert "LOWER(subreddit) = @subreddit" in query.sql
    assert query.sql.endswith("LIMIT @limit")
    assert query.parameters == (
        Parameter("min_length", "INT64", 8),
        Parameter("subreddit", "STRING", "askreddit"),
        Parameter("limit", "INT64", 16_000),
    )


def test_hacker_news_is_limited_to_the_months() -> None:
    query = build(BigQueryConfig(first_month="2018-12", last_month="2019-12"))
    assert "FROM `bigquery-public-data.hacker_news.full`" in query.sql
    assert "type = 'story'" in query.sql
    assert "timestamp >= @first_day\n  AND timestamp < @day_after" in query.sql
    assert values(query)["first_day"] == datetime(2018, 12, 1, tzinfo=timezone.utc)
    assert values(query)["day_after"] == datetime(2020, 1, 1, tzinfo=timezone.utc)
    assert "timestamp" not in build(BigQueryConfig()).sql


@pytest.mark.parametrize(
    "typed", ["2019-03", "2019/03", "2019_03", "2019.3", "2019 3", " 2019-3 ", "201903"]
)
def test_months_can_be_typed_in_several_formats(typed: str) -> None:
    config = reddit(first_month=typed, last_month=typed)
    assert config.first_month == config.last_month == "2019-03"
    assert "BETWEEN '2019_03' AND '2019_03'" in build(config).sql


NASTY = "x' OR 1=1; DROP TABLE `t` -- \\"


def test_user_input_is_not_inserted_into_the_sql() -> None:
    query = build(own(words=NASTY, filter_column="kind", filter_value=NASTY))
    assert "DROP" not in query.sql
    assert values(query)["filter_value"] == NASTY
    assert re.search(values(query)["words"].replace(r"\pL\pN", r"\w"), f"so {NASTY} it is")


def test_fields_of_other_sources_are_ignored() -> None:
    config = BigQueryConfig(table="no table", text_column="a b", subreddit="not one name")
    assert build(config).sql == build(BigQueryConfig()).sql


@pytest.mark.parametrize("typed", ["AskReddit", "r/AskReddit", "/r/AskReddit/", " r/AskReddit "])
def test_subreddits_are_normalized(typed: str) -> None:
    query = build(reddit(subreddit=typed))
    assert values(query)["subreddit"] == "askreddit"
    assert query.description.startswith("r/AskReddit, 2019-01 to 2019-03: ")


def test_without_a_subreddit_all_of_reddit_is_queried() -> None:
    query = build(reddit(subreddit=None))
    assert "subreddit" not in query.sql
    assert query.description.startswith("all of Reddit, 2019-01")


@pytest.mark.parametrize(
    "typed",
    [
        "my-project.texts.jokes",
        "`my-project.texts.jokes`",
        "my-project:texts.jokes",
        "my-project.texts.jokes_*",
        "my-project.texts.*",
        "example.com:my-project.texts.jokes-2",
    ],
)
def test_tables_can_be_pasted_from_the_console(typed: str) -> None:
    config = own(table=typed)
    assert config.table
    assert "`" not in config.table
    assert f"FROM `{config.table}`" in build(config).sql


def test_a_custom_table_with_a_filter_and_an_order() -> None:
    config = own(order_column="votes", filter_column="lang", filter_value="EN")
    query = build(config)
    assert "LENGTH(source.`joke`) >= @min_length" in query.sql
    assert "LOWER(CAST(source.`lang` AS STRING)) = LOWER(@filter_value)" in query.sql
    assert "ORDER BY source.`votes` DESC" in query.sql
    assert query.description == (
        "my-project.texts.jokes, column joke, where lang is EN: up to 16,000 texts of 8 characters "
        "or more, the highest votes first"
    )
    assert "ORDER BY" not in build(own()).sql


def test_values_are_shown_as_sql_literals() -> None:
    assert Parameter("a", "STRING", "it's \\ a\nline").literal == r"'it\'s \\ a\nline'"
    when = datetime(2019, 1, 1, tzinfo=timezone.utc)
    assert Parameter("a", "TIMESTAMP", when).literal == "TIMESTAMP '2019-01-01'"
    assert "@" not in build(BigQueryConfig(first_month="2019-01", words="a")).readable


def test_every_field_is_listed_for_its_sources() -> None:
    listed = {*COMMON, *(name for names in SOURCE_FIELDS.values() for name in names)}
    assert listed == {field.name for field in fields_of(BigQueryConfig)}


def test_gigabytes_are_binary() -> None:
    assert BigQueryConfig(limit_gb=1.5).limit_bytes == 3 * GIGABYTE // 2
