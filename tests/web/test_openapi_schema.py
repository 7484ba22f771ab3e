"""The API against its OpenAPI document: schemathesis generates valid and invalid requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.session import Session
from web_server import serving

# Generated requests often ask for the maximum length: short texts are as good a test.
LIMITS: dict[str, Any] = {"max_length": 4, "max_nsamples": 2, "batch_size": 4, "max_queue": 1000}


def test_every_response_conforms_to_the_document(tiny: Session, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="needs pip install schemathesis")
    with serving(tiny, **LIMITS) as client:
        command = [
            *(str(Path(sys.executable).parent / "schemathesis"), "run"),
            f"{client.base_url}openapi.json",
            *("--max-examples", "8", "--seed", "1", "--no-color", "--max-failures", "5"),
            *("--phases", "examples,coverage,fuzzing", "--request-timeout", "300"),
            # A schema cannot say that a prefix must have fewer tokens than the length.
            *("--exclude-checks", "positive_data_acceptance"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 tested" not in done.stdout
