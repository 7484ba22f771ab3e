"""Jobs that generate or score many texts into files or a table, and can be started again.

A job is divided into shards of consecutive prompts or texts. A worker takes all of a shard at a
time and writes it when it is complete, before it begins the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import (
    KeyedModelHandler,
    ModelHandler,
    PredictionResult,
    RunInference,
)

from gpt2_helpers.beam.models import Numbered, Row
from gpt2_helpers.beam.shards import Record, ShardSet, fingerprint, stem_of
from gpt2_helpers.beam.storage import join, read_file, split_name
from gpt2_helpers.beam.text_inputs import TextInput
from gpt2_helpers.beam.text_outputs import SUFFIXES, write_rows
from gpt2_helpers.data.token_shards import is_file_name
from gpt2_helpers.errors import DatasetError, brief

_FORMAT, _VERSION = "gpt2-helpers texts", 1
_Key = tuple[ShardSet, int]  # the shards of the job, and the number of one of them


@dataclass(frozen=True)
class TextJob:
    """What a job reads and writes.

    Attributes:
        source: The prompts or texts.
        index: Path or URL of the index of the files that are written.
        settings: Everything that the results depend on besides the prompts or texts, for JSON.
        output_format: jsonl or parquet.
        table: BigQuery table to append to, in place of the files.
        shard_size: Prompts or texts of a shard.
        repeats: How often each prompt is used.
    """

    source: TextInput
    index: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    output_format: str = "jsonl"
    table: str | None = None
    shard_size: int = 256
    repeats: int = 1

    @property
    def snapshot(self) -> str:
        """Where the result of a query is kept while the job is not finished."""
        name = f"{stem_of(self.index)}-{fingerprint({'query': self.source.query})}-query.json"
        return join(split_name(self.index)[0], name)


class WriteTexts(beam.PTransform):
    """Runs a job: reads its prompts or texts, computes a row or several for each, and writes them.

    Takes one `TextJob`. Returns the content of the index, or nothing if it was complete already.

    Args:
        handler: Computes the rows of a shard.
        check: Compares the texts with training text too; its rows are added to those of `handler`.

    Example:
        pipeline | beam.Create([job]) | WriteTexts(TextModelHandler(model, config))
    """

    def __init__(
        self,
        handler: ModelHandler[Any, PredictionResult, Any],
        check: ModelHandler[Any, PredictionResult, Any] | None = None,
    ) -> None:
        super().__init__()
        self._handler, self._check = handler, check

    def expand(self, jobs: beam.PCollection) -> beam.PCollection:
        shards = (
            jobs
            | "Plan" >> beam.FlatMap(_plan)
            | "Distribute" >> beam.Reshuffle()
            | "SkipFinished"
            >> beam.FlatMap(_skip_finished).with_outputs("finished", main="missing")
        )
        results = shards.missing | "Compute" >> RunInference(KeyedModelHandler(self._handler))
        if self._check is not None:
            results = (
                results
                | "KeepRows" >> beam.Map(lambda pair: (pair, pair[1].example))
                | "Check" >> RunInference(KeyedModelHandler(self._check))
                | "AddMatches" >> beam.Map(_add_matches)
            )
        written = results | "Write" >> beam.Map(_write)
        return (
            (shards.finished, written)
            | beam.Flatten()
            | "Group" >> beam.GroupByKey()
            | "WriteIndex" >> beam.Map(_write_index)
        )


def _plan(job: TextJob) -> Iterator[tuple[TextJob, _Key, list[Numbered]]]:
    texts = job.source.read(job.snapshot)
    digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    texts = [text for text in texts for _ in range(job.repeats)]
    size = job.shard_size
    place = {"table": job.table} if job.table else {"format": job.output_format}
    depends_on = {**job.settings, "texts": digest, "shard_size": size, **place}
    total = -(-len(texts) // size)
    name, suffix = fingerprint(depends_on), SUFFIXES[job.output_format]
    shards = ShardSet(job.index, suffix, name, total)
    earlier = read_index(job.index)
    if earlier is not None and earlier["fingerprint"] == name:
        sizes = {record["file"]: record["bytes"] for record in earlier["shards"]}
        if shards.has_files(sizes):  # this very job is complete
            shards.delete_records()
            job.source.forget(job.snapshot)
            return
    job = replace(job, source=replace(job.source, texts=()))  # the shards have them
    for number in range(total):
        first = number * size
        items = [*enumerate(texts[first : first + size], first)]
        yield job, (shards, number), items


def _skip_finished(shard: tuple[TextJob, _Key, list[Numbered]]) -> Iterator[Any]:
    job, (shards, number), items = shard
    record = shards.finished(number)
    if record is None:
        yield (job, (shards, number)), items
    else:
        beam.metrics.Metrics.counter("gpt2_helpers", "kept_texts").inc(record["texts"])
        yield beam.pvalue.TaggedOutput("finished", ((job.index, shards.fingerprint), (job, record)))


def _add_matches(
    pair: tuple[tuple[Any, PredictionResult], PredictionResult],
) -> tuple[Any, PredictionResult]:
    (key, result), matches = pair
    rows = [
        {**row, **match} for row, match in zip(result.inference, matches.inference, strict=True)
    ]
    return key, PredictionResult(result.example, rows)


def _write(result: tuple[tuple[TextJob, _Key], PredictionResult]) -> tuple[Any, Any]:
    (job, (shards, number)), prediction = result
    rows: list[Row] = prediction.inference
    beam.metrics.Metrics.counter("gpt2_helpers", "new_texts").inc(len(rows))
    record = write_rows(shards, number, rows, job.table)
    return (job.index, shards.fingerprint), (job, record)


def _write_index(group: tuple[tuple[str, str], Iterable[tuple[TextJob, Record]]]) -> dict[str, Any]:
    (index, name), pairs = group
    found = list(pairs)
    job = found[0][0]
    records = sorted((record for _, record in found), key=lambda record: record["number"])
    shards = ShardSet(index, SUFFIXES[job.output_format], name, len(records))
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "fingerprint": name,
        "texts": sum(record["texts"] for record in records),
        "settings": dict(job.settings),
        "table": job.table,
        "shards": records if job.table is None else [],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
    shards.write_index(text, lambda found: _names(_parse(found, index)))
    job.source.forget(job.snapshot)
    return content


def read_index(path: str) -> dict[str, Any] | None:
    """The index of a finished job; None if there is none.

    Raises:
        DatasetError: There is another file.
    """
    content = read_file(path)
    return None if content is None else _parse(content, path)


def _parse(content: bytes, path: str) -> dict[str, Any]:
    try:
        index = json.loads(content)
        if index["format"] != _FORMAT or index["version"] != _VERSION:
            raise ValueError(f"{brief(index['format'])}, version {brief(index['version'])}")
        if not isinstance(index["fingerprint"], str):
            raise ValueError("it has no fingerprint")
        for name in _names(index):
            if not is_file_name(name):
                raise ValueError(f"it names {brief(name)!r}, which is not next to it")
        return index
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetError(
            f"{path} exists and is not the index of an earlier job ({brief(error)}): choose "
            "another destination_path"
        ) from None


def _names(index: dict[str, Any]) -> list[str]:
    return [str(record["file"]) for record in index["shards"]]
