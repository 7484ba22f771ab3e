"""gpt2-helpers export: save a run or model for other tools, or upload it to the Hub."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.command import DONE, print_status
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.exchange.export_config import WEB, ExportConfig

SUMMARY = "save a run for other libraries or for a browser"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "export",
        "DIR",
        "Save a run or a pretrained model in Hugging Face's layout, which transformers opens, for\n"
        "ONNX Runtime, or as a site without a server. hf://OWNER/NAME uploads it to the Hub.",
        (
            "exported/",
            "--run-name run1 --dtype float16 hf://me/my-gpt2 --private",
            "--run-name run1 --format web site/",
        ),
    )
    parser.add_argument("destination", metavar="DIR", help="folder to write, or hf://OWNER/NAME")
    model_options.add_model_options(parser)
    parser.add_config(ExportConfig)
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Export, and print where the files are."""
    run, config = config_from(RunConfig, options), config_from(ExportConfig, options)
    pretrained = "model_name" in options
    model_options.require_one(options)
    if not options.destination.strip():
        raise OptionError("DIR must not be empty: set it to a folder or to hf://OWNER/NAME")

    from gpt2_helpers.checkpoint.export import export
    from gpt2_helpers.checkpoint.pretrained import download_if_missing

    if pretrained:
        download_if_missing(run, print_status)
    where = export(options.destination, run, config, pretrained)
    if config.format == WEB:
        from gpt2_helpers.web.site import complete_site

        complete_site(Path(where), run, pretrained, config.runtime, print_status, config.checkpoint)
    print(f"{run.model_name if pretrained else run.run_name} was exported to {where}")
    return DONE
