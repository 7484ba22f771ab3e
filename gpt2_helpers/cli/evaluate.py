"""gpt2-helpers evaluate: how well runs, checkpoints and models predict texts."""

from __future__ import annotations

import json
from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gpt2_helpers.cli.command import DONE, print_status
from gpt2_helpers.cli.model_options import load_named
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import MODEL_NAMES, DatasetConfig, RunConfig
from gpt2_helpers.evaluation.config import EvaluateConfig, ScoreConfig

if TYPE_CHECKING:
    from gpt2_helpers.data.text_files import ReadReport
    from gpt2_helpers.evaluation.evaluate import DocumentResult, ModelResult

SUMMARY = "measure how well runs and models predict a text: loss, perplexity, bits per byte"


class _Named(NamedTuple):
    """A run, perhaps with a checkpoint, or a pretrained model, as given."""

    kind: str
    name: str


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "evaluate",
        "FILE...",
        "Measure how well runs, checkpoints and models predict new texts: loss, perplexity, bits\n"
        "per byte. Only bits per byte can be compared between different vocabularies.",
        (
            "--run-name run1 held-out.txt",
            "--run-name run1/model-500 --run-name run1/model-1000 --model-name 124M held-out.txt",
            "--run-name titles --json new-titles.csv --column title",
        ),
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="text, CSV, JSON or Parquet file, folder, or quoted glob",
    )
    parser.add_text_option(
        "--run-name",
        "run, or a checkpoint such as run1/model-500; can be repeated (default: run1)",
        action="append",
        dest="models",
        metavar="TEXT",
        type=partial(_Named, "run"),
    )
    parser.add_text_option(
        "--model-name",
        f"pretrained model: {', '.join(MODEL_NAMES)}; can be repeated",
        action="append",
        dest="models",
        metavar="TEXT",
        type=partial(_Named, "model"),
    )
    parser.add_config(ScoreConfig)
    parser.add_config(EvaluateConfig)
    parser.add_config(DatasetConfig, "column", "encoding")
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Evaluate one model after another, and print the tables or JSON."""
    config, output = config_from(ScoreConfig, options), config_from(EvaluateConfig, options)
    data, folders = config_from(DatasetConfig, options), config_from(RunConfig, options)

    from gpt2_helpers.data.find_files import find_files
    from gpt2_helpers.data.text_files import ReadReport
    from gpt2_helpers.evaluation.evaluate import as_json, as_lines

    find_files(options.files)  # raises for a missing file before a model is loaded
    results: list[ModelResult] = []
    for named in getattr(options, "models", [_Named("run", RunConfig().run_name)]):
        report = ReadReport()
        results.append(_evaluate(named, options.files, config, output, data, folders, report))
        if len(results) == 1:
            for note in report.notes():
                print_status(note)
    if output.json:
        print(json.dumps(as_json(results), indent=1))
    else:
        print("\n".join(as_lines(results)))
    return DONE


def _evaluate(
    named: _Named,
    files: list[str],
    config: ScoreConfig,
    output: EvaluateConfig,
    data: DatasetConfig,
    folders: RunConfig,
    report: ReadReport,
) -> ModelResult:
    from gpt2_helpers.evaluation.documents import read_documents
    from gpt2_helpers.evaluation.evaluate import ModelResult, evaluate
    from gpt2_helpers.system.progress import Bar

    if named.kind == "run":
        name, _, checkpoint = named.name.partition("/")
        session = load_named(
            folders, config.precision, run_name=name, checkpoint=checkpoint or "latest"
        )
    else:
        session = load_named(folders, config.precision, model_name=named.name)
    scorer = session.scorer(config)
    documents = read_documents(files, data, output.whole_files, report)
    found: list[DocumentResult] = []
    with Bar(desc=f"evaluating {named.name}", unit="token", unit_scale=True) as bar:
        for part in evaluate(scorer, documents, output.whole_files):
            if isinstance(part, int):
                bar.update(part)
            else:
                found.append(part)
    session.close()
    return ModelResult(named.name, scorer.window, scorer.stride, scorer.precision, tuple(found))
