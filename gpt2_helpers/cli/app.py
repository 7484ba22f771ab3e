"""Command-line entry point: runs a subcommand and converts errors to messages and exit codes.

Results go to stdout; messages and progress bars go to stderr. The arguments and behavior of each
subcommand are defined in a module of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from typing import Any

from gpt2_helpers import __version__
from gpt2_helpers.cli import (
    adapt,
    beam_encode,
    beam_generate,
    beam_score,
    bench,
    card,
    check,
    download,
    encode,
    evaluate,
    export,
    finetune,
    generate,
    import_model,
    info,
    pretrain,
    serve,
)
from gpt2_helpers.cli.command import DONE, INTERRUPTED, Command, print_status
from gpt2_helpers.cli.parser import PROGRAM
from gpt2_helpers.errors import Gpt2Error, OptionError, is_out_of_memory, nearest

FAILED = 2  # exit code of an error
PIPE_CLOSED = 141  # exit code of a program that SIGPIPE terminates

COMMANDS: dict[str, Command] = {
    "finetune": finetune,
    "generate": generate,
    "evaluate": evaluate,
    "check": check,
    "download": download,
    "encode": encode,
    "pretrain": pretrain,
    "adapt": adapt,
    "export": export,
    "import": import_model,
    "info": info,
    "card": card,
    "bench": bench,
    "serve": serve,
    "beam-encode": beam_encode,
    "beam-generate": beam_generate,
    "beam-score": beam_score,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line, and print errors as one line on stderr.

    Args:
        argv: The arguments without the program name. Defaults to those of this process.

    Returns:
        The exit code: 0 for success, 2 for an error, 130 after an interrupt, 141 if the reader of
        stdout closed the pipe.

    >>> main(["--version"])
    gpt2-helpers ...
    0
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides its start-up messages
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the caller, such as with 2>&- in a shell
            devnull = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, stream, devnull)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # UTF-8 as in the files that are written, whatever the locale; a terminal has its own.
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except Gpt2Error as error:
        print_status(error)
        return FAILED
    except KeyboardInterrupt:
        print_status("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout at exit, which would print another error.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        has_file = error.strerror and error.filename
        print_status(f"{error.filename}: {error.strerror}" if has_file else error.strerror or error)
        return FAILED
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print_status("out of memory: use a smaller model, a smaller batch size or shorter texts")
        return FAILED


def _run(arguments: list[str]) -> int:
    if not arguments:
        print(_help(), file=sys.stderr)
        return FAILED
    name, *rest = arguments
    if name in ("-h", "--help"):
        print(_help())
        return DONE
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return DONE
    if name not in COMMANDS:
        raise OptionError(
            f"unknown command {name!r}{nearest(name, COMMANDS)}: see {PROGRAM} --help"
        )
    command = COMMANDS[name]
    try:
        options = command.parser().parse(rest)
    except SystemExit:  # argparse has printed the help
        return DONE
    return command.run(options)


def _help() -> str:
    commands = "\n".join(f"  {name:15}{command.SUMMARY}" for name, command in COMMANDS.items())
    return f"""usage: {PROGRAM} COMMAND [OPTION ...]

Finetune GPT-2 on your own text and generate from it.

commands:
{commands}

{PROGRAM} COMMAND --help describes a command; {PROGRAM} --version shows the version.
Option names accept dashes and underscores: --model-name is the same as --model_name.

examples:
  {PROGRAM} finetune data/titles.csv --model-name tiny --steps 200 --learning-rate 0.002
  {PROGRAM} generate --nsamples 5 --length 60"""


def _show_warning(message: Warning | str, *args: Any, **kwargs: Any) -> None:
    print_status(message)
