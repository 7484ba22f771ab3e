"""Where a job's results go: JSON Lines or Parquet files, or a BigQuery table.

A table is loaded with one BigQuery job for each shard, whose id is made from the shard's name.
A second attempt to load the same shard is refused by BigQuery as a duplicate, so no row is there
twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from gpt2_helpers.beam.shards import Record, ShardSet
from gpt2_helpers.errors import BigQueryError, brief, import_optional
from gpt2_helpers.google.bigquery.client import sign_in
from gpt2_helpers.google.bigquery.errors import translate_errors

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


def _parquet_schema(arrow: Any, rows: Rows) -> Any:
    """The same schema for all shards, whatever values are missing in one."""
    kinds = {str: arrow.string(), float: arrow.float64(), int: arrow.int64()}
    numbers = {"logprob": float, "step": int, "perplexity": float}
    return arrow.schema(
        [(name, kinds[numbers.get(name, type(value))]) for name, value in rows[0].items()]
    )


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
    job_id = f"gpt2-helpers-{hashlib.sha256(f'{table} {name}'.encode()).hexdigest()[:40]}"
    config = bigquery.LoadJobConfig(
        autodetect=True,
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
    )
    with translate_errors(project):
        job: Any
        try:
            job = client.load_table_from_json(
                list(rows), table, job_id=job_id, job_config=config, num_retries=3
            )
        except Conflict:  # an earlier attempt has loaded them, or is doing so
            job = client.get_job(job_id)
        job.result(timeout=600)
    if job.error_result:
        raise BigQueryError(f"{table} cannot be loaded: {brief(job.error_result)}")
