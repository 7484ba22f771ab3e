"""A local server with BigQuery's REST API v2: sqlglot translates the SQL, DuckDB runs it.

The real client connects to it if BIGQUERY_EMULATOR_HOST is set. Bytes are counted like in
BigQuery: by columns read, in the tables selected by a literal range of _TABLE_SUFFIX. `python
tests/support/bigquery_stand_in.py` prints its address and serves the sample tables until it is
stopped.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import sqlglot
from sqlglot import exp

HACKER_NEWS = "bigquery-public-data.hacker_news.full"
REDDIT = "fh-bigquery.reddit_posts."
_PREFIX = "/bigquery/v2/projects/"
_MIN_BILLED_BYTES = 10 << 20
_DUCKDB_TYPES = {"STRING": "VARCHAR", "INT64": "BIGINT", "TIMESTAMP": "TIMESTAMP"}
_STATUSES = {
    "accessDenied": 403,
    "duplicate": 409,
    "bytesBilledLimitExceeded": 400,
    "invalidQuery": 400,
    "notFound": 404,
}


@dataclass(frozen=True)
class Table:
    """Columns, as name and BigQuery type, and rows. Times are UTC, without a time zone."""

    columns: dict[str, str]
    rows: list[tuple[Any, ...]]

    def bytes_of(self, column: str) -> int:
        """Bytes billed for a column: 8 per number or time, 2 plus UTF-8 per text, 0 per NULL."""
        place = list(self.columns).index(column)
        values = [row[place] for row in self.rows if row[place] is not None]
        if self.columns[column] == "STRING":
            return sum(2 + len(value.encode()) for value in values)
        return 8 * len(values)


@dataclass(frozen=True)
class Fault:
    """An error in the next request whose method and path contain `where`."""

    where: str
    status: int = 503
    reason: str = "backendError"
    message: str = "Error encountered during execution. Retrying may solve the problem."
    drop: bool = False  # close the connection without a response
    always: bool = False  # in every such request


class RefusedError(Exception):
    """An error response, with BigQuery's wording."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass
class Job:
    """A query: its resource as in the API, and its rows."""

    resource: dict[str, Any]
    schema: list[dict[str, str]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)


