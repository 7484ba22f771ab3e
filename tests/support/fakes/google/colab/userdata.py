"""google.colab.userdata: secrets are environment variables."""

from __future__ import annotations

import os


class TimeoutException(Exception):  # noqa: N818 - google.colab's own name
    """No answer came."""


class SecretNotFoundError(Exception):
    """There is no such secret."""


class NotebookAccessError(Exception):
    """This notebook may not read it."""


def get(key: str) -> str:
    """The secret of this name."""
    try:
        return os.environ[f"FAKE_COLAB_SECRET_{key}"]
    except KeyError:
        raise SecretNotFoundError(f"Secret {key} does not exist.") from None
