"""Selecting and loading a run or a pretrained model."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import run
from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.parser import Parser
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session


def load(*arguments: str) -> Session:
    parser = Parser("test", "", "Load a model.")
    model_options.add_model_options(parser)
    model_options.add_loading_options(parser)
    return model_options.load_session(parser.parse(arguments))


@pytest.mark.usefixtures("workspace")
def test_run1_is_loaded_by_default() -> None:
    session = load()
    assert (session.run_name, session.model_name) == ("run1", None)


@pytest.mark.usefixtures("workspace")
def test_a_pretrained_model_is_loaded_by_name() -> None:
    session = load("--model-name", "toy")
    assert (session.run_name, session.model_name) == (None, "toy")


@pytest.mark.usefixtures("workspace")
def test_a_checkpoint_is_selected_by_name() -> None:
    assert load("--checkpoint", "model-3").run_name == "run1"


def test_a_run_and_a_model_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="not both"):
        load("--run-name", "run1", "--model-name", "toy")


def test_the_help_shows_the_default_run_only_if_there_is_one() -> None:
    for by_default, shown in ((True, "(default: run1)"), (False, "(default: none)")):
        parser = Parser("test", "", "Load a model.")
        model_options.add_model_options(parser, run_by_default=by_default)
        text = " ".join(parser.format_help().split())
        assert f"name of the folder with the trained model {shown}" in text


def test_a_pretrained_model(workspace: Path) -> None:
    result = run("generate", "--model-name", "toy", "--length", 8, "--temperature", 0)
    session = Session()
    session.load_pretrained("toy", workspace / "models")
    (text,) = session.generate("", SamplingConfig(length=8, temperature=0))
    assert result.out == f"{text}\n"


@pytest.mark.usefixtures("workspace")
def test_a_checkpoint_of_a_pretrained_model_is_rejected() -> None:
    with pytest.raises(OptionError, match="checkpoint is one of a run"):
        load("--model-name", "toy", "--checkpoint", "model-3")
