"""Files of the web onto the disk: resumed, compared, and whole or not there. Knows bytes and HTTP.

A file is `NAME.part` until it has arrived whole; only then does it take its name. `NAME.part.json`
beside it keeps what the server said of it: the next call goes on from there, or starts afresh
where the file has changed since.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from gpt2_helpers.errors import DownloadError
from gpt2_helpers.system.progress import Bar

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 16


def download_file(
    address: str,
    path: str | Path,
    *,
    instead: str,
    progress: bool = True,
    retry_pauses: Sequence[float] = (1.0, 4.0),
) -> None:
    """Put one file of the web at `path`: resumed, sized, and renamed when it is whole. What stands
    there already is kept where it is as long as the server's.

    `instead` ends the sentence of what to do where it cannot be had: "or upload the file". Raises
    DownloadError, also where a web page (HTML) comes.
    """
    path = Path(path)
    opener = urllib.request.build_opener(Redirects(instead))
    fetch_all([RemoteFile(address, path, opener, instead)], path.parent, progress, retry_pauses)


class _BrokenError(Exception):
    """A try that failed in a way in which the next one may not."""


# What a server says of a file, as far as it does: "size" in bytes, "md5" in base64, and "version".
_Facts = dict[str, Any]


class RemoteFile:
    """One file to fetch: `told` is what the server said beforehand, `place` how far it has come."""

    def __init__(
        self,
        address: str,
        path: Path,
        opener: urllib.request.OpenerDirector,
        instead: str,
    ) -> None:
        self.address, self.path, self.opener, self.instead = address, path, opener, instead
        self.part, self.note = Path(f"{path}.part"), Path(f"{path}.part.json")
        self.told: _Facts = {}
        self.size, self.place = 0, self.arrived()

    def arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def exists(self) -> bool:
        """Whether it is there, and as long as the server's: others may have left half of it."""
        return self.path.is_file() and self.size in (0, self.path.stat().st_size)

    def move(self, place: int, size: int, bar: Bar) -> None:
        """Say where it stands: a fresh start moves the bar back."""
        bar.total = ((bar.total or 0) + size - self.size) or None
        bar.update(place - self.place)
        self.place, self.size = place, size


def fetch_all(files: list[RemoteFile], folder: Path, shown: bool, pauses: Sequence[float]) -> None:
    """Fetch what is missing in `folder`, small files first: they show soonest what is wrong."""
    name = files[0].path.name if len(files) == 1 else folder.name
    with contextlib.suppress(_BrokenError):  # the fetching has its further tries, asking has none
        for file in files:
            # Some servers answer no HEAD; what else may be wrong will show in the fetching.
            with contextlib.suppress(DownloadError), _open(file, "HEAD") as response:
                file.told = _facts(response)
                file.size = file.told.get("size", 0)
    for file in files:
        if file.exists():  # a call that was killed may have left its note
            file.note.unlink(missing_ok=True)
    files = sorted((file for file in files if not file.exists()), key=lambda file: file.size)
    done, total = sum(file.place for file in files), sum(file.size for file in files) or None
    bar = Bar(desc=name, total=total, initial=done, unit="B", unit_scale=True, disable=not shown)
    with bar, room(folder, files):
        for file in files:
            _fetch(file, bar, pauses)


def _fetch(file: RemoteFile, bar: Bar, pauses: Sequence[float]) -> None:
    """Get one file whole and give it its name, in one try more than there are pauses."""
    for pause in (*pauses, None):
        try:
            facts = _attempt(file, bar)
            break
        except _BrokenError as broken:
            if pause is None:
                raise DownloadError(
                    f"{file.address} did not arrive whole in {len(pauses) + 1} tries: {broken}; "
                    f"check the network, {file.instead}: the next call goes on from there"
                ) from broken
            bar.set_postfix_str(f"trying again in {pause:g} s")
            time.sleep(pause)
            bar.set_postfix_str("")
    check_and_name(file, facts)


def _attempt(file: RemoteFile, bar: Bar) -> _Facts:
    """Ask for what is missing of a file, and write it behind what is there."""
    file.move(file.arrived(), file.size, bar)
    before: _Facts = {}
    if file.place:
        with contextlib.suppress(OSError, ValueError, TypeError):
            before = dict(json.loads(file.note.read_text(encoding="utf-8")))
    if file.place and file.place == before.get("size") and not _differ(before, file.told):
        return before  # an earlier call was stopped after the last byte
    headers = {"Range": f"bytes={file.place}-"} if file.place else {}
    if "version" in before:
        headers["If-Range"] = before["version"]
    with _open(file, "GET", headers) as response:
        facts = _facts(response)
        span = response.headers.get("Content-Range", "").partition("-")[0]
        if response.status == 200:
            file.move(0, file.size, bar)
            if facts.get("version") == file.told.get("version") and _differ(facts, file.told):
                raise _BrokenError("the server tells its length or MD5 in two ways")
        elif span == f"bytes {file.place}" and not _differ(facts, before):
            facts = {**before, **facts}
        else:
            file.part.unlink(missing_ok=True)
            raise _BrokenError(
                "the server has another version than that begun, which was thrown away"
            )
        if not _differ(facts, file.told):
            facts = {**file.told, **facts}
        _receive(response, file, facts, bar)
    return facts