class StandIn:
    """The tables by full name, the requests received, and the errors to simulate."""

    def __init__(self, tables: dict[str, Table]) -> None:
        self.tables = tables
        self.denied: set[str] = set()  # projects whose tables can't be read
        self.faults: list[Fault] = []
        self.stuck = False  # queries never finish
        self.scale = 1  # factor for the number of bytes
        self.page_rows = 100_000
        self.requests: list[tuple[str, dict[str, Any]]] = []  # "METHOD path", body or query
        self.jobs: dict[str, Job] = {}
        self.loaded: dict[str, list[dict[str, Any]]] = {}  # rows of load jobs, by table
        self.load_errors: list[RefusedError] = []  # of the next load jobs, which then fail
        self.location = "US"  # of the datasets that are written to
        self.address = ""
        self._database = duckdb.connect()
        self._lock = threading.Lock()
        for name, table in tables.items():
            columns = ", ".join(f'"{c}" {_DUCKDB_TYPES[t]}' for c, t in table.columns.items())
            self._database.execute(f'CREATE TABLE "{name}" ({columns})')
            values = [list(column) for column in zip(*table.rows, strict=True)]
            lists = ", ".join("unnest(?)" for _ in values)  # much faster than single rows
            if values:
                self._database.execute(f'INSERT INTO "{name}" SELECT {lists}', values)

    def sent(self, where: str) -> list[dict[str, Any]]:
        """Bodies or query strings of requests whose method and path contain `where`."""
        return [body for request, body in self.requests if where in request]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON response to a request."""
        project, kind, *rest = path.removeprefix(_PREFIX).split("/")
        if (method, kind, rest) == ("POST", "jobs", []):
            return self._insert(project, body)
        if (method, kind) == ("GET", "datasets"):
            reference = {"projectId": project, "datasetId": rest[0]}
            return {"datasetReference": reference, "location": self.location}
        job = self.jobs.get(rest[0]) if rest else None
        # Outside the US and the EU a job is only found with its location.
        if self.location not in ("US", "EU") and body.get("location") != self.location:
            job = None
        if job is None:
            raise RefusedError("notFound", f"Not found: Job {project}:US.{'/'.join(rest)}")
        if (method, kind, rest[1:]) == ("POST", "jobs", ["cancel"]):
            job.resource["status"] = {
                "state": "DONE",
                "errorResult": {"reason": "stopped", "message": "Job execution was cancelled."},
            }
            return {"job": job.resource}
        if (method, kind) == ("GET", "jobs"):
            return job.resource
        if (method, kind) == ("GET", "queries"):
            return self._results(job, body)
        raise RefusedError("notFound", f"Not found: {method} {path}")

    def _load(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        """Append the rows of a load job to a table. The id of a job can be used once."""
        reference = {**body["jobReference"], "projectId": project, "location": self.location}
        with self._lock:
            if reference["jobId"] in self.jobs:
                raise RefusedError("duplicate", f"Already Exists: Job {reference['jobId']}")
            target = body["configuration"]["load"]["destinationTable"]
            name = ".".join(target[key] for key in ("projectId", "datasetId", "tableId"))
            rows = [json.loads(line) for line in body["rows"].split("\n")]
            status: dict[str, Any] = {"state": "DONE"}
            if self.load_errors:
                refusal = self.load_errors.pop(0)
                error = {"reason": refusal.reason, "message": refusal.message}
                status |= {"errorResult": error, "errors": [error]}
                rows = []
            self.loaded.setdefault(name, []).extend(rows)
            resource = {
                "jobReference": reference,
                "configuration": body["configuration"],
                "status": status,
                "statistics": {"load": {"outputRows": str(len(rows))}},
            }
            self.jobs[reference["jobId"]] = Job(resource)
        return resource

    def _insert(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        settings = body["configuration"]
        if "load" in settings:
            return self._load(project, body)
        query = settings["query"]
        reference = {**body.get("jobReference", {}), "projectId": project, "location": "US"}
        resource = {"jobReference": reference, "configuration": settings}
        job = Job(resource)
        tables: list[str] = []
        processed = 0
        try:
            tables, processed, run = self._prepare(query["query"], query.get("queryParameters", []))
            billed = max(processed, _MIN_BILLED_BYTES * len(tables))
            limit = int(query.get("maximumBytesBilled", billed))
            if billed > limit:
                raise RefusedError(
                    "bytesBilledLimitExceeded",
                    f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required.",
                )
            if not settings.get("dryRun"):
                job.schema, job.rows = run()
            resource["status"] = {"state": "RUNNING" if self.stuck else "DONE"}
        except RefusedError as refusal:
            if settings.get("dryRun"):
                raise
            # The request succeeds, and the job fails.
            error = {"reason": refusal.reason, "message": refusal.message, "location": "q"}
            resource["status"] = {"state": "DONE", "errorResult": error, "errors": [error]}
        keys = ("projectId", "datasetId", "tableId")
        names = [dict(zip(keys, name.split("."), strict=True)) for name in tables]
        counted = {"totalBytesProcessed": str(processed), "cacheHit": False}
        resource["statistics"] = {
            "totalBytesProcessed": str(processed),
            "query": {**counted, "referencedTables": names, "statementType": "SELECT"},
        }
        if not settings.get("dryRun"):
            self.jobs[reference["jobId"]] = job
        return resource

    def _prepare(self, sql: str, given: list[dict[str, Any]]) -> tuple[list[str], int, Any]:
        """The tables and bytes that a query reads, and a function that runs it."""
        try:
            tree = sqlglot.parse_one(sql, read="bigquery")
        except sqlglot.ParseError as error:
            raise RefusedError(
                "invalidQuery", f"Syntax error: {error.errors[0]['description']}"
            ) from None
        names = [str(column.name) for column in tree.find_all(exp.Column)]
        read: list[str] = []
        for place in list(tree.find_all(exp.Table)):
            found = self._matching(".".join(part.name for part in place.parts), _suffixes(tree))
            read += found
            place.replace(sqlglot.parse_one(_union(place, found), read="duckdb"))
        columns = {name for table in read for name in self.tables[table].columns}
        for name in names:
            if name not in columns | {"_TABLE_SUFFIX"}:
                raise RefusedError("invalidQuery", f"Unrecognized name: {name} at [1:1]")
        processed = sum(
            self.tables[table].bytes_of(column) for table in read for column in set(names) & columns
        )
        values = {parameter["name"]: _value(parameter) for parameter in given}
        wanted = {parameter.name for parameter in tree.find_all(exp.Parameter)}
        if missing := wanted - values.keys():
            raise RefusedError(
                "invalidQuery", f"Query parameter '{missing.pop()}' not found at [1:1]"
            )

        def run() -> tuple[list[dict[str, str]], list[tuple[Any, ...]]]:
            with self._lock:
                try:
                    cursor = self._database.execute(
                        tree.sql("duckdb"), {name: values[name] for name in wanted}
                    )
                except duckdb.Error as error:
                    raise RefusedError("invalidQuery", str(error).splitlines()[0]) from None
                shown = [{"name": column[0], "type": "STRING"} for column in cursor.description]
                return shown, cursor.fetchall()

        return read, processed * self.scale, run

    def _matching(self, name: str, suffixes: tuple[str, str] | None) -> list[str]:
        project, dataset, table = name.split(".")
        if project in self.denied:
            raise RefusedError(
                "accessDenied",
                f"Access Denied: Table {project}:{dataset}.{table}: User does not have permission "
                f"to query table {project}:{dataset}.{table}, or perhaps it does not exist.",
            )
        if not table.endswith("*"):
            if name not in self.tables:
                raise RefusedError(
                    "notFound",
                    f"Not found: Table {project}:{dataset}.{table} was not found in location US",
                )
            return [name]
        prefix = name[:-1]
        found = [other for other in sorted(self.tables) if other.startswith(prefix)]
        if not found:
            raise RefusedError(
                "notFound", f"Not found: {project}:{dataset}.{table} does not match any table."
            )
        low, high = suffixes or ("", "\U0010ffff")
        return [other for other in found if low <= other[len(prefix) :] <= high]

    def _results(self, job: Job, asked: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"jobReference": job.resource["jobReference"]}
        if job.resource["status"]["state"] != "DONE":
            time.sleep(0.02)  # BigQuery waits up to ten seconds
            return answer | {"jobComplete": False}
        start = int(asked.get("pageToken") or asked.get("startIndex") or 0)
        end = start + min(int(asked.get("maxResults") or self.page_rows), self.page_rows)
        rows = job.rows[start:end]
        answer |= {
            "jobComplete": True,
            "schema": {"fields": job.schema},
            "totalRows": str(len(job.rows)),
            "rows": [{"f": [{"v": None if v is None else str(v)} for v in row]} for row in rows],
        }
        return answer | ({"pageToken": str(end)} if end < len(job.rows) else {})


def _suffixes(tree: exp.Expr) -> tuple[str, str] | None:
    """The literal range of _TABLE_SUFFIX, if there is one; parameters don't exclude tables."""
    for between in tree.find_all(exp.Between):
        low, high = between.args["low"], between.args["high"]
        literal = isinstance(low, exp.Literal) and isinstance(high, exp.Literal)
        if between.this.name == "_TABLE_SUFFIX" and literal:
            return low.name, high.name
    return None


