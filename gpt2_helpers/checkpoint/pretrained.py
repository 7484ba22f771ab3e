"""OpenAI's pretrained models: their files, where to download them, and whether they are there."""

from __future__ import annotations

import filecmp
import os
import shutil
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from gpt2_helpers import config
from gpt2_helpers.checkpoint.model_files import latest_checkpoint
from gpt2_helpers.checkpoint.model_folders import (
    converted_folder,
    is_on_hub,
    local_name,
    model_folder,
)
from gpt2_helpers.config import HUB_NAMES, MODEL_ALIASES, PRETRAINED_CONFIGS, RunConfig
from gpt2_helpers.errors import CheckpointError, DownloadError
from gpt2_helpers.exchange import hub
from gpt2_helpers.system.download import Redirects, RemoteFile, check_and_name, download_files, room
from gpt2_helpers.system.paths import user_path

FILES = (
    *("checkpoint", "encoder.json", "hparams.json", "model.ckpt.data-00000-of-00001"),
    *("model.ckpt.index", "model.ckpt.meta", "vocab.bpe"),
)
OFFICIAL_ADDRESS = "https://openaipublic.blob.core.windows.net/gpt-2/models"
MIRROR_VARIABLE = "GPT2_HELPERS_MIRROR"
_ALTERNATIVE = f"or set {MIRROR_VARIABLE} to the URL of a mirror with folders such as 124M"


def download_model(
    model_name: str = "124M",
    model_dir: str | Path = "models",
    *,
    progress: bool = True,
    retry_pauses: Sequence[float] = (1.0, 4.0, 15.0),
) -> Path:
    """Download the seven files of a pretrained model. Interrupted downloads are resumed.

    If all files exist, the network is not used; otherwise files with the size that the server
    reports are kept. `tiny` is copied from the package. The environment variable
    GPT2_HELPERS_MIRROR replaces OpenAI's URL, to which `/124M/encoder.json` etc. are appended.

    Args:
        model_name: 124M, 355M, 774M, 1558M or tiny, or another name of these such as gpt2-medium;
            or `hf://owner/name` for a GPT-2 on the Hugging Face Hub, which is converted.
        model_dir: Folder for models; the files are written to `model_dir/model_name`.
        progress: Whether to show a progress bar.
        retry_pauses: Seconds before each retry of a file.

    Returns:
        The model's folder.

    Raises:
        OptionError: Unknown model name.
        DownloadError: A file cannot be downloaded completely. The next call resumes.

    Example:
        download_model("124M")  # Path("models/124M")
    """
    if is_on_hub(model_name):
        source = hub.download(model_name)
        return converted_folder(source, model_dir, local_name(model_name), model_name)
    size = config.canonical_model_name(model_name)
    folder = _folder(model_name, model_dir)
    base = os.environ.get(MIRROR_VARIABLE, "").strip().rstrip("/") or OFFICIAL_ADDRESS
    if size == config.BUNDLED_MODEL:
        _copy_bundled(folder)
    elif not base.lower().startswith(("https://", "http://")):
        raise DownloadError(f"{MIRROR_VARIABLE} must begin with https:// or http://, got {base!r}")
    elif not is_downloaded(model_name, model_dir):
        download_files(_files(f"{base}/{size}", folder), folder, progress, retry_pauses)
    else:  # a process that was killed may have left the state of a completed download
        for name in FILES:
            (folder / f"{name}.part.json").unlink(missing_ok=True)
    return folder


def is_downloaded(model_name: str = "124M", model_dir: str | Path = "models") -> bool:
    """Whether all files of a model exist in `model_dir/model_name`."""
    if is_on_hub(model_name):
        folder = user_path(model_dir, "model_dir") / local_name(model_name)
        return (folder / "hparams.json").is_file()
    return all((_folder(model_name, model_dir) / name).is_file() for name in FILES)


def _folder(model_name: str, model_dir: str | Path) -> Path:
    name = HUB_NAMES.get(model_name, model_name)
    return user_path(model_dir, "model_dir") / user_path(name, "model_name")


def download_if_missing(run: RunConfig, on_message: Callable[[str], object]) -> None:
    """Download the run's base model if it is one of OpenAI's or on the Hub, and not complete.

    Args:
        run: The options `model_name` and `model_dir`.
        on_message: Called with a message before the download.

    Raises:
        DownloadError: The download failed.
    """
    names = (*PRETRAINED_CONFIGS, *MODEL_ALIASES)
    if run.model_name not in names and not is_on_hub(run.model_name):
        return
    try:
        latest_checkpoint(model_folder(run.model_name, run.model_dir))
    except CheckpointError:
        name = HUB_NAMES.get(run.model_name, run.model_name)
        on_message(f"{name} is not in {run.model_dir} yet and is downloaded first")
        download_model(run.model_name, run.model_dir)


def _files(base: str, folder: Path) -> list[RemoteFile]:
    # One opener for all: creating one reads the certificates.
    opener = urllib.request.build_opener(Redirects(_ALTERNATIVE))
    return [RemoteFile(f"{base}/{name}", folder / name, opener, _ALTERNATIVE) for name in FILES]


def _copy_bundled(folder: Path) -> None:
    """Copy the files of the bundled model that are missing or differ."""
    if not is_downloaded(config.BUNDLED_FOLDER.name, config.BUNDLED_FOLDER.parent):
        raise DownloadError(f"{config.BUNDLED_FOLDER} lacks files: reinstall gpt2-helpers")
    files = []
    for file in _files(str(config.BUNDLED_FOLDER), folder):
        if not (file.path.is_file() and filecmp.cmp(file.url, file.path, shallow=False)):
            file.size = Path(file.url).stat().st_size
            files.append(file)
    with room(folder, files):
        for file in files:
            shutil.copyfile(file.url, file.part)
            check_and_name(file, {})
