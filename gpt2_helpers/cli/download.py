"""gpt2-helpers download: a model's name -> its files in a folder."""

from __future__ import annotations

from argparse import Namespace

from gpt2_helpers.cli.command import DONE
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import MODEL_NAMES, RunConfig

SUMMARY = "fetch a pretrained model"


def parser() -> Parser:
    """The arguments it takes."""
    parser = Parser(
        "download",
        "MODEL",
        "Fetch a pretrained model into models/MODEL: 124M is 0.5 GB, 355M 1.4, 774M 3.1, 1558M\n"
        "6.2. A download that broke goes on where it stopped; tiny comes with the package.",
        ("124M", "355M --model-dir /data/models"),
    )
    parser.add_argument("model", metavar="MODEL", help=", ".join(MODEL_NAMES))
    parser.add_config(RunConfig, "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Fetch what is not there yet."""
    from gpt2_helpers.checkpoint.pretrained import download_model, is_downloaded

    model_dir = config_from(RunConfig, options).model_dir
    there = is_downloaded(options.model, model_dir)
    folder = download_model(options.model, model_dir)
    print(f"{folder} {'was there already' if there else 'is complete'}")
    return DONE
