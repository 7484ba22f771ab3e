"""Run the command line with `python -m gpt2_helpers`."""

from gpt2_helpers.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
