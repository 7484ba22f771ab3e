"""A mirror of OpenAI's model files on a local server, for tests of downloads."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faulty_server import FaultyServer, running
from gpt2_helpers.checkpoint.pretrained import FILES, MIRROR_VARIABLE, download_model

DATA = "model.ckpt.data-00000-of-00001"
DATA_PATH = f"/models/124M/{DATA}"
CONTENT = {
    name: f"{name} as OpenAI publishes it\n".encode() * (number + 1)
    for number, name in enumerate(FILES)
} | {DATA: random.Random(1).randbytes(400_000)}
NEW_DATA = random.Random(2).randbytes(500_000)


@contextmanager
def mirror() -> Iterator[FaultyServer]:
    """A server with the files of 124M, set as the mirror to download from."""
    before = {name: os.environ.get(name) for name in (MIRROR_VARIABLE, "no_proxy")}
    with running() as server:
        server.files = {f"/models/124M/{name}": body for name, body in CONTENT.items()}
        os.environ[MIRROR_VARIABLE], os.environ["no_proxy"] = f"{server.address}/models/", "*"
        try:
            yield server
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def fetch(folder: Path, name: str = "124M") -> Path:
    """Download a model without a progress bar and without pauses."""
    return download_model(name, folder, progress=False, retry_pauses=(0, 0, 0))


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def leftovers(folder: Path) -> list[str]:
    """Names of files that do not belong to the model."""
    return sorted(path.name for path in folder.iterdir() if path.name not in FILES)
