"""The command gpt2-helpers."""

from __future__ import annotations


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's own); return its exit code."""
    from gpt2_helpers.cli import app

    return app.main(argv)
