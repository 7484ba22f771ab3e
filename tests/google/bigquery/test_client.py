"""The client against a fake server: rows, cost, the limit, retries and signing in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bigquery_options import LIMIT, PROJECT, reddit
from bigquery_stand_in import HACKER_NEWS, REDDIT, Fault, StandIn, Table, running
from gpt2_helpers.errors import BigQueryError, MissingPackageError
from gpt2_helpers.google import colab
from gpt2_helpers.google.bigquery import client as bigquery
from gpt2_helpers.google.bigquery.client import Estimate, dry_run, run, sign_in
from gpt2_helpers.google.bigquery.config import GIGABYTE, BigQueryConfig
from gpt2_helpers.google.bigquery.query import Query, build
from paths import SUPPORT

pytest.importorskip("google.cloud.bigquery")


def rows_of(client: Any, config: BigQueryConfig) -> list[str]:
    rows = run(client, build(config), LIMIT)
    texts = [text for page in rows.pages for text in page]
    assert len(texts) == rows.total
    return texts


def replaced(title: str) -> str:
    for entity, letter in (("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("\ufffd", "")):
        title = title.replace(entity, letter)
    return title


def posts(stand_in: StandIn, *months: str) -> list[tuple[str, str, int]]:
    """Title, subreddit and score of the posts that have a title."""
    rows = [row for month in months for row in stand_in.tables[REDDIT + month].rows]
    return [(title, name, score) for title, name, score, _ in rows if title is not None]


def stories(stand_in: StandIn) -> list[tuple[str, int, datetime]]:
    rows = stand_in.tables[HACKER_NEWS].rows
    return [(t, score, when) for t, score, kind, when in rows if t and kind == "story"]


def test_the_query_of_the_article_returns_the_expected_titles(
    stand_in: StandIn, client: Any
) -> None:
    wanted = [
        (score, replaced(title))
        for title, name, score in posts(stand_in, "2019_01", "2019_02", "2019_03")
        if name.lower() == "askreddit" and len(title) >= 8
    ]
    assert len(wanted) > 200
    titles = rows_of(client, reddit())
    assert Counter(titles) == Counter(title for _, title in wanted)
    scores = {title: score for score, title in wanted}
    in_order = [scores[title] for title in titles]
    assert in_order == sorted(in_order, reverse=True)
    assert "02 why??" in titles  # eight characters, ASKREDDIT
    assert "02 why?" not in titles
    assert "What&s up in 2019_02, <redditors>?" in titles
    assert not any("2018_12" in title or "2019_04" in title for title in titles)


def test_the_limit_keeps_the_highest_scores(stand_in: StandIn, client: Any) -> None:
    titles = rows_of(client, reddit(limit=20))
    scores = {replaced(title): score for title, _, score in posts(stand_in, "2019_01", "2019_02")}
    scores |= {replaced(title): score for title, _, score in posts(stand_in, "2019_03")}
    matching = [
        score
        for title, name, score in posts(stand_in, "2019_01", "2019_02", "2019_03")
        if name.lower() == "askreddit" and len(title) >= 8
    ]
    assert [scores[title] for title in titles] == sorted(matching, reverse=True)[:20]


def test_hacker_news_returns_stories_by_score(stand_in: StandIn, client: Any) -> None:
    titles = rows_of(client, BigQueryConfig())
    assert Counter(titles) == Counter(replaced(title) for title, _, _ in stories(stand_in))
    assert titles[:3] == [
        "Deep & wide: what&#x27;s left of C++",  # the export unescapes the rest
        "A <blink> tag for 2019",
        "The first second of April",
    ]
    assert titles[-1] == "Nothing without a score"


def test_hacker_news_months_are_inclusive(stand_in: StandIn, client: Any) -> None:
    titles = rows_of(client, BigQueryConfig(first_month="2019-03", last_month="2019-03"))
    begin, end = datetime(2019, 3, 1), datetime(2019, 4, 1)
    wanted = [title for title, _, when in stories(stand_in) if begin <= when < end]
    assert Counter(titles) == Counter(map(replaced, wanted))
    assert "A <blink> tag for 2019" in titles  # of the month's last second
    assert "The first second of April" not in titles


def test_words_match_whole_and_case_insensitively(stand_in: StandIn, client: Any) -> None:
    tables = {
        HACKER_NEWS: Table(
            {"title": "STRING", "score": "INT64", "type": "STRING"},
            [
                (title, None, "story")
                for title in (
                    "C++ for the patient",
                    "What is c++?",
                    "Why RUST, again",
                    "Trust nobody at all",
                    "New York, New York",
                    "New in York today",
                    "Café: rust, on the menu",
                    "Nothing of the kind",
                )
            ],
        )
    }
    with running(tables) as other, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", other.address)
        titles = rows_of(sign_in(PROJECT), BigQueryConfig(words="c++,  Rust,new  york , "))
    assert sorted(titles) == [
        "C++ for the patient",
        "Café: rust, on the menu",
        "New York, New York",
        "What is c++?",
        "Why RUST, again",
    ]


def test_a_custom_table_is_filtered_and_ordered() -> None:
    columns = {"joke": "STRING", "votes": "INT64", "lang": "STRING"}
    tables = {
        "my-project.texts.jokes_1": Table(
            columns, [("The first joke", 3, "en"), ("Der erste Witz", 9, "de")]
        ),
        "my-project.texts.jokes_2": Table(
            columns, [("The other joke", 7, "EN"), ("short", 8, "en"), (None, 1, "en")]
        ),
        "my-project.texts.poems": Table(columns, [("A poem, no joke", 5, "en")]),
    }
    own: dict[str, Any] = {
        "source": "own",
        "text_column": "joke",
        "order_column": "votes",
        "filter_column": "lang",
        "filter_value": "en",
    }
    with running(tables) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        client = sign_in(PROJECT)
        all_jokes = BigQueryConfig(table="my-project.texts.jokes_*", **own)
        assert rows_of(client, all_jokes) == ["The other joke", "The first joke"]
        one = BigQueryConfig(table="my-project.texts.jokes_1", **own)
        assert rows_of(client, one) == ["The first joke"]


def test_a_column_called_title_is_not_confused_with_the_output() -> None:
    columns = {"joke": "STRING", "title": "INT64"}
    table = Table(columns, [("a joke, the first", 9), ("b joke, the second", 1)])
    config = BigQueryConfig(
        source="own", table="my-project.texts.jokes", text_column="joke", order_column="title"
    )
    with (
        running({"my-project.texts.jokes": table}) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        assert rows_of(sign_in(PROJECT), config) == ["a joke, the first", "b joke, the second"]


def test_rows_are_fetched_in_pages(
    stand_in: StandIn, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery, "PAGE_ROWS", 100)
    rows = run(client, build(BigQueryConfig()), LIMIT)
    before = len(stand_in.sent("/queries/"))
    sizes = [len(page) for page in rows.pages]
    assert sum(sizes) == rows.total
    assert max(sizes) == 100
    assert len(stand_in.sent("/queries/")) - before == len(sizes) - 1


def test_a_dry_run_counts_columns_and_months(stand_in: StandIn, client: Any) -> None:
    tables = [stand_in.tables[REDDIT + month] for month in ("2019_01", "2019_02", "2019_03")]
    read = sum(t.bytes_of(column) for t in tables for column in ("title", "subreddit", "score"))
    assert dry_run(client, build(reddit())) == Estimate(read, tables=3)
    more = dry_run(client, build(reddit(first_month="2018-12", limit=1)))
    assert more.tables == 4
    assert more.bytes > read


def test_a_dry_run_starts_no_job(stand_in: StandIn, client: Any) -> None:
    dry_run(client, build(reddit()))
    (sent,) = stand_in.sent("POST")
    assert sent["configuration"]["dryRun"] is True
    assert not stand_in.jobs


def test_at_least_ten_megabytes_per_table_are_billed() -> None:
    assert Estimate(bytes=1, tables=3).billed == 3 * 10 * 1024 * 1024
    assert Estimate(bytes=1 << 40, tables=3).billed == 1 << 40
    assert Estimate(bytes=0, cached=True).billed == 0
    assert Estimate(bytes=0, cached=True).dollars == 0
    assert Estimate(bytes=1 << 39).dollars == pytest.approx(3.125)
    assert "3.12 US dollars" in Estimate(bytes=1 << 39).describe()


def test_the_limit_is_sent_and_enforced(stand_in: StandIn, client: Any) -> None:
    stand_in.scale = 1_000_000
    with pytest.raises(BigQueryError) as refusal:
        run(client, build(reddit()), 2 * GIGABYTE)
    (sent,) = stand_in.sent("POST")
    assert sent["configuration"]["query"]["maximumBytesBilled"] == str(2 * GIGABYTE)
    assert not stand_in.sent("/queries/")
    message = str(refusal.value)
    assert "more than your limit of 2 GB; it was not run and costs nothing" in message
    # The query runs with the limit that the message suggests.
    enough = re.search(r"increase limit_gb to at least ([0-9.]+), or", message)
    assert enough
    config = reddit(limit_gb=float(enough[1]))
    assert run(client, build(config), config.limit_bytes).total > 0
    assert float(enough[1]) * GIGABYTE - 0.01 * GIGABYTE < dry_run(client, build(config)).billed


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "backendError"])
def test_temporary_errors_are_retried(stand_in: StandIn, client: Any, reason: str) -> None:
    stand_in.faults = [Fault("POST", 503, reason), Fault("/queries/", 503, reason)]
    assert len(rows_of(client, reddit())) > 200
    assert not stand_in.faults


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("POST", 503, always=True), "BigQuery is temporarily unavailable (503)"),
        (Fault("POST", 403, "rateLimitExceeded", always=True), "wait a minute"),
        (Fault("POST", drop=True, always=True), "check the network connection"),
        (Fault("/queries/", drop=True, always=True), "check the network connection"),
    ],
)
def test_permanent_errors_raise_with_advice(
    stand_in: StandIn,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    sentence: str,
) -> None:
    monkeypatch.setattr(bigquery, "RETRY_SECONDS", 0.3)
    stand_in.faults = [fault]
    with pytest.raises(BigQueryError, match=re.escape(sentence)):
        rows_of(client, reddit())


def test_a_job_that_fails_raises_the_same_error(stand_in: StandIn, client: Any) -> None:
    stand_in.denied = {"fh-bigquery"}
    for call in (dry_run, lambda c, q: run(c, q, LIMIT)):
        with pytest.raises(BigQueryError, match="since January 2025"):
            call(client, build(reddit()))
    config = BigQueryConfig(source="own", table="my-project.a.b", text_column="joke")
    for call in (dry_run, lambda c, q: run(c, q, LIMIT)):
        with pytest.raises(BigQueryError, match=r"my-project:a\.b was not found.*check its name"):
            call(client, build(config))


def test_a_wrong_column_is_named(stand_in: StandIn, client: Any) -> None:
    config = BigQueryConfig(source="own", table=HACKER_NEWS, text_column="joke")
    with pytest.raises(BigQueryError, match="Unrecognized name: joke"):
        dry_run(client, build(config))


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr(bigquery, "RETRY_SECONDS", 0.3)
    with pytest.raises(BigQueryError, match="be reached: check the network"):
        dry_run(sign_in(PROJECT), build(reddit()))


def test_a_query_that_times_out_is_cancelled(
    stand_in: StandIn, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery, "QUERY_SECONDS", 0.3)
    stand_in.stuck = True
    with pytest.raises(BigQueryError, match="timed out and was cancelled"):
        run(client, build(reddit()), LIMIT)
    assert stand_in.sent("/cancel")


def test_an_interrupt_cancels_the_query(
    stand_in: StandIn, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud.bigquery.job import QueryJob

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    stand_in.stuck = True
    monkeypatch.setattr(QueryJob, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(client, build(reddit()), LIMIT)
    assert stand_in.sent("/cancel")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nobody ever signed in."""
    for name in list(os.environ):
        if name.startswith(("BIGQUERY_", "GOOGLE_", "CLOUDSDK_", "GCLOUD_", "COLAB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("nobody")
def test_missing_credentials() -> None:
    with pytest.raises(BigQueryError, match="not signed in .*`gcloud auth application-default"):
        sign_in(PROJECT)


@pytest.mark.usefixtures("nobody")
def test_invalid_credentials_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text('{"type": "authorized_user", "refresh_token": "my-secret"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    with pytest.raises(BigQueryError) as refusal:
        sign_in(PROJECT)
    assert "gcloud auth application-default login" in str(refusal.value)
    assert "my-secret" not in str(refusal.value)


def test_a_missing_project(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(BigQueryError, match="no project was given.*/projectcreate"):
        sign_in(None)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-the-environment")
    assert sign_in(None).project == "from-the-environment"


@pytest.mark.usefixtures("nobody")
def test_colab_asks_for_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    asked: list[str | None] = []
    monkeypatch.setattr(colab, "in_colab", lambda: True)
    monkeypatch.setattr(colab, "authenticate_user", asked.append)
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(google.auth, "default", lambda scopes: (credentials, None))
    assert sign_in(PROJECT).project == PROJECT
    assert asked == [PROJECT]
    with pytest.raises(BigQueryError, match="no project was given"):
        sign_in(None)
    assert asked == [PROJECT]


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    with pytest.raises(MissingPackageError, match=r"`pip install \"gpt2-helpers\[notebooks\]\"`"):
        sign_in(PROJECT)


def test_the_fake_server_runs_as_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    script = SUPPORT / "bigquery_stand_in.py"
    command = [sys.executable, str(script), "--deny-reddit", "--scale", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.stdout.readline().strip())
            client = sign_in(PROJECT)
            query = build(BigQueryConfig(limit=5))
            assert dry_run(client, query).bytes > GIGABYTE
            assert run(client, query, 10 * GIGABYTE).total == 5
            with pytest.raises(BigQueryError, match="since January 2025"):
                dry_run(client, build(reddit()))
        finally:
            server.terminate()


def test_the_fake_server_rejects_invalid_queries(stand_in: StandIn, client: Any) -> None:
    query = Query("SELEC title FROM `a-project.b.c`", (), "")
    with pytest.raises(BigQueryError, match="the query is invalid"):
        dry_run(client, query)
    query = Query(f"SELECT title FROM `{HACKER_NEWS}` LIMIT @limit", (), "")
    with pytest.raises(BigQueryError, match="'limit' not found"):
        dry_run(client, query)
