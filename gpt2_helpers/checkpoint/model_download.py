"""The official files of a GPT-2 size into a model folder: which they are, and where they lie."""

from __future__ import annotations

import filecmp
import os
import shutil
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from gpt2_helpers import config
from gpt2_helpers.errors import DownloadError
from gpt2_helpers.system.download import Redirects, RemoteFile, check_and_name, fetch_all, room

FILES = (
    *("checkpoint", "encoder.json", "hparams.json", "model.ckpt.data-00000-of-00001"),
    *("model.ckpt.index", "model.ckpt.meta", "vocab.bpe"),
)
OFFICIAL_ADDRESS = "https://openaipublic.blob.core.windows.net/gpt-2/models"
MIRROR_VARIABLE = "GPT2_HELPERS_MIRROR"
_ELSEWHERE = f"or set {MIRROR_VARIABLE} to another address, in which folders such as 124M stand"


def download_model(
    model_name: str = "124M",
    model_dir: str | Path = "models",
    *,
    progress: bool = True,
    retry_pauses: Sequence[float] = (1.0, 4.0, 15.0),
) -> Path:
    """Put the seven files of a model into `model_dir/model_name`, and return that folder.

    Where all seven stand there, the network is not asked; where one is missing, those as long as
    the server's are kept. `tiny` is copied from the package. `retry_pauses` are the seconds before
    each further try of a file. The environment variable GPT2_HELPERS_MIRROR replaces the official
    address, behind which `/124M/encoder.json` and the like are asked for. Raises OptionError for an
    unknown name, DownloadError where a file cannot be had whole: the next call goes on from there.

    `download_model("124M")` gives `Path("models/124M")`.
    """
    size = config.canonical_model_name(model_name)
    folder = Path(model_dir) / model_name
    base = os.environ.get(MIRROR_VARIABLE, "").strip().rstrip("/") or OFFICIAL_ADDRESS
    if size == config.BUNDLED_MODEL:
        _copy_bundled(folder)
    elif not base.lower().startswith(("https://", "http://")):
        raise DownloadError(f"{MIRROR_VARIABLE} must begin with https:// or http://, got {base!r}")
    elif not is_downloaded(model_name, model_dir):
        fetch_all(_files(f"{base}/{size}", folder), folder, progress, retry_pauses)
    else:  # one that was killed may have left the note of a file that is whole
        for name in FILES:
            (folder / f"{name}.part.json").unlink(missing_ok=True)
    return folder


def is_downloaded(model_name: str = "124M", model_dir: str | Path = "models") -> bool:
    """Whether all seven files of the model stand in `model_dir/model_name`."""
    return all((Path(model_dir) / model_name / name).is_file() for name in FILES)


def _files(base: str, folder: Path) -> list[RemoteFile]:
    # An opener reads the certificates: once is enough.
    opener = urllib.request.build_opener(Redirects(_ELSEWHERE))
    return [RemoteFile(f"{base}/{name}", folder / name, opener, _ELSEWHERE) for name in FILES]


def _copy_bundled(folder: Path) -> None:
    """Copy the model that comes with the package, where it doesn't stand there already."""
    if not is_downloaded(config.BUNDLED_FOLDER.name, config.BUNDLED_FOLDER.parent):
        raise DownloadError(f"{config.BUNDLED_FOLDER} lacks files: install gpt2-helpers again")
    files = []
    for file in _files(str(config.BUNDLED_FOLDER), folder):
        if not (file.path.is_file() and filecmp.cmp(file.address, file.path, shallow=False)):
            file.size = Path(file.address).stat().st_size
            files.append(file)
    with room(folder, files):
        for file in files:
            shutil.copyfile(file.address, file.part)
            check_and_name(file, {})
