"""Files that come from outside, uploaded or from the web, into a folder. Nothing there is replaced.

A name is made safe before it is used; where another file has it, a number is put behind.
"""

from __future__ import annotations

import filecmp
import itertools
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gpt2_helpers.data.token_files import write_dataset_file
from gpt2_helpers.system.download import download_file

_LONGEST_NAME = 100


def is_url(text: str) -> bool:
    """Whether a text is meant as an address of the web, and not as a path."""
    return text.lower().startswith(("http://", "https://"))


def safe_name(name: str) -> str:
    """The last part of a name that came from outside, with only what every file system takes.

    >>> safe_name("../../my poems (2).TXT"), safe_name("C:\\\\texts\\\\a*b.csv"), safe_name(".txt")
    ('my poems (2).TXT', 'a_b.csv', 'txt.txt')
    """
    last = re.split(r"[\\/]", name)[-1]
    plain = re.sub(r"[^\w .()-]", "_", last).strip(" .") or "text"
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        return f"{plain[:_LONGEST_NAME]}.txt"
    return f"{stem[: _LONGEST_NAME - len(ending)]}.{ending[:_LONGEST_NAME]}"


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """The names and contents in a FileUpload's value: a dict in ipywidgets 7, a tuple in 8."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


def save_upload(name: str, content: bytes, folder: Path) -> Path:
    """Write an uploaded file into `folder`, whole or not at all; DatasetError where it cannot."""
    name = safe_name(name)
    part = folder / f".{name}.uploaded"
    with write_dataset_file(part) as file:
        file.write(content)
    return _take_name(part, folder / name)


def download_into(address: str, folder: Path) -> Path:
    """Download a file into `folder`, with a bar. DownloadError where it cannot be had, or is a
    page and no file; what had arrived is kept, and the next call goes on from there."""
    last = unquote(urlsplit(address).path).rstrip("/").rpartition("/")[2]
    name = safe_name(last or urlsplit(address).netloc)
    part = folder / f".{name}.fetched"
    part.unlink(missing_ok=True)
    instead = (
        "or download it there and upload it here; the address must be that of the file itself "
        "(on GitHub, the one behind Raw)"
    )
    download_file(address, part, instead=instead)
    return _take_name(part, folder / name)


def _take_name(part: Path, path: Path) -> Path:
    """Give a whole file its name, or find that it stands there already."""
    for number in itertools.count(2):
        if not path.exists():
            os.replace(part, path)
            return path
        if path.is_file() and filecmp.cmp(part, path, shallow=False):
            part.unlink()
            return path
        stem = path.stem if number == 2 else path.stem.rpartition("-")[0]
        path = path.with_name(f"{stem}-{number}{path.suffix}")
    raise AssertionError("numbers do not end")
