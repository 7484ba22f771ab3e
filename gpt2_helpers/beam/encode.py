"""Encodes a dataset as sharded token files, as a Beam pipeline.

Each part of the dataset is read, cleaned and encoded by one worker into one shard, a chunk at a
time, so memory does not depend on the size of the data. With `deduplicate`, a first pass over the
text collects the hashes of all documents.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import apache_beam as beam

from gpt2_helpers.beam.deduplicate import FindCopies, SignedDocument, signed_document
from gpt2_helpers.beam.parts import Part, plan_parts, read_part
from gpt2_helpers.beam.seams import Edges, EdgeSplitter, join_parts
from gpt2_helpers.beam.shards import Record, ShardSet, fingerprint
from gpt2_helpers.beam.storage import delete, file_size, find_inputs, read_file, write_file
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.deduplicate import Signature
from gpt2_helpers.data.documents import split_documents
from gpt2_helpers.data.fast_encoder import fast_encoder
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_files import write_npy
from gpt2_helpers.data.token_shards import TokenIndex, TokenShard, parse_index
from gpt2_helpers.data.tokenize import encode_texts, split_at_word_boundaries, token_dtype
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.google.bigquery.client import sign_in
from gpt2_helpers.google.bigquery.config import BigQueryConfig
from gpt2_helpers.google.bigquery.export import export
from gpt2_helpers.system.files import drain
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import DatasetPath

_PIECE = 1 << 18  # characters encoded at a time
_MAX_NOTES = 20  # of the whole dataset


@dataclasses.dataclass(frozen=True)
class EncodeJob:
    """Everything that a worker needs to know.

    Attributes:
        shards: Where the shards are written.
        config: How the files are read.
        vocabulary, merges: Of the tokenizer.
        query: A BigQuery table that is exported first, to the only file of the only part.
        notes: What was detected while the files were listed, as sentences.
    """

    shards: ShardSet
    config: DatasetConfig
    vocabulary: dict[str, int]
    merges: list[tuple[str, str]]
    query: BigQueryConfig | None = None
    notes: tuple[str, ...] = ()

    def tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        return Tokenizer(self.vocabulary, self.merges)

    def is_complete(self) -> bool:
        """Whether the index of this job exists, with all of its files."""
        content = read_file(self.shards.index)
        if content is None:
            return False
        index = parse_index(content, self.shards.index)
        if index.options.get("fingerprint") != self.shards.fingerprint:
            return False
        return self.shards.has_files({shard.file: shard.bytes for shard in index.shards})

    def clean_up(self) -> None:
        """Delete what is needed only while the job is not complete."""
        self.shards.delete_records()
        if self.query is not None:
            delete(query_path(self.shards))

    def describe(self, counters: Mapping[str, int]) -> list[str]:
        """What was written, as lines.

        Args:
            counters: See `run_pipeline`.
        """
        index = parse_index(read_file(self.shards.index) or b"", self.shards.index)
        kept = counters.get("kept_shards", 0)
        earlier = f", of which {kept:,} are from an earlier attempt" if kept else ""
        return [
            *index.notes,
            f"{index.count:,} tokens in {self.shards.total:,} files{earlier}",
            f"saved in {self.shards.index}",
        ]


class EncodeDataset(beam.PTransform):
    """Encodes `Part`s of a dataset, and writes an index when all of them are encoded.

    Args:
        job: See `EncodeJob`.

    Example:
        job, parts = plan_encoding("books/", tokenizer, DatasetConfig(), "books.tokens")
        pipeline | beam.Create(parts) | EncodeDataset(job)
    """

    def __init__(self, job: EncodeJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        query = self._job.query
        if query is not None:
            parts = parts | "ExportTable" >> beam.Map(lambda part: _export_table(part, query))
        if self._job.config.deduplicate:
            work = (
                {
                    "part": parts | beam.Map(lambda part: (part.number, part)),
                    "dropped": parts | FindCopiesInParts(self._job.config),
                }
                | "JoinCopies" >> beam.CoGroupByKey()
                | beam.Map(lambda pair: (pair[1]["part"][0], sorted(pair[1]["dropped"])))
            )
        else:
            work = parts | beam.Map(lambda part: (part, []))
        return (
            work
            | "Distribute" >> beam.Reshuffle()
            | "EncodePart" >> beam.ParDo(_EncodePart(self._job))
            | "Together" >> beam.Map(lambda record: (0, record))
            | "GroupRecords" >> beam.GroupByKey()
            | "WriteIndex" >> beam.Map(lambda group: _write_index(self._job, group[1]))
        )


class FindCopiesInParts(beam.PTransform):
    """Finds the documents of a dataset that are copies of earlier ones.

    Takes `Part`s and returns pairs of the number of a part and the number of a document in it.

    Args:
        config: How the files are read.
    """

    def __init__(self, config: DatasetConfig) -> None:
        super().__init__()
        self._config = config

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        config = self._config
        return (
            parts
            | "DistributeToSign" >> beam.Reshuffle()
            | "Sign" >> beam.FlatMap(lambda part: _signed_documents(part, config))
            | FindCopies()
        )


def plan_encoding(
    dataset: DatasetPath,
    tokenizer: Tokenizer,
    config: DatasetConfig,
    out_path: str,
    part_bytes: int = 64 << 20,
    query: BigQueryConfig | None = None,
) -> tuple[EncodeJob, list[Part]]:
    """Find the files of a dataset, and divide the work.

    Args:
        dataset: A path, folder, glob pattern or URL, or a list of these.
        tokenizer: The tokenizer of the model to train.
        config: How the files are read.
        out_path: Path or URL of the index, which ends with `.tokens`.
        part_bytes: Size of a part, approximately.
        query: A BigQuery table in place of the dataset.

    Returns:
        The job and its parts.

    Raises:
        DatasetError: The files do not exist.
        OptionError: An option is not possible in parts.

    Example:
        job, parts = plan_encoding("books/", tokenizer, DatasetConfig(), "books.tokens")
    """
    if config.legacy_tokens:
        raise OptionError("legacy_tokens is not possible in parts: use gpt2-helpers encode")
    report = ReadReport()
    files = [] if query is not None else find_inputs(dataset, report, config)
    parts = plan_parts([(file, size) for file, size, _ in files], config, part_bytes)
    depends_on = {
        "files": files,
        "query": query,
        "config": dataclasses.asdict(config),
        "part_bytes": part_bytes,
        "vocabulary": sorted(tokenizer.vocabulary.items()),
        "merges": tokenizer.merges,
    }
    shards = ShardSet(out_path, ".npy", fingerprint(depends_on), len(parts))
    if query is not None:
        shards = dataclasses.replace(shards, total=1)
        parts = [Part(0, (query_path(shards),))]
    tables = tokenizer.vocabulary, tokenizer.merges
    return EncodeJob(shards, config, *tables, query, report.notes()), parts


def query_path(shards: ShardSet) -> str:
    """The path or URL of the file that a table is exported to."""
    return f"{shards.path(0)}.query.csv"


def _export_table(part: Part, query: BigQueryConfig) -> Part:
    """Export a table to the file of a part, which is kept until the job is finished: a second run
    of the query might have another order."""
    (path,) = part.files
    if file_size(path) is None:
        client = sign_in(query.project)
        with tempfile.TemporaryDirectory(prefix="gpt2-beam-") as folder:
            place = Path(folder, "table.csv")
            for _ in export(client, dataclasses.replace(query, csv_path=str(place))):
                pass
            with place.open("rb") as source:
                write_file(path, lambda file: shutil.copyfileobj(source, file))
    return part


def _signed_documents(part: Part, config: DatasetConfig) -> Iterator[SignedDocument]:
    signature, number = Signature(), 0
    for piece, is_end in split_documents(read_part(part, config, ReadReport())):
        signature.add(piece)
        if is_end:
            if signed := signed_document((part.number, number), signature):
                yield signed
            signature, number = Signature(), number + 1
    if signed := signed_document((part.number, number), signature):
        yield signed


class _EncodePart(beam.DoFn):
    def __init__(self, job: EncodeJob) -> None:
        self._job = job

    def setup(self) -> None:
        self._tokenizer = self._job.tokenizer()
        self._fast = fast_encoder(self._tokenizer)

    def process(self, element: tuple[Part, list[int]]) -> Iterator[Record]:
        part, dropped = element
        shards = self._job.shards
        record = shards.finished(part.number)
        if record is not None:
            beam.metrics.Metrics.counter("gpt2_helpers", "kept_shards").inc()
        yield record or self._encode(part, dropped)

    def _encode(self, part: Part, dropped: list[int]) -> Record:
        report = ReadReport()
        splitter = EdgeSplitter(part.starts_file, dropped)
        counts = {"characters": 0, "tokens": 0}

        def write(file: BinaryIO) -> Record:
            chunks = splitter.split(read_part(part, self._job.config, report))
            texts = _counted(split_at_word_boundaries(chunks, _PIECE), counts)
            ids = encode_texts(texts, self._tokenizer, True, 1, self._fast)
            counts["tokens"] = drain(write_npy(file, ids, token_dtype(self._tokenizer.n_vocab)))
            return {
                **counts,
                "edges": dataclasses.asdict(splitter.edges),
                "notes": report.notes()[:_MAX_NOTES],
                "dropped": len(dropped),
            }

        return self._job.shards.write(part.number, write, lambda record: record)


def _counted(texts: Iterable[str], counts: dict[str, int]) -> Iterator[str]:
    for text in texts:
        counts["characters"] += len(text)
        yield text


def _write_index(job: EncodeJob, records: Iterable[Record]) -> dict[str, Any]:
    ordered = sorted(records, key=lambda record: record["number"])
    tokenizer = job.tokenizer()
    edges = [Edges(**record["edges"]) for record in ordered]
    before, after = join_parts(edges, lambda text: tokenizer.encode(text, special=True))
    shards = tuple(
        TokenShard(record["file"], record["tokens"], record["bytes"], record["crc32c"], tuple(ids))
        for record, ids in zip(ordered, before, strict=True)
    )
    of_parts = (note for record in ordered for note in record["notes"])
    notes = [*dict.fromkeys([*job.notes, *of_parts])]
    if job.config.deduplicate:
        copies = sum(record["dropped"] for record in ordered)
        notes.append(f"left out {copies:,} documents that are copies or near copies")
    options = {
        **{name: value for name, value in dataclasses.asdict(job.config).items() if value},
        "fingerprint": job.shards.fingerprint,
    }
    index = TokenIndex(tokenizer.n_vocab, shards, tuple(after), tuple(notes[:_MAX_NOTES]), options)
    if index.count < 2:
        reasons = "; ".join(notes[:3]) or "only whitespace, or no files"
        raise DatasetError(f"the dataset contains no text to train on ({reasons})")
    name = job.shards.index
    job.shards.write_index(
        index.to_json(),
        lambda content: [shard.file for shard in parse_index(content, name).shards],
    )
    if job.query is not None:
        delete(query_path(job.shards))
    return {"tokens": index.count, "characters": sum(r["characters"] for r in ordered)}
