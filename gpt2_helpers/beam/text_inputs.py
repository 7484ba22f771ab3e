"""Where a job's prompts or texts come from: given, in a file, or in a BigQuery table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from gpt2_helpers.beam.storage import delete, read_file, write_bytes
from gpt2_helpers.data.prompt_files import read_prompts
from gpt2_helpers.data.remote_files import LocalCopies
from gpt2_helpers.errors import BigQueryError, DatasetError
from gpt2_helpers.evaluation.generated_files import read_generated
from gpt2_helpers.google.bigquery.clean_text import clean
from gpt2_helpers.google.bigquery.client import run, sign_in
from gpt2_helpers.google.bigquery.config import BigQueryConfig
from gpt2_helpers.google.bigquery.query import build
from gpt2_helpers.system.files import drain


@dataclass(frozen=True)
class TextInput:
    """The prompts or texts of a job, in an order that is the same for each attempt.

    Attributes:
        texts: Those that are given.
        paths: Paths or URLs of files with more.
        column: Their column in tables, JSON and Parquet files.
        query: A table with more, read with this package's BigQuery client.
        is_prompts: Whether they are prompts, of which a text file has one per line, rather than
            generated texts.
    """

    texts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    column: str | None = None
    query: BigQueryConfig | None = None
    is_prompts: bool = True

    def read(self, snapshot: str) -> list[str]:
        """Read all of them.

        Args:
            snapshot: Path or URL of a file that keeps the result of the query while the job is not
                finished, since a second run of the query might have another order.

        Raises:
            BigQueryError: The query fails or finds nothing.
            DatasetError: A file cannot be read or contains nothing.
        """
        texts = [*self.texts]
        with LocalCopies() as copies:
            files = [file for path in self.paths for file in _local(path, copies)]
            if self.is_prompts:
                texts += (text for file in files for text in read_prompts(file, self.column))
            elif files:
                texts += read_generated(files, self.column, option="texts_column")
        if self.query is not None:
            texts += self._read_query(self.query, snapshot)
        if not texts:
            raise DatasetError("there are no prompts or texts: pass a file or a table")
        return texts

    def _read_query(self, query: BigQueryConfig, snapshot: str) -> list[str]:
        kept = read_file(snapshot)
        if kept is not None:
            return [str(text) for text in json.loads(kept)]
        client = sign_in(query.project)
        texts = list(_cleaned(run(client, build(query), query.limit_bytes).pages))
        if not texts:
            raise BigQueryError("the query found no texts: check the column and the filter")
        write_bytes(snapshot, json.dumps(texts).encode())
        return texts

    def forget(self, snapshot: str) -> None:
        """Delete the result of the query, when the job is finished."""
        if self.query is not None:
            delete(snapshot)


def _local(path: str, copies: LocalCopies) -> list[str]:
    """The path itself, or those of copies of the files at a URL."""
    found = drain(copies.resolve(path))
    return [str(found)] if isinstance(found, str | os.PathLike) else [*map(str, found)]


def _cleaned(pages: Iterable[list[str]]) -> Iterable[str]:
    return (text for page in pages for text in map(clean, page) if text)
