"""The routes against their own description: schemathesis makes up requests, right and wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.session import Session
from web_server import serving

# What is made up is often as long as may be; short texts are tried just as well.
LIMITS: dict[str, Any] = {"max_length": 12, "max_nsamples": 2, "batch_size": 8, "max_queue": 1000}


def test_no_request_fails_the_server_and_every_answer_is_as_described(
    tiny: Session, tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis", reason="needs pip install schemathesis")
    with serving(tiny, **LIMITS) as client:
        command = [
            *(str(Path(sys.executable).parent / "schemathesis"), "run"),
            f"{client.base_url}openapi.json",
            *("--max-examples", "40", "--seed", "1", "--no-color", "--max-failures", "5"),
            *("--phases", "examples,coverage,fuzzing", "--request-timeout", "60"),
            # No schema can say that a prefix must have fewer tokens than the length.
            *("--exclude-checks", "positive_data_acceptance"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 tested" not in done.stdout
