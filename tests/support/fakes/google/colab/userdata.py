"""Fake google.colab.userdata: secrets are environment variables."""

from __future__ import annotations

import os


class TimeoutException(Exception):  # noqa: N818 - google.colab's own name
    """The user did not answer."""


class SecretNotFoundError(Exception):
    """The secret does not exist."""


class NotebookAccessError(Exception):
    """The notebook has no access to the secret."""


def get(key: str) -> str:
    """The value of a secret."""
    try:
        return os.environ[f"FAKE_COLAB_SECRET_{key}"]
    except KeyError:
        raise SecretNotFoundError(f"Secret {key} does not exist.") from None
