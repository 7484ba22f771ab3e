"""gpt2-helpers encode: text -> the token ids of a model, in an .npz that finetune takes."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.cli.command import DATASET_HELP, DONE, check_files, note
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import DatasetConfig, RunConfig
from gpt2_helpers.fields import ValidatedConfig, option

SUMMARY = "turn text into token ids once, for several finetunings"


@dataclass(frozen=True)
class EncodeConfig(ValidatedConfig):
    """Where encoded text goes."""

    out_path: str = option("text_encoded.npz", "file for the token ids")


def parser() -> Parser:
    """The arguments it takes."""
    parser = Parser(
        "encode",
        "DATASET",
        "Turn text into the token ids of a model, once, for several finetunings. finetune takes\n"
        "the .npz file in place of the text, with any model of the same vocabulary.",
        ("stories/ --out-path stories.npz", "titles.csv --column title --model-name tiny"),
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    parser.add_config(EncodeConfig)
    parser.add_config(RunConfig, "model_name", "model_dir")
    parser.add_config(DatasetConfig)
    return parser


def run(options: Namespace) -> int:
    """Encode, and say what was found."""
    data, run = config_from(DatasetConfig, options), config_from(RunConfig, options)
    out = Path(config_from(EncodeConfig, options).out_path)
    out = out if out.suffix == ".npz" else out.with_name(f"{out.name}.npz")
    check_files(options.dataset)

    from tqdm.auto import tqdm

    from gpt2_helpers.checkpoint.model_files import model_folder
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.data.dataset import encode_dataset
    from gpt2_helpers.tokenizer import Tokenizer

    download_if_missing(run, note)
    tokenizer = Tokenizer.load(model_folder(run.model_name, run.model_dir))
    with tqdm(desc="encoding", unit="B", unit_scale=True, dynamic_ncols=True) as bar:

        def move(read: int, there: int) -> None:
            bar.total = there
            bar.update(read - bar.n)

        encoded = encode_dataset(
            options.dataset,
            tokenizer,
            out,
            data.combine,
            column=data.column,
            legacy_tokens=data.legacy_tokens,
            on_progress=move,
        )
    print("\n".join([*encoded.describe(n_ctx=0), f"encoded into {out}"]))
    return DONE
