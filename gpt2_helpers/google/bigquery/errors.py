"""Converts errors of Google's packages to BigQueryError, with advice.

The reasons are documented at cloud.google.com/bigquery/docs/error-messages. Responses to a sign-in
are never quoted, so that users can't publish credentials with an error message.
"""

from __future__ import annotations

import concurrent.futures
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

from gpt2_helpers.errors import BigQueryError
from gpt2_helpers.google.bigquery.config import GIGABYTE

CONSOLE = "https://console.cloud.google.com"

INSTALL_GCLOUD = "https://cloud.google.com/sdk/docs/install"

_SIGN_IN = (
    "in Colab try again and grant the permission; elsewhere install the Google Cloud CLI "
    f"({INSTALL_GCLOUD}) and run `gcloud auth application-default login` in a terminal"
)
NO_CREDENTIALS = f"you are not signed in to Google Cloud: {_SIGN_IN}"
NO_PROJECT = (
    "no project was given, and a query needs one: create it at "
    f"{CONSOLE}/projectcreate (free, no credit card needed) and set project to its id"
)
NO_PROJECT_OR_CREDENTIALS = f"{NO_PROJECT}; {NO_CREDENTIALS}"
_NO_NETWORK = "BigQuery can't be reached: check the network connection and try again"
_NO_REDDIT = (
    "the Reddit tables of fh-bigquery have not been public since January 2025: choose Hacker News "
    "as the source, or finetune on a CSV file of your own"
)


@contextmanager
def translate_errors(project: str | None) -> Iterator[None]:
    """Convert errors of Google's packages in the block; `project` is named in the messages."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except concurrent.futures.TimeoutError:  # since Python 3.11 a subclass of OSError
        raise BigQueryError(
            "the query timed out and was cancelled: try again later or with fewer months"
        ) from None
    except (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, OSError) as error:
        cause: BaseException = error
        if isinstance(error, RetryError):
            cause = error.cause or error
        if isinstance(cause, GoogleAPICallError):
            details = cause.errors[0] if cause.errors else {}
            reason = str(details.get("reason", "")) if isinstance(details, dict) else ""
            message = error_message(cause.code, reason, cause.message or "", project)
        elif isinstance(cause, DefaultCredentialsError):
            message = NO_CREDENTIALS if project else NO_PROJECT_OR_CREDENTIALS
        elif isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError):
            message = f"the Google Cloud credentials have expired: {_SIGN_IN}"
        else:
            message = _NO_NETWORK
        raise BigQueryError(message) from None


def limit_message(needed: int, limit_bytes: int | None = None) -> str:
    """The message for a query that needs more than the limit, with a sufficient limit.

    >>> limit_message(5 * GIGABYTE, 2 * GIGABYTE)
    'the query would read 5 GB, more than your limit of 2 GB; it was not run and costs nothing:
    increase limit_gb to at least 5, or choose fewer months'
    """
    limit = "" if limit_bytes is None else f" of {gigabytes(limit_bytes)} GB"
    # Rounded up to the next hundredth, so that this limit is sufficient.
    enough = math.ceil(needed / GIGABYTE * 100) / 100
    return (
        f"the query would read {enough:,g} GB, more than your limit{limit}; it was not run and "
        f"costs nothing: increase limit_gb to at least {enough:g}, or choose fewer months"
    )


def gigabytes(count: int) -> str:
    """A number of bytes in GB, rounded to two decimals.

    >>> gigabytes(3 * GIGABYTE // 2), gigabytes(2000 * GIGABYTE), gigabytes(10 << 20)
    ('1.5', '2,000', '0.01')
    """
    return f"{round(count / GIGABYTE, 2):,g}"


def error_message(status: int | None, reason: str, message: str, project: str | None) -> str:
    """The message for an error response of BigQuery.

    Args:
        status: HTTP status.
        reason: BigQuery's name of the error.
        message: BigQuery's message.
        project: The user's project.

    >>> error_message(429, "rateLimitExceeded", "", "mine")
    'too many requests to BigQuery: wait a minute and try again'
    """
    message = _first_line(message)
    lower = message.lower()
    here = f"project {project}" if project else "this project"
    if reason == "bytesBilledLimitExceeded" or "limit for bytes billed" in lower:
        numbers = re.findall(r"\d+", message)
        if len(numbers) >= 2:
            return limit_message(int(numbers[1]), int(numbers[0]))
        return "the query would read more than your limit: increase limit_gb"
    if status == 401:
        return f"Google Cloud rejected the credentials: {_SIGN_IN}"
    if "insufficient authentication scope" in lower or reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
        return f"the credentials have no permission for BigQuery: {_SIGN_IN}"
    if reason in ("accessNotConfigured", "SERVICE_DISABLED") or _API_OFF.search(lower):
        return (
            f"the BigQuery API is not enabled in {here}: open {CONSOLE}/apis/library/"
            f"bigquery.googleapis.com{_query(project)}, press Enable, wait a minute and try again"
        )
    if reason == "billingNotEnabled" or "billing has not been enabled" in lower:
        return (
            f"{here} needs a billing account: link one at {CONSOLE}/billing, or use another project"
        )
    if reason in ("rateLimitExceeded", "jobRateLimitExceeded") or status == 429:
        return "too many requests to BigQuery: wait a minute and try again"
    if reason == "quotaExceeded" or (status == 403 and "quota exceeded" in lower):
        return (
            f"the quota of {here} is used up, probably the free 1,024 GB per month: wait for the "
            f"next month, or see {CONSOLE}/iam-admin/quotas{_query(project)}"
        )
    if "bigquery.jobs.create" in lower or reason == "USER_PROJECT_DENIED":
        return (
            f"you have no permission to run queries in {here}: use a project of your own, or ask "
            "its owner for the role BigQuery Job User"
        )
    if status in (403, 404) and "fh-bigquery" in lower:
        return _NO_REDDIT
    if status == 403:
        return (
            f"BigQuery denied access ({message}): check the table name, or ask its owner for the "
            "role BigQuery Data Viewer"
        )
    if status == 404 and "project" in lower and "table" not in lower and "dataset" not in lower:
        return f"{here} does not exist: use the id that {CONSOLE} shows next to its name"
    if status == 404:
        return f"BigQuery can't find the table ({message}): check its name"
    if reason == "stopped" or "was cancelled" in lower:
        return "the query was cancelled: run it again"
    if reason in ("resourcesExceeded", "responseTooLarge"):
        return "the query exceeds BigQuery's resources: choose fewer months or fewer texts"
    if status is not None and status >= 500:
        return f"BigQuery is temporarily unavailable ({status}): try again in a few minutes"
    if status == 400:
        return f"the query is invalid ({message}): check the names of the table and its columns"
    return f"the query failed ({message}): try again, or choose another source"


_API_OFF = re.compile(r"has not been used in project|api .*is disabled|has not enabled bigquery")


def _query(project: str | None) -> str:
    return f"?project={project}" if project else ""


def _first_line(message: str) -> str:
    """The first line of BigQuery's message, without the request and the job details."""
    line = re.sub(r"^(?:GET|POST) \S+ ", "", message.strip().partition("\n")[0])
    line = line.partition("; reason: ")[0].rstrip(".: ")
    return line if len(line) <= 200 else line[:199] + "…"
