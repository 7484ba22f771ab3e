"""The options that select a run or a pretrained model, and loading it."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpt2_helpers.cli.command import print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import MODEL_NAMES, LoadConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.tensorflow_setup import init_gpus, load_tensorflow, suppress_stderr

if TYPE_CHECKING:
    from gpt2_helpers.session import Session


def add_model_options(parser: Parser, run_by_default: bool = True) -> None:
    """Add the options that name a run or a model; with `run_by_default` the default is run1."""
    if run_by_default:
        parser.add_config(RunConfig, "run_name")
    else:
        parser.add_field(field_of(RunConfig, "run_name", default=None))
    help = f"pretrained model to use instead of a run: {', '.join(MODEL_NAMES)}"
    parser.add_field(field_of(RunConfig, "model_name", default=None, help=help))


def add_loading_options(parser: Parser) -> None:
    """Add the options for the folders, the checkpoint and the precision."""
    parser.add_config(LoadConfig)
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")


def require_one(options: Namespace) -> None:
    """Raise OptionError if both a run and a pretrained model are named, or a checkpoint of a
    pretrained model."""
    if "run_name" in options and "model_name" in options:
        raise OptionError(
            "use run_name for a finetuned run or model_name for a pretrained model, not both"
        )
    if "checkpoint" in options and "model_name" in options:
        raise OptionError("checkpoint is one of a run: leave it out, or use run_name")


def load_others(options: Namespace, names: Sequence[str]) -> list[Session]:
    """Load more runs or pretrained models, each into a session of its own."""
    from gpt2_helpers.session import Session

    run, loading = config_from(RunConfig, options), config_from(LoadConfig, options)
    sessions = [Session() for _ in names]
    for session, name in zip(sessions, names, strict=True):
        session.load_named(name, run.checkpoint_dir, run.model_dir, loading.precision)
    return sessions


def load_session(options: Namespace) -> Session:
    """Load the selected model into a session; a missing pretrained model is downloaded first."""
    run, loading = config_from(RunConfig, options), config_from(LoadConfig, options)
    require_one(options)
    if "model_name" in options:
        return load_named(run, loading.precision, model_name=run.model_name)
    return load_named(run, loading.precision, run_name=run.run_name, checkpoint=loading.checkpoint)


def load_named(
    folders: RunConfig,
    precision: str,
    run_name: str | None = None,
    model_name: str | None = None,
    checkpoint: str = "latest",
) -> Session:
    """Load a run or a pretrained model, which is downloaded first if it is missing.

    Args:
        folders: The options `checkpoint_dir` and `model_dir`.
        precision: The precision to generate in.
        run_name: The run.
        model_name: The pretrained model, if no run is named.
        checkpoint: The checkpoint of the run.
    """
    init_gpus()

    with suppress_stderr():  # may import TensorFlow
        from gpt2_helpers.generation.decoders import runs_on_tflite
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.session import Session
    from gpt2_helpers.system.device import choose_decoding_precision

    if not runs_on_tflite(choose_decoding_precision(precision)):
        load_tensorflow()
    session = Session()
    if run_name is not None:
        session.load_run(run_name, folders.checkpoint_dir, checkpoint, precision)
    elif model_name is not None:
        run = dataclasses.replace(folders, model_name=model_name)
        download_if_missing(run, print_status)
        session.load_pretrained(model_name, folders.model_dir, precision)
    return session
