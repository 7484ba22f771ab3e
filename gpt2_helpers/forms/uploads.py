"""Uploaded and downloaded files: saves them into a folder under a safe name.

Existing files are never replaced: a name that is taken gets a number.
"""

from __future__ import annotations

import filecmp
import itertools
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gpt2_helpers.data.token_files import write_dataset_file
from gpt2_helpers.system.download import download_file
from gpt2_helpers.system.paths import safe_name


def is_web_address(text: str) -> bool:
    """Return whether a text is an address of HTTP rather than a path."""
    return text.lower().startswith(("http://", "https://"))


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """Return names and contents of a FileUpload's value: a dict in ipywidgets 7, a tuple in 8."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


def save_upload(name: str, content: bytes, folder: Path) -> Path:
    """Write an uploaded file into `folder` atomically. Raises DatasetError if that fails."""
    name = safe_name(name)
    part = folder / f".{name}.uploaded"
    with write_dataset_file(part) as file:
        file.write(content)
    return _move_to_free_name(part, folder / name)


def download_into(url: str, folder: Path) -> Path:
    """Download a file into `folder`, with a progress bar.

    Raises DownloadError if the file is not available or is a web page. A partial download is kept,
    and the next call resumes it.
    """
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    name = safe_name(last or urlsplit(url).netloc)
    part = folder / f".{name}.fetched"
    part.unlink(missing_ok=True)
    alternative = (
        "or download the file in your browser and upload it here; the address must be that of the "
        "file itself (on GitHub, the address of the Raw button)"
    )
    download_file(url, part, alternative=alternative)
    return _move_to_free_name(part, folder / name)


def _move_to_free_name(part: Path, path: Path) -> Path:
    """Rename a complete file to the first free name, unless an identical file already exists."""
    for number in itertools.count(2):
        if not path.exists():
            os.replace(part, path)
            return path
        if path.is_file() and filecmp.cmp(part, path, shallow=False):
            part.unlink()
            return path
        stem = path.stem if number == 2 else path.stem.rpartition("-")[0]
        path = path.with_name(f"{stem}-{number}{path.suffix}")
    raise AssertionError("unreachable")
