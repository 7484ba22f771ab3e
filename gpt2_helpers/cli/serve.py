"""gpt2-helpers serve: a run or a model -> a page and routes on the web."""

from __future__ import annotations

import os
from argparse import Namespace

from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.command import DONE, note
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import BUNDLED_MODEL
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import parse_value
from gpt2_helpers.web.config import ServeConfig

SUMMARY = "put a finetuned run, or a pretrained model, on the web"
KEY, PORT = "GPT2_SERVE_KEY", "PORT"


def parser() -> Parser:
    """The arguments it takes."""
    parser = Parser(
        "serve",
        "",
        "Serve a page to write with a model, and routes for programs, until Ctrl-C or SIGTERM; by\n"
        f"itself the bundled model, for this machine alone. {KEY} is a key to ask for.",
        (
            "",
            "--run-name run1",
            "--run-name run1 --host 0.0.0.0 --port 80 --rate-limit 60",
        ),
    )
    model_options.add_model_options(parser, run_by_default=False)
    parser.add_config(ServeConfig)
    model_options.add_loading_options(parser)
    return parser


def run(options: Namespace) -> int:
    """Load what is asked for, and serve it to the end."""
    if "port" not in options and (port := os.environ.get(PORT)):
        options.port = parse_value(field_of(ServeConfig, "port"), port)
        if not isinstance(options.port, int):
            raise OptionError(f"{PORT} of the environment must be a port's number, got {port!r}")
    config = config_from(ServeConfig, options)
    if "run_name" not in options and "model_name" not in options:
        if "checkpoint" in options:
            raise OptionError("--checkpoint is one of a run's: give its --run-name too")
        options.model_name = BUNDLED_MODEL
    session = model_options.load_session(options)

    from gpt2_helpers.web.server import Server

    server = Server(session, config, os.environ.get(KEY))
    print(f"{session.run_name or session.model_name} at {server.url}", flush=True)
    if config.host in ("0.0.0.0", "::", ""):
        note(f"other machines reach it by this one's address, at port {server.port}")
    server.run()
    note("ended")
    return DONE
