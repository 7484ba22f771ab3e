"""gpt2-helpers serve: the web app for a run or a pretrained model."""

from __future__ import annotations

import os
from argparse import Namespace

from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.command import DONE, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import BUNDLED_MODEL
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import parse_value
from gpt2_helpers.web.config import ServeConfig

SUMMARY = "serve a finetuned run or a pretrained model on the web"
KEY, PORT = "GPT2_SERVE_KEY", "PORT"  # environment variables


def parser() -> Parser:
    """Return the argument parser of the command."""
    parser = Parser(
        "serve",
        "",
        "Serve a web app and a JSON API until Ctrl-C or SIGTERM; by default the bundled model, on\n"
        f"this machine only. If {KEY} is set, requests must send its value as the API key.",
        (
            "",
            "--run-name run1 --host 0.0.0.0 --port 80 --rate-limit 60",
            "--run-name run1 --models titles --models tiny",
        ),
    )
    model_options.add_model_options(parser, run_by_default=False)
    parser.add_config(ServeConfig)
    model_options.add_loading_options(parser)
    return parser


def run(options: Namespace) -> int:
    """Load the model and serve it until the process is interrupted."""
    if "port" not in options and (port := os.environ.get(PORT)):
        options.port = parse_value(field_of(ServeConfig, "port"), port)
        if not isinstance(options.port, int):
            raise OptionError(f"environment variable {PORT} must be a port number, got {port!r}")
    config = config_from(ServeConfig, options)
    if "run_name" not in options and "model_name" not in options:
        if "checkpoint" in options:
            raise OptionError("--checkpoint needs a run: add --run-name")
        options.model_name = BUNDLED_MODEL
    session = model_options.load_session(options)

    others = model_options.load_others(options, config.models or ())

    from gpt2_helpers.web.server import Server

    server = Server(session, config, os.environ.get(KEY), others=others)
    print(f"{', '.join(server.models.names)} at {server.url}", flush=True)
    if config.host in ("0.0.0.0", "::", ""):
        print_status(f"other machines can connect to port {server.port} of this machine's address")
    server.run()
    print_status("server stopped")
    return DONE
