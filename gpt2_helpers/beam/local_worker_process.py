"""A worker process of the local runner: `python -m gpt2_helpers.beam.local_worker_process`.

Runs Beam's own program. Ctrl-C ends it without a message, since a terminal sends it to the worker
processes too, and the process of the command reports it, as it does errors of this package.
"""

from __future__ import annotations

import logging
import signal
import sys

from gpt2_helpers.beam.logs import hide_own_errors, hide_warnings


def main() -> None:
    """Run the worker until the runner stops it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with hide_warnings():
        from apache_beam.runners.worker import sdk_worker, sdk_worker_main

    logging.getLogger(sdk_worker_main.__name__).setLevel(logging.ERROR)
    sdk_worker.print = lambda *_, **__: None  # it prints the stacks of errors that it also logs
    with hide_own_errors():
        sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