def _receive(response: HTTPResponse, file: RemoteFile, facts: _Facts, bar: Bar) -> None:
    """Write the body behind what is there; _BrokenError where it ends too soon."""
    chunk = _read(response, file)
    page = not file.place and chunk.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml"))
    if page or response.headers.get_content_type() == "text/html":
        raise DownloadError(
            f"{file.address} sent a web page (HTML) instead of the file, perhaps a network's login "
            f"page: open it in a browser to see, {file.instead}"
        )
    # Not "ab": of two processes at the same file both write the same bytes in the same places.
    with open(file.part, "r+b" if file.place else "wb") as out:
        out.seek(file.place)
        file.note.write_text(json.dumps(facts), encoding="utf-8")
        while chunk:
            out.write(chunk)
            place = file.place + len(chunk)
            file.move(place, facts.get("size", place), bar)
            chunk = _read(response, file)
    if not file.place or file.place != file.size:
        raise _BrokenError(f"it ended after {file.place} of {file.size} bytes")


def check_and_name(file: RemoteFile, facts: _Facts) -> None:
    """Compare the MD5 where one was sent, see the file safely on disk, and give it its name."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(file.part, "r+b") as part:
        while "md5" in facts and (chunk := part.read(_CHUNK)):
            digest.update(chunk)
        os.fsync(part.fileno())
    found = base64.b64encode(digest.digest()).decode()
    if facts.get("md5", found) != found:
        file.part.unlink()
        raise DownloadError(
            f"{file.address} did not arrive as it was sent: its MD5 is {found}, the server says "
            f"{facts['md5']}; what came was thrown away: try again, {file.instead}"
        )
    os.replace(file.part, file.path)
    file.note.unlink(missing_ok=True)


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but none from https to what anyone on the way could alter."""

    def __init__(self, instead: str) -> None:
        self.instead = instead

    def redirect_request(self, req: Any, *rest: Any, **named: Any) -> urllib.request.Request | None:
        followed = super().redirect_request(req, *rest, **named)
        if followed and req.type == "https" and followed.type != "https":
            raise DownloadError(
                f"{req.full_url} leads to {followed.full_url}, which is not https and was not "
                f"followed: try again in another network, {self.instead}"
            )
        if followed:
            followed.method = req.get_method()  # before Python 3.13 a HEAD becomes a GET
        return followed


def _open(file: RemoteFile, method: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    """Ask for a file; _BrokenError where no answer comes, or one of 500 and more."""
    with _network_errors(file):
        request = urllib.request.Request(file.address, headers=headers or {}, method=method)
        try:
            response = file.opener.open(request, timeout=TIMEOUT)
        except HTTPError as error:
            if error.code != 416:
                raise
            response = error  # it reads as an answer: there is nothing behind the part begun
    return cast(HTTPResponse, response)


def _read(response: HTTPResponse, file: RemoteFile) -> bytes:
    with _network_errors(file):
        return response.read(_CHUNK)


def _facts(response: HTTPResponse) -> _Facts:
    headers = response.headers
    total, md5 = headers.get("Content-Length", ""), headers.get("Content-MD5", "")
    if response.status == 206:  # then these two are of the part alone
        total = headers.get("Content-Range", "").rpartition("/")[2]
        md5 = headers.get("x-ms-blob-content-md5", "")
    version = headers.get("ETag", "W/")
    if version.startswith("W/"):  # a weak tag may not be asked for in If-Range, a date may
        version = headers.get("Last-Modified", "")
    size = int(total) if total.isdecimal() else 0
    facts = {"size": size, "md5": md5.strip(), "version": version}
    return {key: value for key, value in facts.items() if value}


def _differ(one: _Facts, other: _Facts) -> bool:
    """Whether anything that both know is not the same."""
    return any(other.get(key, value) != value for key, value in one.items())


@contextlib.contextmanager
def _network_errors(file: RemoteFile) -> Iterator[None]:
    """Errors of the network as _BrokenError, as final ones where a further try changes nothing."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code >= 500:
            raise _BrokenError(f"the server answered {error.code} {error.reason}") from error
        what = "does not exist" if error.code == 404 else "was refused"
        raise DownloadError(
            f"{file.address} {what} (HTTP {error.code} {error.reason}): correct the address, "
            f"{file.instead}"
        ) from error
    except (ValueError, InvalidURL) as error:
        raise DownloadError(
            f"{file.address} is no address ({error}): correct it, {file.instead}"
        ) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        words = " ".join(str(reason).split()) or type(reason).__name__
        if isinstance(reason, socket.gaierror):
            words = f"no server named {urlsplit(file.address).hostname} was found (no network?)"
        elif isinstance(reason, TimeoutError):
            words = f"nothing came for {TIMEOUT:g} seconds"
        raise _BrokenError(words) from error


@contextlib.contextmanager
def room(folder: Path, files: list[RemoteFile]) -> Iterator[None]:
    """Make the folder, see that there is room, and turn errors of the file system into ours."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if sum(file.size - file.place for file in files) > shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, "too little room")
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DownloadError(
                f"{folder} cannot be written to: {error.strerror or error}; give another model_dir"
            ) from error
        needed = Bar.format_sizeof(max(0, sum(file.size - file.place for file in files)), "B")
        there = next(place for place in (folder, *folder.parents) if place.exists())
        free = Bar.format_sizeof(shutil.disk_usage(there).free, "B")
        raise DownloadError(
            f"the disk of {folder} is too full: {needed} more are needed, {free} are free; "
            "make room, or give another model_dir"
        ) from error
