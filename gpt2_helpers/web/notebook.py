"""A model on the web from a notebook: shown below the cell in Colaboratory, elsewhere as a link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpt2_helpers.config import BUNDLED_MODEL
from gpt2_helpers.console import say
from gpt2_helpers.errors import OptionError, nearest
from gpt2_helpers.google import colab
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.server import Server

COLABORATORY = "https://colab.research.google.com https://*.googleusercontent.com"

_serving: list[Server] = []


def serve(
    run_name: str | None = None,
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str | None = None,
    model_dir: str | Path = "models",
    *,
    key: str | None = None,
    **options: Any,
) -> Server:
    """Serve a page to write with a run or a model, by itself the bundled one, until `stop()` of
    what is returned, or the next call. `url` is where it is.

    `options` are those of `gpt2-helpers serve`; the port is one that is free. The model is loaded
    for the page alone, so that the session can do something else meanwhile. Raises OptionError for
    what cannot be, CheckpointError where there is no such model, MissingPackageError where the
    packages that serve are missing.

    server = gpt2.serve("run1")
    server.stop()
    """
    known = ServeConfig.__dataclass_fields__
    for name in options:
        if name not in known:
            raise OptionError(f"serve has no option {name!r}{nearest(name, known)}")
    for name, value in (("run_name", run_name), ("model_name", model_name)):
        if not isinstance(value, str | None):
            raise OptionError(f"{name} must be a text, got {value!r}")
    if run_name and model_name:
        raise OptionError("run_name opens a run, model_name a pretrained model: give one of them")
    config = ServeConfig(**{"port": 0, **options})
    stop_serving()
    session = Session()
    if run_name:
        session.load_run(run_name, checkpoint_dir)
    else:
        session.load_pretrained(model_name or BUNDLED_MODEL, model_dir)
    inside = colab.in_colaboratory()
    server = Server(session, config, key, f"'self' {COLABORATORY}" if inside else "'self'")
    server.start()
    _serving.append(server)
    say(f"{run_name or model_name or BUNDLED_MODEL} at {server.url}")
    if inside:
        colab.show_port(server.port)
    return server


def stop_serving() -> None:
    """End what this notebook serves: the cell was run again."""
    while _serving:
        _serving.pop().stop()
