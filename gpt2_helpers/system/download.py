"""Resumable, verified downloads over HTTP.

A file is called `NAME.part` until it is complete. `NAME.part.json` has the size, MD5 and version
that the server reported: the next call resumes the download, or starts over if the file has changed
on the server or there is no valid `NAME.part.json`. Downloading is a generator of `CopyProgress`.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from gpt2_helpers.errors import DISK_FULL, DownloadError, brief, write_problem
from gpt2_helpers.system.bounded_files import MAX_STATE_BYTES, parse_count, read_json
from gpt2_helpers.system.files import CopyProgress, atomic_write_text
from gpt2_helpers.system.progress import Bar, show_bytes

TIMEOUT = 30.0  # seconds without a byte
_CHUNK_SIZE = 1 << 16
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_PAGE = re.compile(r"\s*<(?:!doctype|\?xml|(?:html|head|body|title|meta|script)\b)", re.IGNORECASE)


def download_file(
    url: str,
    path: str | Path,
    *,
    alternative: str,
    progress: bool = True,
    retry_pauses: Sequence[float] = (1.0, 4.0),
) -> None:
    """Download a file to `path`, unless it exists with the size that the server reports.

    Args:
        url: An http or https URL.
        path: The file to write. Interrupted downloads are resumed.
        alternative: What the user can do if it fails, such as "or upload the file"; the end of
            error messages.
        progress: Whether to show a progress bar.
        retry_pauses: Seconds before each retry.

    Raises:
        DownloadError: The file cannot be downloaded, or the server sent a web page (HTML).
    """
    path = Path(path)
    opener = urllib.request.build_opener(Redirects(alternative))
    file = RemoteFile(url, path, opener, alternative)
    download_files([file], path.parent, progress, retry_pauses)


def download_files(
    files: list[RemoteFile], folder: Path, progress: bool, retry_pauses: Sequence[float]
) -> None:
    """Download what is missing of `files`, which are all in `folder`, with a progress bar."""
    title = files[0].path.name if len(files) == 1 else folder.name
    initial = sum(file.done for file in files)
    downloading = iter_download(files, folder, retry_pauses)
    show_bytes(downloading, title, shown=progress, initial=initial)


class _RetryableError(Exception):
    """A failure that may not happen again at the next attempt."""


# What a server reports about a file: some of "size" in bytes, "md5" in base64, "version".
_Facts = dict[str, Any]


class RemoteFile:
    """A file to download.

    Attributes:
        url: Where it is.
        path: Where it is written.
        opener: Opens URLs and follows redirects.
        alternative: The end of error messages, see `download_file`.
        is_temporary: Whether an incomplete download is not kept for the next call.
        part: The incomplete file.
        state: The file with what the server reported about `part`.
        reported: What the server reported before the download.
        size: Its size in bytes, 0 if unknown.
        done: Bytes downloaded so far.
    """

    def __init__(
        self,
        url: str,
        path: Path,
        opener: urllib.request.OpenerDirector,
        alternative: str,
        is_temporary: bool = False,
    ) -> None:
        self.is_temporary = is_temporary
        self.url, self.path, self.opener, self.alternative = url, path, opener, alternative
        self.part, self.state = Path(f"{path}.part"), Path(f"{path}.part.json")
        self.reported: _Facts = {}
        self.size, self.done = 0, self.resumable()[0]

    def resumable(self) -> tuple[int, _Facts]:
        """The size of the part and what the server reported about it; 0 if it cannot be resumed."""
        try:
            facts = read_json(self.state, MAX_STATE_BYTES)
        except (OSError, ValueError):
            return 0, {}
        is_valid = isinstance(facts, dict) and facts and all(map(_is_fact, facts, facts.values()))
        return (self.part.stat().st_size, facts) if is_valid and self.part.is_file() else (0, {})

    def exists(self) -> bool:
        """Whether it is complete: another program may have left a partial file of this name."""
        return self.path.is_file() and self.size in (0, self.path.stat().st_size)


def iter_download(
    files: list[RemoteFile], folder: Path, retry_pauses: Sequence[float]
) -> Generator[CopyProgress, None, None]:
    """Download what is missing in `folder`, small files first: they fail soonest.

    Yields the bytes done and in total, which may decrease if a file has to start over.
    """
    with contextlib.suppress(_RetryableError):  # downloads are retried, these requests are not
        for file in files:
            # Some servers do not answer HEAD; other errors will appear in the download.
            with contextlib.suppress(DownloadError), _open(file, "HEAD") as response:
                file.reported = _facts(response)
                file.size = file.reported.get("size", 0)
    for file in files:
        if file.exists():  # a process that was killed may have left its state
            file.state.unlink(missing_ok=True)
    files = sorted((file for file in files if not file.exists()), key=lambda file: file.size)
    with room(folder, files):
        for file in files:
            for message in _download(file, retry_pauses):
                done, total = sum(f.done for f in files), sum(f.size for f in files)
                yield CopyProgress(done, total, message)


def _download(file: RemoteFile, pauses: Sequence[float]) -> Generator[str, None, None]:
    """Download one file with one attempt more than there are pauses.

    Yields at every change of `file.done`; the text is empty or says that it waits for a retry.
    """
    for pause in (*pauses, None):
        try:
            facts = yield from _attempt(file)
            break
        except _RetryableError as error:
            if pause is None:
                resumes = "" if file.is_temporary else ": the next call resumes the download"
                raise DownloadError(
                    f"{file.url} is incomplete after {len(pauses) + 1} attempts: {error}; check "
                    f"the network, {file.alternative}{resumes}"
                ) from error
            yield f"retrying in {pause:g} s"
            time.sleep(pause)
    check_and_name(file, facts)


def _attempt(file: RemoteFile) -> Generator[str, None, _Facts]:
    """Request the missing bytes of a file and append them; returns the facts to check."""
    file.done, previous = file.resumable()
    yield ""
    if file.done and file.done == previous.get("size") and not _differ(previous, file.reported):
        return previous  # an earlier call was stopped after the last byte
    headers = {"Range": f"bytes={file.done}-"} if file.done else {}
    if "version" in previous:
        headers["If-Range"] = previous["version"]
    with _open(file, "GET", headers) as response:
        facts = _facts(response)
        span = response.headers.get("Content-Range", "").partition("-")[0]
        if response.status == 200:
            file.done = 0
            same_version = facts.get("version") == file.reported.get("version")
            if same_version and _differ(facts, file.reported):
                raise _RetryableError("the server sent inconsistent length or MD5")
        elif span == f"bytes {file.done}" and not _differ(facts, previous):
            facts = {**previous, **facts}
        else:
            had_part = file.part.is_file()
            file.part.unlink(missing_ok=True)
            raise _RetryableError(
                "the file has changed on the server since the download was started, which was "
                "discarded"
                if had_part
                else f"the server answered {response.status} without the start of the file"
            )
        if not _differ(facts, file.reported):
            facts = {**file.reported, **facts}
        yield from _receive(response, file, facts)
    return facts


def _receive(response: HTTPResponse, file: RemoteFile, facts: _Facts) -> Iterator[str]:
    """Append the response's body to the part; _RetryableError if it ends too early."""
    chunk = _read(response, file)
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml") or (not file.done and _is_page(chunk)):
        raise DownloadError(
            f"{file.url} sent a web page (HTML) instead of the file, perhaps a network's login "
            f"page: open it in a browser to see, {file.alternative}"
        )
    # Not "ab": two processes that download the same file write the same bytes at the same offsets.
    with open(file.part, "r+b" if file.done else "wb") as out:
        out.seek(file.done)
        atomic_write_text(file.state, json.dumps(facts))
        while chunk:
            out.write(chunk)
            file.done += len(chunk)
            file.size = facts.get("size", file.done)
            yield ""
            chunk = _read(response, file)
    if not file.done or file.done != file.size:
        raise _RetryableError(f"it ended after {file.done} of {file.size} bytes")


