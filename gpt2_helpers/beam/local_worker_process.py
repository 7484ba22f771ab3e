"""A worker process of the local runner: `python -m gpt2_helpers.beam.local_worker_process`.

Runs Beam's own program. Ctrl-C ends it without a message, since a terminal sends it to the worker
processes too, and the process of the command reports it.
"""

from __future__ import annotations

import signal
import sys

from gpt2_helpers.beam.runner import hide_warnings


def main() -> None:
    """Run the worker until the runner stops it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with hide_warnings():
        from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
