"""The public function that compares generated texts with the training text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import CheckConfig
from gpt2_helpers.evaluation.generated_files import read_generated
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.system.progress import show_bytes
from gpt2_helpers.types import DatasetPath


def check_memorization(
    generated: str | Path | Sequence[str],
    dataset: DatasetPath,
    *,
    column: str | None = None,
    encoding: str | None = None,
    generated_column: str | None = None,
) -> OverlapReport:
    """Compare generated texts with the training text: how many are copied, and from where.

    The training text is read once and may be of any size: memory grows with the generated texts.
    docs/evaluation.md defines copies, near copies and runs of words.

    Args:
        generated: The texts as a list, or the path of a file with generated texts: delimited text
            as `generate_to_file` writes it, CSV, JSON Lines or Parquet.
        dataset: The training text: a file, folder, glob, URL, or a list of these.

    Returns:
        The report. `print(report)` shows the counts as a sentence; `copies`, `near_copies`, `novel`
        and `duplicates` are numbers of texts, and `longest_run` is the text with the longest run of
        words in common with a training text. `matches` has each text with its `Match`: `kind`,
        `nearest` (the closest training text), `similarity` and `run`. `run_histogram()` and
        `similarity_histogram()` count texts.

    Raises:
        DatasetError: If a file is missing, can't be read or contains no text.
        OptionError: If an option is invalid, or `generated` is not a path or a list of strings.

    Example:
        report = gpt2.check_memorization("texts.txt", "titles.csv")
        print(report)
        for text, match in report.closest_examples():
            print(match.kind, text, match.nearest)
    """
    config = DatasetConfig(column=column, encoding=encoding)
    options = CheckConfig(generated_column=generated_column)
    if isinstance(generated, str | Path):
        texts = read_generated(generated, options.generated_column)
    else:
        texts = list(generated)
        if not texts or not all(isinstance(text, str) for text in texts):
            raise OptionError(
                f"generated must be a path or a list of strings, got {type(generated).__name__}"
                f"{'' if texts else ' without entries'}"
            )
    training = TrainingData([(dataset, config.column)], config.encoding)
    return show_bytes(check_texts(texts, training), f"comparing {len(texts):,} texts")
