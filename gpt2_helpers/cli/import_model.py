"""gpt2-helpers import: create a run from a model in Hugging Face's layout."""

from __future__ import annotations

from argparse import Namespace

from gpt2_helpers.cli.command import DONE, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import RunConfig

SUMMARY = "create a run from a GPT-2 in Hugging Face's layout"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "import",
        "DIR",
        "Create a run from a GPT-2 in Hugging Face's layout, a folder or a repository on the\n"
        "Hub, or from LoRA adapters in PEFT's format. The run can be used like any other.",
        (
            "exported/ --run-name run2",
            "hf://distilbert/distilgpt2 --run-name distil",
            "adapters/ --model-name 124M --run-name lora1",
        ),
    )
    parser.add_argument("source", metavar="DIR", help="folder of the model, or hf://OWNER/NAME")
    parser.add_field(field_of(RunConfig, "run_name", help="name of the new run"))
    help = "base model of the adapters"
    parser.add_field(field_of(RunConfig, "model_name", help=help))
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Create the run."""
    run = config_from(RunConfig, options)

    from gpt2_helpers.checkpoint.import_model import import_run

    import_run(options.source, run, print_status)
    print(f"{options.source} is imported as {run.run_name} in {run.checkpoint_dir}")
    return DONE
