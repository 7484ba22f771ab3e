"""Files of jobs, at local paths or at URLs of fsspec, such as gs:// and s3://.

A file at a URL is written to a temporary file first and then uploaded as a whole, since an object
in such a store appears when its upload is complete. A local file is written atomically.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.remote_files import is_url, list_url, open_url
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError, brief, write_problem
from gpt2_helpers.system.files import atomic_write
from gpt2_helpers.types import DatasetPath

_Value = TypeVar("_Value")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Raise the errors of reading a file as DatasetError, other than FileNotFoundError."""
    try:
        yield
    except (FileNotFoundError, Gpt2Error):
        raise
    except Exception as error:  # each protocol raises other types
        if not is_url(path) and not isinstance(error, OSError):
            raise
        reason = brief(error) or type(error).__name__
        advice = "check the URL and your permissions" if is_url(path) else "check its permissions"
        raise DatasetError(f"{path} cannot be read ({reason}): {advice}") from None


def _fresh(url: str) -> tuple[Any, str]:
    """`open_url` without cached listings, which lack the files that other workers have written."""
    files, name = open_url(url)
    files.invalidate_cache()
    return files, name


def join(folder: str, name: str) -> str:
    """The path or URL of a file in a folder.

    >>> join("gs://bucket/texts", "a.jsonl"), join("", "a.jsonl")
    ('gs://bucket/texts/a.jsonl', 'a.jsonl')
    """
    if is_url(folder):
        return f"{folder.rstrip('/')}/{name}"
    return str(Path(folder, name))


def split_name(path: str) -> tuple[str, str]:
    """The folder and the name of a path or URL.

    >>> split_name("gs://bucket/texts/a.jsonl"), split_name("a.jsonl")
    (('gs://bucket/texts', 'a.jsonl'), ('.', 'a.jsonl'))
    """
    if is_url(path):
        folder, _, name = path.rpartition("/")
        return folder, name
    return str(Path(path).parent), Path(path).name


@contextmanager
def open_read(path: str) -> Iterator[IO[bytes]]:
    """Open a file at a path or URL for reading; it can be positioned with `seek`.

    Raises:
        DatasetError: The file does not exist or cannot be read.
    """
    try:
        with _open(path) as file:
            yield file
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist any more: restore it") from None


@contextmanager
def _open(path: str) -> Iterator[IO[bytes]]:
    with _explained(path):
        if not is_url(path):
            with open(path, "rb") as file:
                yield file
            return
        files, name = _fresh(path)
        with files.open(name, "rb") as file:
            yield file


def file_size(path: str) -> int | None:
    """The size of a file in bytes; None if it does not exist. DatasetError if it is unreadable."""
    try:
        with _explained(path):
            if not is_url(path):
                return Path(path).stat().st_size
            files, name = _fresh(path)
            return int(files.info(name)["size"])
    except FileNotFoundError:
        return None


def read_file(path: str) -> bytes | None:
    """The content of a small file; None if it does not exist. DatasetError if it is unreadable."""
    try:
        with _open(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def write_file(path: str, write: Callable[[BinaryIO], _Value]) -> _Value:
    """Write a file that appears complete or not at all.

    Args:
        path: Path or URL; a local folder is created.
        write: Called with the open file.

    Returns:
        What `write` returns.

    Raises:
        OptionError: The file cannot be written.

    Example:
        write_file("gs://bucket/counter", lambda file: file.write(b"5"))
    """
    if not is_url(path):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(Path(path)) as file:
                return write(file)
        except OSError as error:
            problem = write_problem(path, error, "choose another folder")
            raise OptionError(f"{path} cannot be written: {problem}") from None
    files, name = open_url(path)
    with tempfile.TemporaryDirectory(prefix="gpt2-beam-") as folder:
        local = Path(folder, "file")
        try:
            with local.open("w+b") as file:
                value = write(file)
        except OSError as error:
            problem = write_problem(local, error, "set TMPDIR to another folder")
            raise OptionError(f"a temporary file cannot be written: {problem}") from None
        try:
            files.put_file(str(local), name)
        except Exception as error:  # each protocol raises other types
            raise OptionError(
                f"{path} cannot be written ({brief(error)}): check the URL and your permissions"
            ) from None
    return value


def write_bytes(path: str, content: bytes) -> None:
    """`write_file` of a small file."""
    write_file(path, lambda file: file.write(content))


def delete(path: str) -> None:
    """Delete a file, if it exists. OptionError if it cannot be deleted."""
    try:
        if not is_url(path):
            Path(path).unlink(missing_ok=True)
            return
        files, name = _fresh(path)
        if files.exists(name):
            files.rm_file(name)
    except Gpt2Error:
        raise
    except Exception as error:  # each protocol raises other types
        raise OptionError(
            f"{path} cannot be deleted ({brief(error)}): check your permissions"
        ) from None


def find_inputs(
    dataset: DatasetPath, report: ReadReport, config: DatasetConfig
) -> list[tuple[str, int, str]]:
    """The files of a dataset at paths or URLs, each with its size in bytes and its version.

    Args:
        dataset: As for `find_files`; URLs of fsspec may be folders or glob patterns.
        report: See `find_files`.
        config: See `find_files`.

    Raises:
        DatasetError: The files do not exist.

    Example:
        find_inputs("gs://bucket/texts/*.jsonl", ReadReport(), DatasetConfig())
    """
    paths = [dataset] if isinstance(dataset, str | os.PathLike) else list(dataset)
    found: list[tuple[str, int, str]] = []
    for path in paths:
        if is_url(path):
            if is_web(path):
                raise DatasetError(
                    f"{path}: web servers list no sizes; copy the file to gs:// or s3://"
                )
            found += [(url, info["size"] or 0, _version(info)) for url, info in list_url(str(path))]
        else:
            for file in find_files(path, report, config):
                status = file.stat()
                # Not `resolve`: the name of a link says how the file is read.
                name = os.path.abspath(file)
                found.append((name, status.st_size, str(status.st_mtime_ns)))
    return list(dict.fromkeys(found))


def is_web(path: object) -> bool:
    """Whether a path is the URL of a web server, which lists no files."""
    return str(path).lower().startswith(("http://", "https://"))


def _version(info: dict[str, Any]) -> str:
    names = ("ETag", "etag", "md5Hash", "LastModified", "updated", "mtime", "created")
    return str(next((info[name] for name in names if info.get(name)), ""))


@contextmanager
def local_folder(path: str, name: str) -> Iterator[Path]:
    """A folder that contains a copy of the folder `name` of `path`, if `path` is a URL.

    Args:
        path: Local folder, which is used as it is, or URL.
        name: Name of a run or model in it.

    Yields:
        A local folder that contains `name`. A copy is deleted at the end of the block.

    Raises:
        DatasetError: There is nothing at the URL.
    """
    if not is_url(path):
        yield Path(path)
        return
    url = join(path, name)
    files, root = open_url(url)
    with tempfile.TemporaryDirectory(prefix="gpt2-beam-") as folder:
        with _explained(url):
            names = files.find(root)
            if not names:
                raise DatasetError(f"{url} contains no files: correct the URL")
            for file in names:
                place = Path(folder, name, file[len(root) :].lstrip("/"))
                if Path(folder) not in place.resolve().parents:
                    raise DatasetError(f"{brief(file)} is not inside {url}")
                place.parent.mkdir(parents=True, exist_ok=True)
                files.get_file(file, str(place))
        yield Path(folder)
