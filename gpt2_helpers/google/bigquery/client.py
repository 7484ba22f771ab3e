"""Signing in to BigQuery, estimating the cost of a query, and running it.

Uses the google-cloud-bigquery client; if BIGQUERY_EMULATOR_HOST is set, that client connects to
this address without credentials.
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

# On-demand price in the US, the location of the public tables: https://cloud.google.com/bigquery/pricing
DOLLARS_PER_TIB = 6.25
FREE_GB_PER_MONTH = 1024
_MIN_BILLED_BYTES = 10 << 20  # per table that a query reads

PAGE_ROWS = 2_000  # rows per request
QUERY_SECONDS = 900.0  # timeout of a query
RETRY_SECONDS = 60.0  # how long a failed request is retried


def sign_in(project: str | None = None) -> Client:
    """Sign in to BigQuery.

    Colab asks for permission in a window. Elsewhere the application default credentials are used,
    which `gcloud auth application-default login` creates.

    Args:
        project: Id of the Google Cloud project that queries are billed to. Defaults to the
            environment variable GOOGLE_CLOUD_PROJECT or the project of the credentials.

    Returns:
        A BigQuery client.

    Raises:
        BigQueryError: If there are no credentials or no project.

    Example:
        client = sign_in("my-project-123456")
    """
    bigquery = _package()
    import google.auth
    from google.auth.credentials import AnonymousCredentials, Credentials

    from gpt2_helpers.google import colab

    project = project or project_of_environment()
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


def project_of_environment() -> str | None:
    """Return the project that GOOGLE_CLOUD_PROJECT names, if any."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or None


@dataclass(frozen=True)
class Estimate:
    """The cost of a query: bytes and tables read, and whether the result is cached.

    >>> Estimate(bytes=1 << 40, tables=3).dollars
    6.25
    """

    bytes: int
    tables: int = 1
    cached: bool = False

    @property
    def billed(self) -> int:
        """The bytes that are billed: at least 10 MB per table, none for a cached result."""
        return 0 if self.cached else max(self.bytes, self.tables * _MIN_BILLED_BYTES)

    @property
    def dollars(self) -> float:
        """The price in US dollars, once the free amount of the month is used up."""
        return self.billed / (GIGABYTE * 1024) * DOLLARS_PER_TIB

    def describe(self) -> str:
        """Bytes and price as text.

        >>> Estimate(bytes=5 << 30).describe()
        'reads 5 GB: free within the 1,024 GB per month of a project, else 0.03 US dollars'
        """
        if self.cached:
            return "reads 0 GB: free, because BigQuery has cached the result"
        price = f"{self.dollars:,.2f}" if self.dollars >= 0.01 else "less than 0.01"
        return (
            f"reads {gigabytes(self.billed)} GB: free within the {FREE_GB_PER_MONTH:,} GB per "
            f"month of a project, else {price} US dollars"
        )


def dry_run(client: Client, query: Query) -> Estimate:
    """Estimate the cost of a query without running it, which is free.

    Args:
        client: A client from `sign_in`.
        query: The query.

    Returns:
        Its cost.

    Raises:
        BigQueryError: If the query is invalid or not allowed.

    Example:
        print(dry_run(client, build(config)).describe())
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
    """The result of a query: the number of rows, and their texts in pages, fetched lazily."""

    total: int
    pages: Iterator[list[str]]


def run(client: Client, query: Query, limit_bytes: int) -> Rows:
    """Run a query and wait for its result. An interrupt cancels it.

    Args:
        client: A client from `sign_in`.
        query: The query.
        limit_bytes: Maximum number of bytes to bill; a query that needs more is not run.

    Returns:
        Its rows.

    Raises:
        BigQueryError: If the query fails or exceeds the limit; also while pages are fetched.
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
        return  # the query times out, and the original error matters more


def _job_config(query: Query, **settings: Any) -> Any:
    bigquery = _package()
    values = [bigquery.ScalarQueryParameter(p.name, p.kind, p.value) for p in query.parameters]
    return bigquery.QueryJobConfig(query_parameters=values, **settings)


def _retry() -> Any:
    from google.cloud.bigquery.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(RETRY_SECONDS)


def _package() -> Any:
    return import_optional("google.cloud.bigquery", "BigQuery", "notebooks")
