"""Model folders: a GPT-2's weights, shape and tokenizer, in the layout that OpenAI published.

Reads what OpenAI publishes and what gpt-2-simple saved; writes the same layout back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.checkpoint.stored_model import InferenceModel
from gpt2_helpers.checkpoint.weights import REQUIRED_SUFFIXES, WeightsReader, write_weights
from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    MODEL_NAMES,
    OLD_NAMES,
    SIZES,
    ModelConfig,
)
from gpt2_helpers.errors import CheckpointError, nearest
from gpt2_helpers.model.lora import UnmergedWeights
from gpt2_helpers.model.variables import variable_shapes
from gpt2_helpers.system.files import atomic_write_text

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

BASE_CHECKPOINT = "model.ckpt"


def model_folder(model_name: str, model_dir: str | Path = "models") -> Path:
    """Where a named model lies: under `model_dir`, or in the package for the bundled one.

    Raises CheckpointError with the line that downloads it where it is nowhere.
    """
    folder = Path(model_dir) / model_name
    if (folder / "hparams.json").is_file():
        return folder
    if model_name == BUNDLED_MODEL:
        return BUNDLED_FOLDER
    found = [path.parent.name for path in Path(model_dir).glob("*/hparams.json")]
    known = sorted({*MODEL_NAMES, *found})
    if model_name in (*SIZES, *OLD_NAMES):
        hint, what = "", "it"
        ways = f"download_gpt2(model_name={model_name!r}), or gpt2-helpers download {model_name},"
    else:
        hint, what = nearest(model_name, known), ", ".join(SIZES)
        ways = "download_gpt2(), or gpt2-helpers download,"
    raise CheckpointError(
        f"the model {model_name!r} is not in {Path(model_dir)}{hint}: {ways} fetches {what}; "
        f"there now: {', '.join(sorted({BUNDLED_MODEL, *found}))}"
    )


def latest_checkpoint(folder: str | Path) -> Path:
    """The prefix of the newest whole checkpoint in a folder, as its file `checkpoint` says, or by
    step where that file is missing or points at nothing. CheckpointError where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder with a model")
    said = _said_newest(folder)
    if said is not None and said.parent == folder and _is_whole(said):
        return said
    whole = [path.with_suffix("") for path in folder.glob("model*.index")]
    whole = [prefix for prefix in whole if _is_whole(prefix)]
    if not whole:
        raise CheckpointError(f"{folder} holds no checkpoint (model*.index and its data file)")
    return max(whole, key=step_of)


def _said_newest(folder: Path) -> Path | None:
    """What the file `checkpoint` names, a protocol buffer in its text form."""
    try:
        text = (folder / "checkpoint").read_bytes()
    except OSError:
        return None
    found = re.search(rb'^\s*model_checkpoint_path\s*:\s*"((?:[^"\\\n]|\\.)*)"', text, re.MULTILINE)
    # Characters may be written by their number in base 8, or with a stroke before them.
    name = re.sub(
        rb"\\(?:([0-7]{1,3})|(.))",
        lambda part: bytes([int(part[1], 8) & 255]) if part[1] else part[2],
        found[1] if found else b"",
    ).decode("utf-8", errors="replace")
    return folder / name if name else None


def _is_whole(prefix: Path) -> bool:
    try:
        return all(Path(f"{prefix}{suffix}").is_file() for suffix in REQUIRED_SUFFIXES)
    except (OSError, ValueError):  # a name that none can have
        return False


def step_of(prefix: Path) -> int:
    """The step in a checkpoint's name, -1 for a base model's `model.ckpt`.

    >>> step_of(Path("checkpoint/run1/model-500"))
    500
    """
    _, _, digits = prefix.name.rpartition("-")
    return int(digits) if digits.isdigit() else -1


