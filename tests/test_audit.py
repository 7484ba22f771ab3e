"""The license check: which packages it covers and which licenses it allows."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from paths import ROOT

pytest.importorskip("packaging")


@pytest.fixture(scope="module")
def audit() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / ".ci" / "audit.py"))


def test_direct_and_indirect_dependencies_are_covered(audit: dict[str, Any]) -> None:
    dependencies = audit["dependencies"]()
    assert {"tensorflow", "numpy", "google-cloud-bigquery", "protobuf"} <= dependencies
    assert "gpt2-helpers" not in dependencies
    assert "pytest" not in dependencies


@pytest.mark.parametrize(
    "name",
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
def test_permissive_licenses_are_allowed(audit: dict[str, Any], name: str) -> None:
    assert audit["ALLOWED"].search(name)


@pytest.mark.parametrize(
    "name", ["GPL-3.0-only", "AGPL-3.0", "Proprietary", "unknown", "You may not permit copies"]
)
def test_other_licenses_are_refused(audit: dict[str, Any], name: str) -> None:
    assert not audit["ALLOWED"].search(name)
