"""What Google's packages raise -> one plain sentence with the next step. Runs nothing itself.

The reasons are those of cloud.google.com/bigquery/docs/error-messages. No part of an answer to a
sign-in is repeated: what cannot be seen cannot be pasted into a forum.
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

_SIGN_IN = (
    "in Colaboratory try again and allow what it asks for; elsewhere run "
    "`gcloud auth application-default login`, of the Google Cloud CLI, in a terminal"
)
NO_CREDENTIALS = f"you are not signed in to Google Cloud: {_SIGN_IN}"
NO_PROJECT = (
    "no project was given, and a query needs one of your own to run in: make one at "
    f"{CONSOLE}/projectcreate (free, without a credit card) and give its id as project"
)
_NO_NETWORK = "BigQuery could not be reached: check the network connection and try again"
_NO_REDDIT = (
    "the Reddit tables of fh-bigquery cannot be read: access to them has been denied to the public "
    "since January 2025. Choose Hacker News as the source, or finetune on a CSV of your own"
)


@contextmanager
def translate_errors(project: str | None) -> Iterator[None]:
    """Within it, what Google's packages raise becomes a BigQueryError; `project` is the user's."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except concurrent.futures.TimeoutError:  # an OSError too, since Python 3.11
        raise BigQueryError(
            "the query took too long and was cancelled: try again later, or with fewer months"
        ) from None
    except (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, OSError) as error:
        cause: BaseException = error
        if isinstance(error, RetryError):
            cause = error.cause or error
        if isinstance(cause, GoogleAPICallError):
            details = cause.errors[0] if cause.errors else {}
            reason = str(details.get("reason", "")) if isinstance(details, dict) else ""
            said = error_message(cause.code, reason, cause.message or "", project)
        elif isinstance(cause, DefaultCredentialsError):
            said = NO_CREDENTIALS
        elif isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError):
            said = f"Google Cloud no longer accepts this sign-in: {_SIGN_IN}"
        else:
            said = _NO_NETWORK
        raise BigQueryError(said) from None


def limit_message(needed: int, limit_bytes: int | None = None) -> str:
    """That a query would read `needed` bytes, over the limit, and which limit would do.

    >>> limit_message(5 * GIGABYTE, 2 * GIGABYTE)
    'the query would read 5 GB, over your limit of 2 GB; it was not run and costs nothing: set the
    limit (limit_gb) to 5 or more; of Reddit, fewer months read less'
    """
    limit = "" if limit_bytes is None else f" of {gigabytes(limit_bytes)} GB"
    # Up to the next hundredth: a rounded number would be too low again.
    enough = math.ceil(needed / GIGABYTE * 100) / 100
    return (
        f"the query would read {enough:,g} GB, over your limit{limit}; it was not run and costs "
        f"nothing: set the limit (limit_gb) to {enough:g} or more; of Reddit, fewer months read "
        "less"
    )


def gigabytes(count: int) -> str:
    """Bytes in GB, to the hundredth.

    >>> gigabytes(3 * GIGABYTE // 2), gigabytes(2000 * GIGABYTE), gigabytes(10 << 20)
    ('1.5', '2,000', '0.01')
    """
    return f"{round(count / GIGABYTE, 2):,g}"


def error_message(status: int | None, reason: str, message: str, project: str | None) -> str:
    """The sentence for one answer of BigQuery: its HTTP status, reason and message.

    >>> error_message(429, "rateLimitExceeded", "", "mine")
    'BigQuery gets too many requests at the moment: wait a minute and try again'
    """
    message = _first_line(message)
    lower = message.lower()
    here = f"project {project}" if project else "this project"
    if reason == "bytesBilledLimitExceeded" or "limit for bytes billed" in lower:
        numbers = re.findall(r"\d+", message)
        if len(numbers) >= 2:
            return limit_message(int(numbers[1]), int(numbers[0]))
        return "the query would read more than your limit: set the limit (limit_gb) higher"
    if status == 401:
        return f"Google Cloud does not accept this sign-in: {_SIGN_IN}"
    if "insufficient authentication scope" in lower or reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
        return f"this sign-in does not cover BigQuery: {_SIGN_IN}"
    if reason in ("accessNotConfigured", "SERVICE_DISABLED") or _API_OFF.search(lower):
        return (
            f"the BigQuery API is not switched on in {here}: open {CONSOLE}/apis/library/"
            f"bigquery.googleapis.com{_query(project)}, press Enable, wait a minute and try again"
        )
    if reason == "billingNotEnabled" or "billing has not been enabled" in lower:
        return (
            f"{here} has no billing account, and this needs one: link one at {CONSOLE}/billing, or "
            "give another project of yours"
        )
    if reason in ("rateLimitExceeded", "jobRateLimitExceeded") or status == 429:
        return "BigQuery gets too many requests at the moment: wait a minute and try again"
    if reason == "quotaExceeded" or (status == 403 and "quota exceeded" in lower):
        return (
            f"the quota of {here} is used up, most likely the 1,024 GB a month that are free: wait "
            f"for the next month, or see {CONSOLE}/iam-admin/quotas{_query(project)}"
        )
    if "bigquery.jobs.create" in lower or reason == "USER_PROJECT_DENIED":
        return (
            f"you may not run queries in {here}: give the id of a project of your own, or ask its "
            "owner for the role BigQuery Job User"
        )
    if status in (403, 404) and "fh-bigquery" in lower:
        return _NO_REDDIT
    if status == 403:
        return (
            f"BigQuery denies access ({message}): check the table's name, or ask its owner for the "
            "role BigQuery Data Viewer"
        )
    if status == 404 and "project" in lower and "table" not in lower and "dataset" not in lower:
        return f"there is no {here}: give the id that stands beside its name on {CONSOLE}"
    if status == 404:
        return f"BigQuery does not find it ({message}): check the name of the table"
    if reason == "stopped" or "was cancelled" in lower:
        return "the query was cancelled before its end: run it again"
    if reason in ("resourcesExceeded", "responseTooLarge"):
        return "the query is too much for BigQuery at once: choose fewer months or fewer texts"
    if status is not None and status >= 500:
        return f"BigQuery has trouble at the moment ({status}): try again in some minutes"
    if status == 400:
        return f"BigQuery cannot run the query ({message}): check the names of table and columns"
    return f"BigQuery refuses the query ({message}): try again, or choose another source"


_API_OFF = re.compile(r"has not been used in project|api .*is disabled|has not enabled bigquery")


def _query(project: str | None) -> str:
    return f"?project={project}" if project else ""


def _first_line(message: str) -> str:
    """What BigQuery itself said, without the request before it and the job's details behind it."""
    line = re.sub(r"^(?:GET|POST) \S+ ", "", message.strip().partition("\n")[0])
    line = line.partition("; reason: ")[0].rstrip(".: ")
    return line if len(line) <= 200 else line[:199] + "…"
