"""The formats of a file of texts: gpt-2-simple's, CSV and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.output_file import SAMPLE_DELIM
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.system.paths import user_path

LOGPROB_DIGITS = 4
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True)
class TextSource:
    """What all texts of a file have in common.

    Attributes:
        seed: The seed; with it, the number of a text determines the text.
        model: Name of the run or pretrained model.
        step: Optimizer steps of the run. None for a pretrained model.
    """

    seed: int
    model: str
    step: int | None


class OutputFormat:
    """gpt-2-simple's format: text, newline, delimiter.

    Args:
        delimiter: Written after each text and its newline.
    """

    name = "text"
    has_records = False  # whether a text comes with how it was made

    def __init__(self, delimiter: str = SAMPLE_DELIM) -> None:
        self.delimiter = delimiter

    @property
    def header(self) -> bytes:
        """What comes before the first text."""
        return b""

    def row(self, result: GenerationResult, source: TextSource) -> bytes:
        """A text with what belongs to it."""
        return f"{result.text}\n{self.delimiter}".encode()


class JsonLines(OutputFormat):
    """JSON Lines: an object per text with the fields of `record_of`."""

    name = "jsonl"
    has_records = True

    def row(self, result: GenerationResult, source: TextSource) -> bytes:
        return (json.dumps(record_of(result, source), ensure_ascii=False) + "\n").encode()


class Csv(OutputFormat):
    """CSV in UTF-8 with a header row and the fields of `record_of`; texts may have several lines,
    in quotes."""

    name = "csv"
    has_records = True

    @property
    def header(self) -> bytes:
        return _csv_row([*record_of(GenerationResult("", "", 0, 0, "stop"), TextSource(0, "", 0))])

    def row(self, result: GenerationResult, source: TextSource) -> bytes:
        return _csv_row([*record_of(result, source).values()])


def record_of(result: GenerationResult, source: TextSource) -> dict[str, Any]:
    """What is written of a text: its number, prompt, text, seed, number of tokens, finish reason,
    log-probability, and the model's name and step.

    >>> record_of(GenerationResult("Hi.", "H", 3, 2, "stop", -1.5), TextSource(7, "run1", 40))
    {'index': 3, 'prompt': 'H', 'text': 'Hi.', 'seed': 7, 'tokens': 2, 'finish_reason': 'stop',
     'logprob': -1.5, 'model': 'run1', 'step': 40}
    """
    logprob = result.logprob
    return {
        "index": result.index,
        "prompt": result.prompt,
        "text": result.text,
        "seed": source.seed if result.seed is None else result.seed,
        "tokens": result.n_tokens,
        "finish_reason": result.finish_reason,
        "logprob": None if logprob is None else round(logprob, LOGPROB_DIGITS),
        "model": source.model,
        "step": source.step,
    }


def choose_format(path: str | Path, name: str, delimiter: str = SAMPLE_DELIM) -> OutputFormat:
    """Return the format of a file.

    Args:
        path: The file.
        name: auto, text, csv or jsonl; auto takes the format from the suffix.
        delimiter: Of the format text.

    Raises:
        OptionError: It is not a path, or the suffix is `.json`, which is none of these formats.

    >>> choose_format("titles.jsonl", "auto").name
    'jsonl'
    """
    suffix = user_path(path, "destination_path").suffix.lower()
    if name == "auto":
        if suffix == ".json":
            raise OptionError(
                f"destination_path={str(path)!r} would not be valid JSON with a text per line: "
                "name it .jsonl, or set output_format"
            )
        name = SUFFIXES.get(suffix, "text")
    kinds: dict[str, type[OutputFormat]] = {kind.name: kind for kind in (Csv, JsonLines)}
    return kinds.get(name, OutputFormat)(delimiter)


def generation_options(config: SamplingConfig) -> dict[str, Any]:
    """The options that texts depend on besides the seed: all but the size of the batch."""
    values = {name: getattr(config, name) for name in SamplingConfig.__dataclass_fields__}
    for name in ("batch_size", "seed"):
        del values[name]
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _csv_row(values: list[Any]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)  # which quotes the characters of its line terminator, \r\n
    return f"{buffer.getvalue()[:-2]}\n".encode()
