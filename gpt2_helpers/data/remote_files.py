"""Datasets at URLs: copies them into a temporary folder, in pieces.

A file is read only when its copy is complete, so a connection that breaks off never leaves half of
a dataset. HTTP is read with `system.download`, which resumes; other protocols with fsspec.
"""

from __future__ import annotations

import os
import re
import tempfile
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from glob import has_magic
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from gpt2_helpers.data.token_shards import is_index, shard_paths
from gpt2_helpers.errors import (
    DatasetError,
    DownloadError,
    Gpt2Error,
    MissingPackageError,
    brief,
    import_optional,
    write_problem,
)
from gpt2_helpers.system.download import Redirects, RemoteFile, iter_download
from gpt2_helpers.system.files import CopyProgress
from gpt2_helpers.system.paths import safe_name
from gpt2_helpers.types import DatasetPath, StrPath

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_PIECE = 1 << 20  # bytes
_RETRY_PAUSES: Sequence[float] = (1.0, 4.0)
_T = TypeVar("_T")
Copying = Generator[CopyProgress, None, _T]  # copies files and returns a value
_ALTERNATIVE = "or download the file yourself and give its path"


def is_url(path: object) -> bool:
    """Whether a dataset is a URL and not a path.

    >>> is_url("s3://bucket/a.txt"), is_url("C:/texts/a.txt"), is_url("a.txt")
    (True, False, False)
    """
    return isinstance(path, str) and _URL.match(path) is not None


def has_url(dataset: object) -> bool:
    """Whether a dataset is a URL, or a list that contains one."""
    if isinstance(dataset, str | os.PathLike | bytes) or not isinstance(dataset, Sequence):
        return is_url(dataset)
    return any(map(is_url, dataset))


