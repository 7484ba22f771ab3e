"""gpt2-helpers encode: tokenize a dataset once, for several finetuning runs."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.cli.command import DATASET_HELP, DONE, check_files, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import MODEL_NAMES, DatasetConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option

SUMMARY = "tokenize a dataset once, for several finetuning runs"


@dataclass(frozen=True)
class EncodeConfig(ValidatedConfig):
    """Where token ids are saved."""

    out_path: str = option("text_encoded.npz", "file to save the token ids in", is_path=True)


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "encode",
        "DATASET",
        "Tokenize a dataset and save the token ids in an .npz file, which finetune accepts\n"
        "instead of the text, with any model that has the same vocabulary.",
        ("stories/ --out-path stories.npz", "titles.csv --column title --model-name tiny"),
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parser.add_config(EncodeConfig)
    help = f"model whose tokenizer is used: {', '.join(MODEL_NAMES)}"
    parser.add_field(field_of(RunConfig, "model_name", help=help))
    parser.add_config(RunConfig, "model_dir")
    parser.add_config(DatasetConfig)
    return parser


def run(options: Namespace) -> int:
    """Encode the dataset and print a report."""
    data, run = config_from(DatasetConfig, options), config_from(RunConfig, options)
    out = Path(config_from(EncodeConfig, options).out_path)
    if not out.name:
        raise OptionError(f"out_path must be the name of a file, got {str(out)!r}")
    out = out if out.suffix == ".npz" else out.with_name(f"{out.name}.npz")
    check_files(options.dataset)

    from gpt2_helpers.checkpoint.model_folders import model_folder
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.data.encode_files import iter_encode
    from gpt2_helpers.system.progress import show_bytes
    from gpt2_helpers.tokenizer import Tokenizer

    download_if_missing(run, print_status)
    tokenizer = Tokenizer.load(model_folder(run.model_name, run.model_dir))
    encoding = iter_encode(options.dataset, tokenizer, out, data)
    encoded = show_bytes(encoding, "encoding")
    print("\n".join([*encoded.describe(n_ctx=0), f"saved in {out}"]))
    return DONE
