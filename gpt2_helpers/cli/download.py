"""gpt2-helpers download: download a pretrained model."""

from __future__ import annotations

from argparse import Namespace

from gpt2_helpers.cli.command import DONE
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import MODEL_NAMES, RunConfig

SUMMARY = "download a pretrained model"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "download",
        "MODEL",
        "Download 124M (0.5 GB), 355M (1.4), 774M (3.1), 1558M (6.2) or from the Hugging Face Hub\n"
        "hf://OWNER/NAME to a folder in models. Interrupted downloads are resumed.",
        ("124M", "355M --model-dir /data/models", "hf://distilbert/distilgpt2"),
    )
    parser.add_argument(
        "model", metavar="MODEL", help=f"one of {', '.join(MODEL_NAMES)}, or hf://OWNER/NAME"
    )
    parser.add_config(RunConfig, "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Download the missing files."""
    from gpt2_helpers.checkpoint.pretrained import download_model, is_downloaded

    model_dir = config_from(RunConfig, options).model_dir
    was_complete = is_downloaded(options.model, model_dir)
    folder = download_model(options.model, model_dir)
    print(f"{folder} {'was already complete' if was_complete else 'is complete'}")
    return DONE
