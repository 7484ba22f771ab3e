"""Help, errors, exit codes and streams of the command line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import (
    Result,
    error_of,
    files_in,
    process,
    python_path,
    run,
    stderr_of,
    stdout_of,
)
from gpt2_helpers import __version__
from gpt2_helpers.cli.app import COMMANDS
from gpt2_helpers.cli.parser import config_from
from gpt2_helpers.config import FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.training.pretrain_config import PretrainConfig
from paths import ROOT


def test_without_arguments_it_prints_the_help_and_fails() -> None:
    result = run()
    assert (result.code, result.out) == (2, "")
    assert result.err == run("--help").out


def test_the_help_lists_every_command() -> None:
    result = run("--help")
    assert (result.code, result.err) == (0, "")
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.SUMMARY)}$", result.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command(name: str) -> None:
    result = run(name, "--help")
    assert (result.code, result.err) == (0, "")
    description = result.out.split("\n\n")[1].splitlines()
    assert len(description) == 2
    examples = result.out.partition("examples:\n")[2].splitlines()
    assert 2 <= len(examples) <= 3
    assert all(example.startswith(f"  gpt2-helpers {name}") for example in examples)
    assert result.out.index("\noptions:\n") < result.out.index("\nadvanced options:\n")
    assert run(name, "-h") == result


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_are_valid(name: str) -> None:
    for example in run(name, "--help").out.partition("examples:\n")[2].splitlines():
        _, command, *arguments = shlex.split(example)
        options = COMMANDS[command].parser().parse(arguments)
        assert vars(options) or not arguments
        for kind in (FinetuneConfig, RunConfig, SamplingConfig, PretrainConfig):
            config_from(kind, options)


def test_version() -> None:
    assert run("--version") == Result(0, f"gpt2-helpers {__version__}\n", "")


def test_help_and_errors_do_not_load_tensorflow() -> None:
    script = """
import sys
from gpt2_helpers.cli.app import main
for arguments in (["--help"], ["--version"], ["finetune", "--help"], ["generate", "--help"],
                  ["download", "--help"], ["encode", "--help"], ["info", "--help"],
                  ["pretrain", "--help"],
                  ["finetune", "--no-such-option"], ["download", "no-such-model"],
                  ["finetune", "no-such-file"], ["generate", "--top-k", "-1"]):
    main(arguments)
    assert "tensorflow" not in sys.modules, arguments
"""
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fintune titles.csv", "unknown command 'fintune' (did you mean 'finetune'?)"),
        ("finetune", "DATASET is missing: see gpt2-helpers finetune --help"),
        ("finetune titles.csv more.csv", "unexpected argument 'more.csv': see"),
        ("generate Once", "unexpected argument 'Once' (use --prefix for a prompt): see"),
        ("finetune titles.csv --stpes 5", "(did you mean '--steps'?)"),
        ("finetune titles.csv --steps", "--steps needs a value"),
        ("finetune titles.csv --steps few", "steps must be a whole number, got 'few'"),
        ("finetune titles.csv --batch_size 0", "batch_size must be at least 1, got 0"),
        ("finetune titles.csv --optimizer adm", "(did you mean 'adam'?)"),
        ("finetune titles.csv --lr-schedule linear --steps 0", "needs a number of steps above 0"),
        ("finetune titels.csv", "(did you mean 'titles.csv'?)"),
        ("finetune titles.csv --model-name toi --restore-from fresh", "(did you mean 'toy'?)"),
        ("finetune titles.csv --early-stopping-patience 2", "needs a validation loss"),
        ("finetune titles.csv --column nothing", "no column 'nothing'"),
        ("finetune titles.csv --run-name a/b", "plain folder name"),
        ("finetune titles.csv --restore-from nowhere", "nowhere"),
        ("generate --run-name run2", "(did you mean 'run1'?)"),
        (
            "generate --run-name run1 --model-name toy",
            "model_name for a pretrained model, not both",
        ),
        ("generate --checkpoint model-99", "model-99"),
        ("generate --top-p 1.5", "top_p must be between 0.0 and 1.0, got 1.5"),
        ("generate --nfiles 0", "nfiles must be at least 1, got 0"),
        (
            "generate --nfiles 2 --destination-path out.txt",
            "destination_path for one file, or nfiles",
        ),
        ("generate --prefix What --length 1", "the prefix has 1 tokens"),
        ("generate --prefix What --length 1 --nfiles 2", "the prefix has 1 tokens"),
        ("generate --prefix \udcff --length 9", "lone surrogate"),
        ("generate --folder titles.csv --length 2", "cannot write to folder='titles.csv'"),
        ("generate --destination-path models --length 2", "is a folder: name a file in it"),
        ("download 124m", "(did you mean '124M'?)"),
        ("encode nothing.txt", "does not exist"),
        ("encode titles.csv --model-name toi", "(did you mean 'toy'?)"),
        ("pretrain titles.csv", "--out is missing"),
        ("pretrain titles.csv --out models/toy", "already contains a model"),
        ("pretrain titles.csv --out new --n-embd 30 --n-head 4", "divisible by n_head"),
        ("info run2", "(did you mean 'run1'?)"),
        ("info run1 run2", "unexpected argument 'run2'"),
    ],
)
def test_invalid_input_is_one_error_line_and_changes_nothing(
    workspace: Path, arguments: str, message: str
) -> None:
    before = files_in(workspace)
    assert message in error_of(*arguments.split())
    assert files_in(workspace) == before


def test_a_closed_pipe_stops_it_without_an_error_message(workspace: Path) -> None:
    with process(workspace, "generate", "--nsamples", 10**4, "--length", 3) as started:
        assert stdout_of(started).readline()
        stdout_of(started).close()
        assert started.wait(timeout=300) == 141, stderr_of(workspace)
    for word in ("Traceback", "BrokenPipe", "Exception", "gpt2-helpers:"):
        assert word not in stderr_of(workspace)


def test_closed_standard_streams(workspace: Path) -> None:
    """Closed with `2>&-`: sys.stderr is None in Python."""

    def shell(arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = f"{shlex.quote(sys.executable)} -m gpt2_helpers {arguments}"
        environment = {**os.environ, "PYTHONPATH": python_path()}
        return subprocess.run(
            command, shell=True, cwd=workspace, env=environment, capture_output=True, timeout=300
        )

    done = shell("generate --length 5 --seed 1 2>&-")
    assert done.returncode == 0
    assert done.stdout.decode() == run("generate", "--length", 5, "--seed", 1).out
    done = shell("generate --top-k -1 >&-")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
