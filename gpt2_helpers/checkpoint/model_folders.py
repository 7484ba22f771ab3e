"""Finds the folder of a model by its name, by a path, or by `hf://owner/name`.

A model in Hugging Face's layout is converted to OpenAI's the first time it is used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.model_files import BASE_CHECKPOINT, save_weights
from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    HUB_NAMES,
    MODEL_ALIASES,
    MODEL_NAMES,
    PRETRAINED_CONFIGS,
)
from gpt2_helpers.errors import CheckpointError, nearest
from gpt2_helpers.exchange.model_card import HUB_SCHEME, hub_name
from gpt2_helpers.exchange.model_folder import HuggingFaceModel, is_model_folder, open_model
from gpt2_helpers.system.bounded_files import read_json
from gpt2_helpers.system.files import atomic_write_text
from gpt2_helpers.system.paths import user_path

# In a converted folder: where it came from, and the size and time of each source file.
SOURCE_FILE = "converted.json"
_SOURCE_PATTERNS = ("*.json", "*.txt", "*.safetensors")


def local_name(model_name: str) -> str:
    """The name of a model's folder.

    >>> local_name("124M"), local_name("exports/mine"), local_name("hf://owner/name")
    ('124M', 'mine', 'owner--name')
    """
    if is_on_hub(model_name):
        return (hub_name(model_name) or "").replace("/", "--")
    path = Path(model_name)
    return path.name or path.resolve().name


def is_on_hub(model_name: str) -> bool:
    """Whether a name has the form `hf://owner/name`."""
    return isinstance(model_name, str) and model_name.startswith(HUB_SCHEME)


def model_folder(model_name: str, model_dir: str | Path = "models") -> Path:
    """Find the folder of a model. A model in Hugging Face's layout is converted if necessary.

    Args:
        model_name: Name of a folder in `model_dir`, such as "124M"; or the path of a model, in
            OpenAI's or Hugging Face's layout; or `hf://owner/name`, once it has been downloaded.
        model_dir: Folder with the models.

    Returns:
        A folder in OpenAI's layout: `model_dir/model_name`, the path, or the package's own folder
        for the bundled model. Another name of OpenAI's models, such as gpt2-medium, means
        OpenAI's, unless a folder has that name.

    Raises:
        CheckpointError: The model does not exist or cannot be converted. If it can be downloaded,
            the message has the command.
    """
    model_dir = user_path(model_dir, "model_dir")
    if is_on_hub(model_name):
        folder = model_dir / local_name(model_name)
        if (folder / "hparams.json").is_file():
            return folder
        raise CheckpointError(
            f"model {model_name!r} not found in {model_dir}: gpt2-helpers download "
            f"{model_name} downloads it"
        )
    model_name = str(user_path(model_name, "model_name"))
    is_ours = model_name in (*MODEL_NAMES, *MODEL_ALIASES)
    for folder in (model_dir / model_name, *([] if is_ours else [Path(model_name)])):
        has_weights = (folder / "hparams.json").is_file()
        if is_model_folder(folder) and (not has_weights or (folder / SOURCE_FILE).is_file()):
            return converted_folder(folder, model_dir)
        if has_weights:
            return folder
    if model_name == BUNDLED_MODEL:
        return BUNDLED_FOLDER
    if model_name in HUB_NAMES:
        return model_folder(HUB_NAMES[model_name], model_dir)
    found = [path.parent.name for path in model_dir.glob("*/hparams.json")]
    known = sorted({*MODEL_NAMES, *HUB_NAMES, *found})
    if model_name in (*PRETRAINED_CONFIGS, *MODEL_ALIASES):
        hint, models = "", "it"
        commands = f"download_gpt2(model_name={model_name!r}) or gpt2-helpers download {model_name}"
    else:
        hint, models = nearest(model_name, known), ", ".join(PRETRAINED_CONFIGS)
        commands = "download_gpt2() or gpt2-helpers download"
    raise CheckpointError(
        f"model {model_name!r} not found in {Path(model_dir)}{hint}: {commands} downloads "
        f"{models}; existing models: {', '.join(sorted({BUNDLED_MODEL, *found}))}"
    )


def converted_folder(
    source: Path, model_dir: str | Path, name: str | None = None, origin: str | None = None
) -> Path:
    """Convert a model in Hugging Face's layout, unless it has not changed since the last time.

    Args:
        source: The model's folder.
        model_dir: Folder with the models.
        name: Name of the new folder in `model_dir`; default: the name of `source`.
        origin: What identifies the model, if not the path of `source`.

    Returns:
        The new folder, or `source` if it is in `model_dir`: then files are added to it.

    Raises:
        CheckpointError: The model cannot be converted, or another model has its name.
    """
    folder = Path(model_dir) / (name or source.resolve().name)
    state = {"source": origin or str(source.resolve()), "files": _fingerprint(source)}
    saved = _saved_state(folder)
    if saved == state and (folder / "hparams.json").is_file():
        return folder
    if folder.resolve() != source.resolve():
        if saved is None and (folder / "hparams.json").is_file():
            raise CheckpointError(
                f"{folder} is a different model than {source}: rename one of them"
            )
        if saved is not None and saved.get("source") != state["source"]:
            raise CheckpointError(
                f"{folder} was converted from {saved.get('source')}: delete or rename it to use "
                f"{state['source']}"
            )
    model = open_model(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SOURCE_FILE).unlink(missing_ok=True)
        save_converted(model, folder, BASE_CHECKPOINT)
        atomic_write_text(folder / SOURCE_FILE, json.dumps(state) + "\n")
    except OSError as error:
        raise CheckpointError(
            f"{folder} cannot be written: {error.strerror}: use another model_dir"
        ) from None
    return folder


def save_converted(model: HuggingFaceModel, folder: Path, name: str) -> None:
    """Write a model in OpenAI's layout.

    Args:
        model: The model.
        folder: An existing folder.
        name: Name of the checkpoint.

    Raises:
        CheckpointError: The weights cannot be read or written.
        OSError: Another file cannot be written.
    """
    model.tokenizer.save(folder)
    save_weights(folder, name, model.config, model.weights)


def _fingerprint(source: Path) -> dict[str, list[int]]:
    """The size and time of each file that is converted, by its name."""
    paths = {path for pattern in _SOURCE_PATTERNS for path in source.glob(pattern)}
    ours = {"hparams.json", "encoder.json", SOURCE_FILE}  # if they are in the same folder
    stats = {path.name: path.stat() for path in sorted(paths) if path.name not in ours}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _saved_state(folder: Path) -> dict[str, Any] | None:
    try:
        state = read_json(folder / SOURCE_FILE)
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
