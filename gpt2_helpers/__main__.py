"""`python -m gpt2_helpers` is the command gpt2-helpers."""

from gpt2_helpers.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
