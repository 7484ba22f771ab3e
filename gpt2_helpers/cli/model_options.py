"""Which model a command writes with: a run or a pretrained model, named by options, then loaded."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gpt2_helpers.cli.command import note
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import MODEL_NAMES, LoadConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.tensorflow_setup import init_gpus, load_tensorflow, suppress_stderr

if TYPE_CHECKING:
    from gpt2_helpers.session import Session


def add_names(parser: Parser, run_by_default: bool = True) -> None:
    """The options that name a run or a model; `run_by_default` says which it is by itself."""
    if run_by_default:
        parser.add_config(RunConfig, "run_name")
    else:
        parser.add_field(field_of(RunConfig, "run_name", default=None))
    place_of_run = f"in place of a run: {', '.join(MODEL_NAMES)}"
    parser.add_field(field_of(RunConfig, "model_name", default=None, help=place_of_run))


def add_folders(parser: Parser) -> None:
    """The options that say where they are, and how they are loaded."""
    parser.add_config(LoadConfig)
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")


def loaded(options: Namespace) -> Session:
    """A session with what was named, downloaded first where it has to be."""
    run, weights = config_from(RunConfig, options), config_from(LoadConfig, options)
    if "run_name" in options and "model_name" in options:
        raise OptionError(
            "run_name opens a finetuned run, model_name a pretrained model: give one of them"
        )
    init_gpus()

    with suppress_stderr():  # this may bring TensorFlow as well
        from gpt2_helpers.generation.decoders import runs_on_tflite
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.session import Session
    from gpt2_helpers.system.device import choose_decoding_precision

    if not runs_on_tflite(choose_decoding_precision(weights.precision)):
        load_tensorflow()
    session = Session()
    if "model_name" in options:
        download_if_missing(run, note)
        session.load_pretrained(run.model_name, run.model_dir, weights.precision)
    else:
        session.load_run(run.run_name, run.checkpoint_dir, weights.checkpoint, weights.precision)
    return session
