"""The command gpt2-helpers: picks the subcommand, and turns how it ends into an exit code.

Only here do errors become lines on stderr. Results go to stdout, notes and bars to stderr. What
the subcommands take and do stands in `commands`, a file each.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from typing import Any

from gpt2_helpers import __version__
from gpt2_helpers.cli import download, encode, finetune, generate, info, pretrain, serve
from gpt2_helpers.cli.command import DONE, INTERRUPTED, Command, note
from gpt2_helpers.cli.parser import PROGRAM
from gpt2_helpers.errors import Gpt2Error, OptionError, is_out_of_memory, nearest

REFUSED, PIPE_CLOSED = 2, 141  # exit codes; the second is what a program gets that SIGPIPE ends

COMMANDS: dict[str, Command] = {
    "finetune": finetune,
    "generate": generate,
    "download": download,
    "encode": encode,
    "pretrain": pretrain,
    "info": info,
    "serve": serve,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, by itself those of the process.

    Returns the exit code: 0, 2 where something was refused, 130 after an interrupt, 141 where the
    pipe behind stdout was closed.

    >>> main(["--version"])
    gpt2-helpers ...
    0
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings are no results
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed from the start, as by 2>&- in a shell
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as we run
            setattr(sys, stream, nowhere)
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        # UTF-8 as in every file that is written, and not what this machine's language prefers.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except Gpt2Error as error:
        note(error)
        return REFUSED
    except KeyboardInterrupt:
        note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at its end, and would tell of the closed pipe then.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        plain = error.strerror and error.filename
        note(f"{error.filename}: {error.strerror}" if plain else error.strerror or error)
        return REFUSED
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        note("out of memory: take a smaller model, a smaller batch size or shorter texts")
        return REFUSED


def _run(arguments: list[str]) -> int:
    if not arguments:
        print(_help(), file=sys.stderr)
        return REFUSED
    name, *rest = arguments
    if name in ("-h", "--help"):
        print(_help())
        return DONE
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return DONE
    if name not in COMMANDS:
        raise OptionError(
            f"there is no command {name!r}{nearest(name, COMMANDS)}: {PROGRAM} --help lists them"
        )
    command = COMMANDS[name]
    try:
        options = command.parser().parse(rest)
    except SystemExit:  # its help was asked for and printed
        return DONE
    return command.run(options)


def _help() -> str:
    commands = "\n".join(f"  {name:10}{command.SUMMARY}" for name, command in COMMANDS.items())
    return f"""usage: {PROGRAM} COMMAND [OPTION ...]

Finetune GPT-2 on your own text and generate from it.

commands:
{commands}

{PROGRAM} COMMAND --help explains a command; {PROGRAM} --version shows the version.
Option names take dashes or underscores: --model-name is --model_name.

begin with:
  {PROGRAM} finetune data/titles.csv --model-name tiny --steps 200
  {PROGRAM} generate --nsamples 5 --length 60"""


def _show_warning(message: Warning | str, *about: Any, **more: Any) -> None:
    note(message)
