"""BigQuery itself: signing in, what a query costs, and its rows. Knows nothing of files or forms.

All goes through the google-cloud-bigquery client. Where BIGQUERY_EMULATOR_HOST is set, that client
talks to the address in it, and nobody signs in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpt2_helpers.errors import BigQueryError, import_optional
from gpt2_helpers.google.bigquery.config import GIGABYTE
from gpt2_helpers.google.bigquery.errors import NO_PROJECT, gigabytes, translate_errors
from gpt2_helpers.google.bigquery.query import Query

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

# On demand, in the US, where the public tables are: https://cloud.google.com/bigquery/pricing
DOLLARS_PER_TIB = 6.25
FREE_GB_A_MONTH = 1024
_SMALLEST_BILL = 10 << 20  # bytes a table, however little is read of it

PAGE_ROWS = 2_000  # rows fetched at once
QUERY_SECONDS = 900.0  # a query that takes longer is cancelled
RETRY_SECONDS = 60.0  # how long a request is repeated while BigQuery or the network is in trouble


def sign_in(project: str | None = None) -> Client:
    """A client that runs queries in `project`, or in the one of the environment.

    In Colaboratory this asks for the Google account; elsewhere it takes the application default
    credentials, as `gcloud auth application-default login` leaves them. Raises BigQueryError where
    nobody is signed in or no project is known.
    """
    bigquery = _package()
    import google.auth
    from google.auth.credentials import AnonymousCredentials, Credentials

    from gpt2_helpers.google import colab

    project = project or os.environ.get("GOOGLE_CLOUD_PROJECT") or None
    with translate_errors(project):
        if os.environ.get("BIGQUERY_EMULATOR_HOST"):
            credentials: Credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        else:
            if colab.in_colab():
                if project is None:
                    raise BigQueryError(NO_PROJECT)
                colab.authenticate_user(project)
            credentials, known = google.auth.default(scopes=bigquery.Client.SCOPE)
            project = project or known
        if project is None:
            raise BigQueryError(NO_PROJECT)
        return bigquery.Client(project=project, credentials=credentials)


@dataclass(frozen=True)
class Estimate:
    """What a query would read: its bytes, in how many tables; `cached` where it is known already.

    >>> Estimate(bytes=1 << 40, tables=3).dollars
    6.25
    """

    bytes: int
    tables: int = 1
    cached: bool = False

    @property
    def billed(self) -> int:
        """The bytes that BigQuery counts: at least 10 MB a table, none for a cached answer."""
        return 0 if self.cached else max(self.bytes, self.tables * _SMALLEST_BILL)

    @property
    def dollars(self) -> float:
        """The price in US dollars once the month's free amount is used up."""
        return self.billed / (GIGABYTE * 1024) * DOLLARS_PER_TIB

    def describe(self) -> str:
        """Bytes and price in words.

        >>> Estimate(bytes=5 << 30).describe()
        'reads 5 GB: free within the 1,024 GB that a project has each month, else 0.03 US dollars'
        """
        if self.cached:
            return "reads nothing: BigQuery still has the answer from before, free"
        price = f"{self.dollars:,.2f}" if self.dollars >= 0.01 else "under 0.01"
        return (
            f"reads {gigabytes(self.billed)} GB: free within the {FREE_GB_A_MONTH:,} GB that a "
            f"project has each month, else {price} US dollars"
        )


def dry_run(client: Client, query: Query) -> Estimate:
    """What the query would cost, without running it. This is free.

    Raises BigQueryError where the query could not run.
    """
    with translate_errors(client.project):
        job = client.query(
            query.sql,
            job_config=_job_config(query, dry_run=True),
            retry=_retry(),
            timeout=RETRY_SECONDS,
            job_retry=None,
        )
        return Estimate(
            bytes=job.total_bytes_processed or 0,
            tables=len(job.referenced_tables) or 1,
            cached=bool(job.cache_hit),
        )


@dataclass(frozen=True)
class Rows:
    """The answer of a query: how many rows, and their texts page by page as they are fetched."""

    total: int
    pages: Iterator[list[str]]


def run(client: Client, query: Query, limit_bytes: int) -> Rows:
    """Run the query and wait for its rows; one that would bill over `limit_bytes` is refused.

    Raises BigQueryError, also while the pages are fetched. An interrupt cancels the query.
    """
    with translate_errors(client.project):
        job = client.query(
            query.sql,
            job_config=_job_config(query, maximum_bytes_billed=limit_bytes),
            retry=_retry(),
            timeout=RETRY_SECONDS,
            job_retry=None,
        )
        try:
            rows = job.result(
                page_size=PAGE_ROWS, retry=_retry(), timeout=QUERY_SECONDS, job_retry=None
            )
        except BaseException:
            if job.state != "DONE":
                _cancel(job)
            raise
    return Rows(rows.total_rows or 0, _pages(rows, client.project))


def _pages(rows: Any, project: str) -> Iterator[list[str]]:
    with translate_errors(project):
        for page in rows.pages:
            yield [row[0] or "" for row in page]


def _cancel(job: Any) -> None:
    try:
        job.cancel(retry=None, timeout=5)
    except Exception:
        return  # it ends by itself: what stopped us is the thing to tell


def _job_config(query: Query, **settings: Any) -> Any:
    bigquery = _package()
    values = [bigquery.ScalarQueryParameter(p.name, p.kind, p.value) for p in query.parameters]
    return bigquery.QueryJobConfig(query_parameters=values, **settings)


def _retry() -> Any:
    from google.cloud.bigquery.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(RETRY_SECONDS)


def _package() -> Any:
    return import_optional("google.cloud.bigquery", "BigQuery", "google-cloud-bigquery")