def check_and_name(file: RemoteFile, facts: _Facts) -> None:
    """Verify the MD5 if the server sent one, flush the part to the disk, and rename it."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(file.part, "r+b") as part:
        while "md5" in facts and (chunk := part.read(_CHUNK_SIZE)):
            digest.update(chunk)
        os.fsync(part.fileno())
    found = base64.b64encode(digest.digest()).decode()
    if facts.get("md5", found) != found:
        file.part.unlink()
        raise DownloadError(
            f"{file.url} was damaged in transit: its MD5 is {found}, the server says "
            f"{facts['md5']}; the download was discarded: try again, {file.alternative}"
        )
    os.replace(file.part, file.path)
    file.state.unlink(missing_ok=True)


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, except from https to an insecure protocol."""

    def __init__(self, alternative: str) -> None:
        self.alternative = alternative

    def redirect_request(self, req: Any, *rest: Any, **named: Any) -> urllib.request.Request | None:
        followed = super().redirect_request(req, *rest, **named)
        # Python would follow a redirect to ftp.
        allowed = ("https",) if req.type == "https" else ("https", "http")
        if followed and followed.type not in allowed:
            raise DownloadError(
                f"{brief(req.full_url)} redirects to {brief(followed.full_url)}, which is not "
                f"{' or '.join(allowed)} and was not followed: try again in another network, "
                f"{self.alternative}"
            )
        if followed:
            followed.method = req.get_method()  # Python before 3.13 turns HEAD into GET
        return followed