class LocalCopies:
    """Local copies of the remote files of datasets, deleted at the end of a `with` block.

    In the messages of errors that pass through, the names of copies are replaced by their URLs.

    with LocalCopies() as copies:
        files = find_files(drain(copies.resolve("https://example.org/titles.csv")))
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._copies: dict[str, list[str]] = {}
        self._urls: dict[str, str] = {}

    def __enter__(self) -> LocalCopies:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        if isinstance(error, Gpt2Error) and self._urls and str(error) != self.shown(str(error)):
            raise type(error)(self.shown(str(error))) from error

    def resolve(self, dataset: DatasetPath) -> Copying[DatasetPath]:
        """A dataset with the paths of local copies in place of URLs; yields the bytes copied.

        Args:
            dataset: A path or URL, or a list of these. With the protocols of fsspec a URL may be a
                folder or a glob pattern.

        Raises:
            DownloadError: A file cannot be read completely.
            DatasetError: A URL has an unknown protocol or matches no files.
            MissingPackageError: The package for the protocol is missing.
        """
        if not has_url(dataset):
            return dataset
        if isinstance(dataset, str):
            found = yield from self._copy(dataset)
            return found[0] if len(found) == 1 else found
        assert isinstance(dataset, Sequence)
        paths: list[StrPath] = []
        for part in dataset:
            if isinstance(part, str) and is_url(part):
                paths += yield from self._copy(part)
            else:
                paths.append(part)
        return paths

    def shown(self, text: str) -> str:
        """A text in which the names of copies are replaced by their URLs."""
        for local, url in self._urls.items():
            text = text.replace(local, url)
        return text

    def _copy(self, url: str) -> Copying[list[str]]:
        if url not in self._copies:
            is_http = url.lower().startswith(("http://", "https://"))
            copy = self._download if is_http else self._read_with_fsspec
            self._copies[url] = yield from copy(url)
        return self._copies[url]

    def _place(self, url: str) -> Path:
        """The path of a new copy, which has the name of the original."""
        if self._folder is None:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gpt2-data-"))
            self._folder = Path(folder)
        parts = urlsplit(url)
        name = unquote(parts.path).rstrip("/").rpartition("/")[2]
        place = self._folder / str(len(self._urls)) / safe_name(name or parts.netloc)
        place.parent.mkdir()
        self._urls[str(place)] = url
        return place

    def _download(self, url: str) -> Copying[list[str]]:
        place = self._place(url)
        opener = urllib.request.build_opener(Redirects(_ALTERNATIVE))
        file = RemoteFile(url, place, opener, _ALTERNATIVE, is_temporary=True)
        yield from iter_download([file], place.parent, _RETRY_PAUSES)
        return [str(place)]

    def _read_with_fsspec(self, url: str) -> Copying[list[str]]:
        files, names = _find(url)
        found = []
        for name in names:
            copy = yield from self._copy_file(files, name, files.unstrip_protocol(name))
            found.append(copy)
            if is_index(Path(copy)):
                folder = name.rpartition("/")[0]
                for shard in shard_paths(Path(copy)):
                    remote = f"{folder}/{shard.name}"
                    yield from self._copy_file(files, remote, f"{url} ({shard.name})", shard)
        return found

    def _copy_file(
        self, files: Any, name: str, url: str, place: Path | None = None
    ) -> Copying[str]:
        place = place or self._place(url)
        try:
            size = files.info(name).get("size")
            with files.open(name, "rb") as source:
                done = yield from _write(source, place, size or 0)
        except Gpt2Error:
            raise
        except Exception as error:
            raise _unreadable(url, error) from None
        if size is not None and done != size:
            raise DownloadError(
                f"{url} is incomplete: {done:,} of {size:,} bytes were read: try again, "
                f"{_ALTERNATIVE}"
            )
        return str(place)


def open_url(url: str) -> tuple[Any, str]:
    """The file system of a URL of fsspec, and the path in it.

    Raises:
        DatasetError: The protocol is unknown.
        MissingPackageError: The package for the protocol is missing.
    """
    protocol = url.partition("://")[0]
    fsspec = import_optional("fsspec", f"reading {protocol}://", "data")
    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:  # says which package to install
        raise MissingPackageError(
            f"reading {protocol}:// needs another package: {brief(error)}"
        ) from None
    except Exception as error:
        raise DatasetError(
            f"{url} cannot be opened ({brief(error)}): use a path, or a URL of https://, s3:// "
            "or gs://"
        ) from None
    return files, path


def list_url(url: str) -> list[tuple[str, dict[str, Any]]]:
    """The files of a URL of fsspec, a folder or a glob pattern, with what is known about each.

    Raises:
        DatasetError: The protocol is unknown, or no file is found.
        DownloadError: The URL cannot be read.
        MissingPackageError: The package for the protocol is missing.
    """
    files, names = _find(url)
    return [(files.unstrip_protocol(name), files.info(name)) for name in names]


def _find(url: str) -> tuple[Any, list[str]]:
    files, path = open_url(url)
    try:
        names = _list(files, path)
    except Exception as error:  # each protocol raises other types
        raise _unreadable(url, error) from None
    if not names:
        raise DatasetError(f"{url} does not exist or matches no files: correct the URL")
    return files, names


def _list(files: Any, path: str) -> list[str]:
    """The files of a path, a folder or a glob pattern."""
    if files.isfile(path):
        return [path]
    found = files.glob(path) if has_magic(path) else files.find(path) if files.isdir(path) else []
    return sorted(name for name in found if files.isfile(name))


def _write(source: Any, place: Path, size: int) -> Copying[int]:
    done = 0
    try:
        copy = place.open("wb")
    except OSError as error:
        raise _unwritable(place, error) from None
    with copy:
        while piece := source.read(_PIECE):
            try:
                copy.write(piece)
            except OSError as error:
                raise _unwritable(place, error) from None
            done += len(piece)
            yield CopyProgress(done, size)
    return done


def _unwritable(place: Path, error: OSError) -> DatasetError:
    problem = write_problem(place, error, "set TMPDIR to another folder")
    return DatasetError(f"a temporary file cannot be written: {problem}")


def _unreadable(url: str, error: Exception) -> DownloadError:
    reason = brief(error) or type(error).__name__
    return DownloadError(f"{url} cannot be read ({reason}): correct the URL, {_ALTERNATIVE}")
