"""`gpt2.serve`: the web app from a notebook, below the cell in Colab and as a link elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpt2_helpers.config import BUNDLED_MODEL
from gpt2_helpers.console import print_line
from gpt2_helpers.errors import OptionError, nearest
from gpt2_helpers.google import colab
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.server import Server

COLAB_ORIGINS = "https://colab.research.google.com https://*.googleusercontent.com"

_running: list[Server] = []


def serve(
    run_name: str | None = None,
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str | None = None,
    model_dir: str | Path = "models",
    *,
    key: str | None = None,
    **options: Any,
) -> Server:
    """Serve the web app and the API for a model until the next call or `stop()`.

    The model is loaded separately, so that a session can be used at the same time. In Colab the web
    app is shown below the cell.

    Args:
        run_name: Name of the run to serve.
        model_name: Pretrained model to serve instead of a run; the bundled model if none is named.
        key: API key that requests must send; None accepts all requests.
        port: Port to listen on; 0 picks a free one. Defaults to 0.

    Returns:
        The running server; `url` is its address, and `stop()` stops it.

    Raises:
        OptionError: If an option is invalid.
        CheckpointError: If the run or the model is missing or damaged.
        MissingPackageError: If the packages of the web app are not installed.

    Example:
        server = gpt2.serve("run1", models=["titles", "124M"])
        server.stop()
    """
    known = ServeConfig.__dataclass_fields__
    for name in options:
        if name not in known:
            raise OptionError(f"serve has no option {name!r}{nearest(name, known)}")
    for name, value in (("run_name", run_name), ("model_name", model_name)):
        if not isinstance(value, str | None):
            raise OptionError(f"{name} must be a string, got {value!r}")
    if run_name and model_name:
        raise OptionError(
            "run_name serves a run, model_name a pretrained model: set only one of them"
        )
    config = ServeConfig(**{"port": 0, **options})
    stop_serving()
    session = Session()
    if run_name:
        session.load_run(run_name, checkpoint_dir)
    else:
        session.load_pretrained(model_name or BUNDLED_MODEL, model_dir)
    others = [Session() for _ in config.models or ()]
    for other, name in zip(others, config.models or (), strict=True):
        other.load_named(name, checkpoint_dir, model_dir)
    in_colab = colab.in_colab()
    ancestors = f"'self' {COLAB_ORIGINS}" if in_colab else "'self'"
    server = Server(session, config, key, ancestors, others)
    server.start()
    _running.append(server)
    print_line(f"{run_name or model_name or BUNDLED_MODEL} at {server.url}")
    if in_colab:
        colab.show_port(server.port)
    return server


def stop_serving() -> None:
    """Stop the server of an earlier call: the cell was run again."""
    while _running:
        _running.pop().stop()