def load_model(
    folder: str | Path,
    precision: str = "float32",
    checkpoint: str | None = None,
    frozen: bool = False,
    without: Mapping[str, np.ndarray] | None = None,
) -> GPT2:
    """The model in `folder`; `checkpoint` names another than its newest, such as 'model-500'.

    A `frozen` one holds its weights in 16 bits (see `GPT2`). `without` are adapters that
    were merged into the weights and are taken out again.

    Raises CheckpointError that names a missing, extra or misshapen variable, a truncated file, or
    an hparams.json that doesn't fit the weights.
    """
    from gpt2_helpers.model.gpt2 import GPT2

    config, weights = _fitting(Path(folder), checkpoint)
    kept = UnmergedWeights(weights, without) if without else weights
    return GPT2(config, kept, precision, frozen)


def load_for_inference(
    folder: str | Path, precision: str, decoding_precision: str, checkpoint: str | None = None
) -> InferenceModel:
    """The same model, to write with and no more, and so without TensorFlow. Its weights are read
    when a decoder is made."""
    config, weights = _fitting(Path(folder), checkpoint)
    return InferenceModel(config, weights, precision, decoding_precision, weights.prefix)


class _Numbers(Mapping[str, np.ndarray]):
    """Weights that are all numbers, or are refused when they are read."""

    def __init__(self, weights: WeightsReader) -> None:
        self._weights, self.prefix = weights, Path(weights.prefix)

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._weights[name]
        # Either is no number where any is none; both go through the array without another as large.
        if not (np.isfinite(array.min()) and np.isfinite(array.max())):
            raise CheckpointError(
                f"{self._weights.prefix}: the variable {name} holds what is no number (NaN) or is "
                "infinite: take an earlier checkpoint, and train with a lower learning_rate"
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def _fitting(folder: Path, checkpoint: str | None) -> tuple[ModelConfig, _Numbers]:
    """A folder's shape and weights, where the two belong together."""
    prefix = latest_checkpoint(folder) if checkpoint in (None, "latest") else folder / checkpoint
    config = ModelConfig.load(folder)
    weights = WeightsReader(prefix)
    expected = variable_shapes(config)
    for name, shape in expected.items():
        if name not in weights.shapes:
            raise CheckpointError(
                f"{prefix} lacks the variable {name} that hparams.json asks for: "
                f"they don't belong together, or the checkpoint is of another kind"
            )
        if weights.shapes[name] != shape:
            raise CheckpointError(
                f"{prefix}: the variable {name} has shape {list(weights.shapes[name])}, "
                f"but hparams.json makes it {list(shape)}: they don't belong together"
            )
    extra = sorted(set(weights.shapes) - set(expected))
    if extra:
        raise CheckpointError(
            f"{prefix} holds the variable {extra[0]} that hparams.json has no place for"
            + (f" (and {len(extra) - 1} more)" if len(extra) > 1 else "")
            + ": they don't belong together"
        )
    return config, _Numbers(weights)


def save_model(
    model: GPT2,
    folder: str | Path,
    name: str = BASE_CHECKPOINT,
    dtype: str = "float32",
    base: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write weights, hparams.json and `checkpoint` into `folder`; returns the weights' prefix.

    Adapters are merged into the weights, those of `base` where it is given: a frozen model holds
    them rounded. `dtype` "float16" halves the files; this package reads them, older tools want
    "float32".
    """
    import tensorflow as tf

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tf.device("CPU"):  # where there is most room, and fp32 products are fp32
        weights = (
            (
                name,
                tf.cast(
                    model.effective_weight(name, None if base is None else base[name]),
                    tf.as_dtype(dtype),
                ),
            )
            for name in model.variables
        )
        # Whoever is killed here must not leave weights whose shape nobody knows; what is there
        # belongs to older ones until these are whole.
        if not (folder / "hparams.json").exists():
            model.config.save(folder)
        write_weights(folder / name, weights)
    model.config.save(folder)
    write_checkpoint_state(folder, name)
    return folder / name


def write_checkpoint_state(folder: Path, newest: str) -> None:
    """The file `checkpoint`, by which TensorFlow's tools find the newest weights."""
    text = f'model_checkpoint_path: "{newest}"\nall_model_checkpoint_paths: "{newest}"\n'
    atomic_write_text(folder / "checkpoint", text)
