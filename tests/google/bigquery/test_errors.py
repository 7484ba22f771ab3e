"""Error responses of BigQuery as messages with advice."""

from __future__ import annotations

from typing import Any

import pytest

from bigquery_options import LIMIT, PROJECT, reddit
from bigquery_stand_in import Fault, StandIn
from gpt2_helpers.errors import BigQueryError
from gpt2_helpers.google.bigquery.client import dry_run, run
from gpt2_helpers.google.bigquery.errors import error_message, translate_errors
from gpt2_helpers.google.bigquery.query import build

pytest.importorskip("google.cloud.bigquery")

ERRORS = [
    (
        403,
        "accessDenied",
        "Access Denied: Table fh-bigquery:reddit_posts.2019_01: User does not have permission to "
        "query table fh-bigquery:reddit_posts.2019_01",
        "not been public since January 2025: choose Hacker News",
    ),
    (404, "notFound", "Not found: Dataset fh-bigquery:reddit_posts", "choose Hacker News"),
    (
        403,
        "accessDenied",
        "Access Denied: Table a-b:c.d: User does not have permission to query table a-b:c.d",
        "ask its owner for the role BigQuery Data Viewer",
    ),
    (
        403,
        "accessDenied",
        "Access Denied: Project my-project-1: User does not have bigquery.jobs.create permission "
        "in project my-project-1.",
        "you have no permission to run queries in project my-project-1: use a project of your own",
    ),
    (
        403,
        "accessNotConfigured",
        "BigQuery API has not been used in project 12 before or it is disabled. Enable it by ...",
        "/apis/library/bigquery.googleapis.com?project=my-project-1, press Enable",
    ),
    (400, "invalid", "The project my-project-1 has not enabled BigQuery.", "press Enable"),
    (403, "billingNotEnabled", "Billing has not been enabled for this project.", "billing account"),
    (
        403,
        "quotaExceeded",
        "Quota exceeded: Your project exceeded quota for free query bytes scanned.",
        "wait for the next month",
    ),
    (
        403,
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "insufficient authentication scopes.",
        "grant the permission",
    ),
    *(
        (
            403,
            "accessDenied",
            f"Access Denied: Table my-proj:{name}: User does not have permission",
            "ask its owner for the role BigQuery Data Viewer",
        )
        for name in ("telescope.images", "quotations.lines")
    ),
    (404, "notFound", "Not found: Project my-project-1", "project my-project-1 does not exist"),
    (404, "notFound", "Not found: Table a-b:c.d was not found in location US", "check its name"),
    (400, "invalidQuery", "Unrecognized name: joke at [3:5]", "(Unrecognized name: joke at [3:5])"),
    (400, "resourcesExceeded", "Resources exceeded during query execution", "or fewer texts"),
    (401, "authError", "Invalid Credentials", "gcloud auth application-default login"),
    (400, "stopped", "Job execution was cancelled: User requested cancellation", "run it again"),
    (501, "notImplemented", "Not implemented.", "try again in a few minutes"),
    (418, "teapot", "I am a teapot", "I am a teapot"),
]


@pytest.mark.parametrize(("status", "reason", "message", "expected"), ERRORS)
def test_error_messages_are_one_line_with_advice(
    stand_in: StandIn, client: Any, status: int, reason: str, message: str, expected: str
) -> None:
    stand_in.faults = [Fault("POST", status, reason, message, always=True)]
    for call in (dry_run, lambda c, q: run(c, q, LIMIT)):
        with pytest.raises(BigQueryError) as caught:
            call(client, build(reddit()))
        shown = str(caught.value)
        assert expected in shown
        assert "\n" not in shown
        assert "http://" not in shown  # the address of the request


def test_expired_credentials_are_not_shown() -> None:
    from google.auth.exceptions import RefreshError

    with pytest.raises(BigQueryError) as caught, translate_errors(PROJECT):
        raise RefreshError("invalid_grant", {"refresh_token": "my-secret"})  # type: ignore[no-untyped-call]
    assert "credentials have expired: in Colab try again" in str(caught.value)
    assert "my-secret" not in str(caught.value)


def test_a_long_message_is_cut_to_its_first_line() -> None:
    said = "POST http://a/b?c: Syntax error at [1:2]\n\nLocation: US\nJob ID: x\n"
    assert "(Syntax error at [1:2])" in error_message(400, "invalidQuery", said, PROJECT)
    assert len(error_message(400, "invalidQuery", "x" * 1000, PROJECT)) < 400
