"""The check of licences: what it looks at, and what it lets pass."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from paths import ROOT

pytest.importorskip("packaging")


@pytest.fixture(scope="module")
def audit() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / ".ci" / "audit.py"))


def test_all_that_is_needed_is_looked_at(audit: dict[str, Any]) -> None:
    needed = audit["needed"]()
    assert {"tensorflow", "numpy", "google-cloud-bigquery", "protobuf"} <= needed
    assert "gpt2-helpers" not in needed
    assert "pytest" not in needed


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "Apache-2.0",
        "Apache 2.0",
        "BSD-3-Clause",
        "3-Clause BSD License",
        "MPL-2.0",
        "PSF-2.0",
    ],
)
def test_free_licences_pass(audit: dict[str, Any], licence: str) -> None:
    assert audit["ALLOWED"].search(licence)


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "AGPL-3.0", "Proprietary", "unknown", "You may not permit copies"]
)
def test_others_do_not(audit: dict[str, Any], licence: str) -> None:
    assert not audit["ALLOWED"].search(licence)
