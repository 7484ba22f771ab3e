"""Where a job's results go: JSON Lines or Parquet files, or a BigQuery table.

A table is loaded with one BigQuery job for each shard, whose id is made from the shard's name.
A second attempt to load the same shard is refused by BigQuery as a duplicate, so no row is there
twice, unless the first one has failed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from gpt2_helpers.beam.shards import Record, ShardSet
from gpt2_helpers.errors import import_optional
from gpt2_helpers.google.bigquery.client import sign_in
from gpt2_helpers.google.bigquery.errors import translate_errors

_LOAD_SECONDS = 600.0  # timeout of a load job
SUFFIXES = {"jsonl": ".jsonl", "parquet": ".parquet"}
Rows = Sequence[dict[str, Any]]


def write_rows(shards: ShardSet, number: int, rows: Rows, table: str | None) -> Record:
    """Write the rows of a shard.

    Args:
        shards: The shards.
        number: The number of this one.
        rows: Its rows.
        table: The BigQuery table to append to, in place of a file.

    Returns:
        The record of the shard.

    Raises:
        BigQueryError: The rows cannot be loaded.
        OptionError: The file cannot be written.
    """
    if table is not None:
        load_rows(table, rows, shards.name(number))
        return shards.add_record(number, {"texts": len(rows)})
    write = _write_parquet if shards.suffix == SUFFIXES["parquet"] else _write_jsonl

    def write_and_count(file: BinaryIO) -> int:
        write(file, rows)
        return len(rows)

    return shards.write(number, write_and_count, lambda count: {"texts": count})


def _write_jsonl(file: BinaryIO, rows: Rows) -> None:
    for row in rows:
        file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def _write_parquet(file: BinaryIO, rows: Rows) -> None:
    arrow = import_optional("pyarrow", "writing Parquet", "data")
    parquet = import_optional("pyarrow.parquet", "writing Parquet", "data")
    with parquet.ParquetWriter(file, _parquet_schema(arrow, rows)) as writer:
        writer.write_table(arrow.Table.from_pylist(list(rows), writer.schema))


def _columns(rows: Rows) -> dict[str, type]:
    """The type of each column, the same for all shards, whatever values are missing in one."""
    may_be_missing = {"logprob": float, "step": int, "perplexity": float}
    return {name: may_be_missing.get(name, type(value)) for name, value in rows[0].items()}


def _parquet_schema(arrow: Any, rows: Rows) -> Any:
    kinds = {str: arrow.string(), float: arrow.float64(), int: arrow.int64()}
    return arrow.schema([(name, kinds[kind]) for name, kind in _columns(rows).items()])


def load_rows(table: str, rows: Rows, name: str) -> None:
    """Append rows to a BigQuery table, once for each name.

    Args:
        table: project.dataset.table; it is created if it does not exist.
        rows: The rows.
        name: What identifies the rows, such as the name of their shard.

    Raises:
        BigQueryError: The rows cannot be loaded.

    Example:
        load_rows("my-project-123456.texts.titles", [{"index": 0, "text": "Why?"}], "titles-0")
    """
    bigquery = import_optional("google.cloud.bigquery", "BigQuery", "notebooks")
    from google.api_core.exceptions import Conflict

    project = table.partition(".")[0]
    client = sign_in(project)
    first_id = f"gpt2-helpers-{hashlib.sha256(f'{table} {name}'.encode()).hexdigest()[:40]}"
    # Not detected: texts such as "2020" would be numbers in the table.
    kinds = {str: "STRING", float: "FLOAT", int: "INTEGER"}
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(name, kinds[kind]) for name, kind in _columns(rows).items()],
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
    )
    with translate_errors(project):
        for attempt in itertools.count(1):
            job_id = first_id if attempt == 1 else f"{first_id}-{attempt}"
            job: Any
            try:
                job = client.load_table_from_json(
                    list(rows), table, job_id=job_id, job_config=config, num_retries=3
                )
            except Conflict:  # an earlier attempt has loaded them, or is doing so
                location = client.get_dataset(table.rpartition(".")[0]).location
                job = client.get_job(job_id, location=location)
                if job.error_result:  # it has loaded nothing, and its id cannot be used again
                    continue
            job.result(timeout=_LOAD_SECONDS)
            return
