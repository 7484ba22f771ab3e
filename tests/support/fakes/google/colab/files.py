"""Fake google.colab.files: uploads and downloads are folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def upload(target_dir: str = "") -> dict[str, bytes]:
    """Save every file of FAKE_COLAB_UPLOADS, or none if it is not set."""
    chosen = os.environ.get("FAKE_COLAB_UPLOADS")
    saved = {}
    for path in sorted(Path(chosen).iterdir()) if chosen else []:
        name = str(Path(target_dir) / path.name)
        Path(name).write_bytes(path.read_bytes())
        saved[name] = path.read_bytes()
    return saved


def download(filename: str) -> None:
    """Copy a file to FAKE_COLAB_DOWNLOADS."""
    if not os.path.exists(filename):
        raise FileNotFoundError(f"Cannot find file: {filename}")
    folder = Path(os.environ["FAKE_COLAB_DOWNLOADS"])
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(filename, folder)