def _open(file: RemoteFile, method: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    """Send a request; _RetryableError without a response, or with status 500 or more."""
    with _network_errors(file):
        request = urllib.request.Request(file.url, headers=headers or {}, method=method)
        try:
            response = file.opener.open(request, timeout=TIMEOUT)
        except HTTPError as error:
            if error.code != 416:
                raise
            response = error  # can be read as a response: the part is already as long as the file
    for name, supported in (("Content", ()), ("Transfer", ("chunked",))):
        encoding = ", ".join(response.headers.get_all(f"{name}-Encoding", []))
        if encoding.strip().lower() not in ("", "identity", *supported):
            response.close()
            raise DownloadError(
                f"{file.url} was sent with {name}-Encoding {brief(encoding)}, which was not "
                f"requested and is not supported: use another server, {file.alternative}"
            )
    return cast(HTTPResponse, response)


def _read(response: HTTPResponse, file: RemoteFile) -> bytes:
    parts: list[bytes] = []
    missing = _CHUNK_SIZE
    with _network_errors(file):
        # Not `read`: of a chunk with a negative size it would read everything into memory.
        while missing > 0 and (part := response.read1(missing)):
            parts.append(part)
            missing -= len(part)
    return b"".join(parts)


def _facts(response: HTTPResponse) -> _Facts:
    headers = response.headers
    total, md5 = headers.get("Content-Length", ""), headers.get("Content-MD5", "")
    if response.status == 206:  # then these headers describe only the part
        total = headers.get("Content-Range", "").rpartition("/")[2]
        md5 = headers.get("x-ms-blob-content-md5", "")
    version = headers.get("ETag", "W/")
    if version.startswith("W/"):  # a weak tag is not allowed in If-Range, a date is
        version = headers.get("Last-Modified", "")
    facts = {"size": parse_count(total), "md5": md5.strip(), "version": version}
    return {name: value for name, value in facts.items() if _is_fact(name, value)}


def _is_fact(name: str, value: object) -> bool:
    """Whether a value is valid for a name in `_Facts`. It may come from a server or a file."""
    if name == "size":
        return type(value) is int and value > 0
    is_text = isinstance(value, str) and value.isascii() and value.isprintable()
    return name in ("md5", "version") and is_text and 0 < len(str(value)) <= 1000


def _is_page(content: bytes) -> bool:
    """Whether a file starts like a web page, possibly after a byte order mark and comments."""
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig", errors="ignore")
    position = 0
    while comment := _COMMENT.match(text, position):
        position = comment.end()
    return _PAGE.match(text, position) is not None


def _differ(one: _Facts, other: _Facts) -> bool:
    """Whether any fact that both contain is different."""
    return any(other.get(key, value) != value for key, value in one.items())


@contextlib.contextmanager
def _network_errors(file: RemoteFile) -> Iterator[None]:
    """Convert network errors to _RetryableError, or to DownloadError if a retry is useless."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code >= 500:
            raise _RetryableError(
                f"the server answered {error.code} {brief(error.reason)}"
            ) from error
        what = "does not exist" if error.code == 404 else "was refused"
        raise DownloadError(
            f"{file.url} {what} (HTTP {error.code} {brief(error.reason)}): correct the URL, "
            f"{file.alternative}"
        ) from error
    except (ValueError, InvalidURL) as error:
        raise DownloadError(
            f"{file.url} is not a valid URL ({brief(error)}): correct it, {file.alternative}"
        ) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        words = brief(reason) or type(reason).__name__
        if isinstance(reason, socket.gaierror):
            words = f"no server named {urlsplit(file.url).hostname} was found (no network?)"
        elif isinstance(reason, TimeoutError):
            words = f"the server sent nothing for {TIMEOUT:g} seconds"
        raise _RetryableError(words) from error


@contextlib.contextmanager
def room(folder: Path, files: list[RemoteFile]) -> Iterator[None]:
    """Create the folder, check the disk space, and convert file system errors to DownloadError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if sum(file.size - file.done for file in files) > shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, "too little space")
        yield
    except OSError as error:
        elsewhere = "use another model_dir"
        if any(file.is_temporary for file in files):
            elsewhere = "set TMPDIR to another folder"
        if error.errno not in DISK_FULL:
            problem = write_problem(folder, error, elsewhere)
            raise DownloadError(f"{folder} cannot be written: {problem}") from error
        needed = Bar.format_sizeof(max(0, sum(file.size - file.done for file in files)), "B")
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = Bar.format_sizeof(shutil.disk_usage(existing).free, "B")
        raise DownloadError(
            f"too little disk space for {folder}: {needed} more needed, {free} free; free some "
            f"space, or {elsewhere}"
        ) from error