def _union(place: exp.Table, found: list[str]) -> str:
    name = ".".join(part.name for part in place.parts)
    if not name.endswith("*"):
        return f'(SELECT * FROM "{name}") AS source'
    begin = len(name) - 1
    each = [f"SELECT *, '{table[begin:]}' AS _TABLE_SUFFIX FROM \"{table}\"" for table in found]
    return f"({' UNION ALL '.join(each)}) AS source"


def _value(parameter: dict[str, Any]) -> Any:
    text = parameter["parameterValue"]["value"]
    kind = parameter["parameterType"]["type"]
    if kind == "INT64":
        return int(text)
    if kind == "TIMESTAMP":
        return datetime.fromisoformat(text).astimezone(timezone.utc).replace(tzinfo=None)
    return text


@contextmanager
def running(tables: dict[str, Table] | None = None) -> Iterator[StandIn]:
    """Run the server on a free local port."""
    stand_in = StandIn(sample_tables() if tables is None else tables)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = {name: last[-1] for name, last in parse_qs(urlsplit(self.path).query).items()}
            self.handle_request(asked)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.headers.get_content_maintype() == "multipart":  # the job, and rows to load
                boundary = b"--" + str(self.headers.get_param("boundary")).encode()
                _, job, rows, _ = sent.split(boundary)
                parts = [part.partition(b"\r\n\r\n")[2].strip() for part in (job, rows)]
                self.handle_request(json.loads(parts[0]) | {"rows": parts[1].decode()})
            else:
                self.handle_request(json.loads(sent or b"{}"))

        def handle_request(self, body: dict[str, Any]) -> None:
            path = urlsplit(self.path).path.removeprefix("/upload")
            request = f"{self.command} {path}"
            stand_in.requests.append((request, body))
            fault = next((f for f in stand_in.faults if f.where in request), None)
            if fault and not fault.always:
                stand_in.faults.remove(fault)
            if fault and fault.drop:
                self.close_connection = True
            elif fault:
                self.send(fault.status, _error(fault.status, fault.reason, fault.message))
            else:
                try:
                    self.send(200, stand_in.answer(self.command, path, body))
                except RefusedError as refusal:
                    status = _STATUSES[refusal.reason]
                    self.send(status, _error(status, refusal.reason, refusal.message))

        def send(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # a thread that outlives the test would keep DuckDB alive
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(status: int, reason: str, message: str) -> dict[str, Any]:
    detail = {"message": message, "domain": "global", "reason": reason}
    return {"error": {"code": status, "message": message, "errors": [detail]}}


def sample_tables() -> dict[str, Table]:
    """Hacker News of 2018 and 2019 and five months of Reddit, with typical defects: HTML entities,
    lost characters, line breaks, duplicates, short titles, equal scores, mixed case, NULLs."""
    chance = random.Random(1)
    columns = {"title": "STRING", "score": "INT64", "type": "STRING", "timestamp": "TIMESTAMP"}
    stories: list[tuple[Any, ...]] = []
    for number, title in enumerate(_titles(chance, _HN_WORDS, 600)):
        when = datetime(2018, 1, 1) + timedelta(hours=29 * number)
        stories.append((title, chance.randrange(400), "story", when))
        stories.append((None, None, "comment", when + timedelta(minutes=5)))
    stories += [
        ("Deep &amp; wide: what&#x27;s left of C++", 900, "story", datetime(2019, 2, 28, 23, 59)),
        ("A &lt;blink&gt; tag\ufffd for 2019", 890, "story", datetime(2019, 3, 31, 23, 59, 59)),
        ("The first second of April", 880, "story", datetime(2019, 4, 1)),
        ("We need a data &amp; rust engineer", 870, "job", datetime(2019, 2, 1)),
        ("Nothing without a score", None, "story", datetime(2019, 2, 2)),
    ]
    tables = {HACKER_NEWS: Table(columns, stories)}
    columns = {"title": "STRING", "subreddit": "STRING", "score": "INT64", "author": "STRING"}
    titles = iter(_titles(chance, _REDDIT_WORDS, 600))
    for month in ("2018_12", "2019_01", "2019_02", "2019_03", "2019_04"):
        posts: list[tuple[Any, ...]] = [
            (next(titles), chance.choice(_SUBREDDITS), chance.randrange(300), "somebody")
            for _ in range(120)
        ]
        posts += [
            (f"What&amp;s up in {month}, &lt;redditors&gt;?", "AskReddit", 1_000, "a"),
            (f"Which letter\ufffd was lost in {month}?", "askreddit", 1_000, "b"),
            (f"{month[-2:]} why?", "AskReddit", 1_001, "c"),  # seven characters
            (f"{month[-2:]} why??", "ASKREDDIT", 1_002, "d"),  # eight
            ("What is asked every single month?", "AskReddit", 999, "e"),
            (f'Who said "no",\nand why, in {month}?', "AskReddit", 998, "f"),
            (f"What is asked elsewhere in {month}?", "AskRedditAfterDark", 5_000, "g"),
            (None, "AskReddit", 4_000, "h"),
        ]
        tables[REDDIT + month] = Table(columns, posts)
    return tables


_SUBREDDITS = ("AskReddit", "AskReddit", "askreddit", "AskReddit", "funny", "pics")
_HN_WORDS = (
    ("Show HN: A", "Ask HN: Is there a", "Why we built a", "How to write a", "The case for a"),
    ("small", "fast", "boring", "self-hosted", "typed", "distributed", "portable", "readable"),
    ("database", "compiler", "text editor", "web server", "spreadsheet", "file system", "shell"),
    ("in Rust", "in Python", "for teachers", "without JavaScript", "in 500 lines", "on a phone"),
)
_REDDIT_WORDS = (
    ("What is the", "Teachers of Reddit, what is the", "People over 40, what was the", "Who has a"),
    ("strangest", "kindest", "loudest", "smallest", "most useless", "most honest", "oldest"),
    ("thing", "advice", "neighbour", "meal", "rule", "gift", "smell", "song", "lie", "habit"),
    ("you remember?", "you ever met?", "at work?", "of your childhood?", "nobody believes?"),
)


def _titles(chance: random.Random, words: tuple[tuple[str, ...], ...], count: int) -> list[str]:
    """Distinct titles with one word of each group."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(chance.choice(group) for group in words)] = None
    return list(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deny-reddit", action="store_true", help="as since January 2025")
    parser.add_argument("--scale", type=int, default=1, help="multiplies the bytes counted")
    options = parser.parse_args()
    with running() as stand_in:
        stand_in.scale = options.scale
        stand_in.denied = {REDDIT.split(".")[0]} if options.deny_reddit else set()
        print(stand_in.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
