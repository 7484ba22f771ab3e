"""The command-line interface, `gpt2-helpers`."""

from __future__ import annotations


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program name. Defaults to those of this process.

    Returns:
        The exit code: 0 for success, 2 for an error, 130 after an interrupt, 141 if the reader of
        stdout closed the pipe.

    Example:
        main(["generate", "--nsamples", "5"])
    """
    from gpt2_helpers.cli import app

    return app.main(argv)
