"""Fake google.colab.runtime: ending the runtime does nothing."""

from __future__ import annotations


def unassign() -> None:
    """End this runtime."""
