"""gpt2-helpers card: how a run was trained, and a sentence to put under its texts."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from gpt2_helpers.cli.command import DONE
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import RunConfig
from gpt2_helpers.fields import ValidatedConfig, option

SUMMARY = "print a run's model card, or a sentence to put under its texts"


@dataclass(frozen=True)
class CardConfig(ValidatedConfig):
    """What to print."""

    sentence: bool = option(False, "print one sentence instead")


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "card",
        "[RUN]",
        "Print how a run was trained: data, options, losses and versions. With --sentence, print\n"
        "one sentence for readers of its texts.",
        ("run1", "run1 --sentence"),
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="name of a run (default: run1)")
    parser.add_field(field_of(RunConfig, "run_name", default=None, help="the same as RUN"))
    parser.add_config(CardConfig)
    parser.add_config(RunConfig, "checkpoint_dir")
    return parser


def run(options: Namespace) -> int:
    """Print the card or the sentence."""
    if "run" in options:
        options.run_name = options.run
    run, config = config_from(RunConfig, options), config_from(CardConfig, options)

    from gpt2_helpers.checkpoint.run_card import disclosure, run_card
    from gpt2_helpers.checkpoint.run_folder import RunFolder

    saved = RunFolder(run.checkpoint_dir, run.run_name).require()
    write = disclosure if config.sentence else run_card
    text = write(saved.name, saved.record, saved.step)
    print(text.rstrip("\n"))
    return DONE
