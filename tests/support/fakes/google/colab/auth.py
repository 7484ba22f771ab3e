"""Fake google.colab.auth: signing in succeeds or fails."""

from __future__ import annotations

import os


def authenticate_user(clear_output: bool = True, project_id: str | None = None) -> None:
    """Sign in, or fail if FAKE_COLAB_SIGN_IN_REFUSED is set."""
    if os.environ.get("FAKE_COLAB_SIGN_IN_REFUSED"):
        raise RuntimeError("Error: credential propagation was unsuccessful")
