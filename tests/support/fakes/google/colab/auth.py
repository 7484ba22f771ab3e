"""google.colab.auth: signing in is allowed or refused."""

from __future__ import annotations

import os


def authenticate_user(clear_output: bool = True, project_id: str | None = None) -> None:
    """Ask the user, who allows it or doesn't."""
    if os.environ.get("FAKE_COLAB_SIGN_IN_REFUSED"):
        raise RuntimeError("Error: credential propagation was unsuccessful")
