"""Model folders in OpenAI's layout: loading and saving GPT-2 models.

Reads the files that OpenAI publishes and those of gpt-2-simple; writes the same layout. Knows
nothing about runs and training.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.checkpoint.weights import WeightsReader, missing_files, write_weights
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError, listed
from gpt2_helpers.model.lora import UnmergedWeights
from gpt2_helpers.model.variables import variable_shapes
from gpt2_helpers.system.bounded_files import MAX_STATE_BYTES, parse_count, read_bounded
from gpt2_helpers.system.files import atomic_write_text

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2

BASE_CHECKPOINT = "model.ckpt"
_WEIGHT_DTYPES = ("float16", "bfloat16", "float32", "float64")


def latest_checkpoint(folder: str | Path) -> Path:
    """Find the newest complete checkpoint in a folder.

    Args:
        folder: A model folder or run folder.

    Returns:
        The prefix of its files. It is the checkpoint named by the file `checkpoint`, or the one
        with the highest step if that file or that checkpoint is missing.

    Raises:
        CheckpointError: The folder does not exist or has no complete checkpoint.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder with a model")
    named = _named_checkpoint(folder)
    if named is not None and named.parent == folder and _is_complete(named):
        return named
    prefixes = [path.with_suffix("") for path in folder.glob("model*.index")]
    complete = [prefix for prefix in prefixes if _is_complete(prefix)]
    if not complete:
        newest = max(prefixes, key=step_of, default=None)
        lacking = "model*.index and its data file" if newest is None else missing_files(newest)[0]
        raise CheckpointError(f"{folder} has no complete checkpoint: {lacking} is missing")
    return max(complete, key=step_of)


def _named_checkpoint(folder: Path) -> Path | None:
    """The prefix in the file `checkpoint`."""
    try:
        name = checkpoint_named_in(read_bounded(folder / "checkpoint", MAX_STATE_BYTES))
    except OSError:
        return None
    return folder / name if name else None


def checkpoint_named_in(text: bytes) -> str:
    """The name in the content of a file `checkpoint`, a protocol buffer in text format.

    >>> checkpoint_named_in(b'model_checkpoint_path: "model-4"'), checkpoint_named_in(b"")
    ('model-4', '')
    """
    found = re.search(  # not with \s: a file of empty lines would take hours
        rb'^[ \t]*model_checkpoint_path[ \t]*:[ \t]*"((?:[^"\\\n]|\\.)*)"', text, re.MULTILINE
    )
    # The format escapes characters as octal numbers, or with a backslash.
    return re.sub(
        rb"\\(?:([0-7]{1,3})|(.))",
        lambda escape: bytes([int(escape[1], 8) & 255]) if escape[1] else escape[2],
        found[1] if found else b"",
    ).decode("utf-8", errors="replace")


def _is_complete(prefix: Path) -> bool:
    try:
        return not missing_files(prefix)
    except (OSError, ValueError):  # not a valid file name
        return False


def checkpoint_prefix(path: Path) -> Path:
    """The prefix of a checkpoint, given as that or as the path of one of its files.

    >>> checkpoint_prefix(Path("model-4.data-00000-of-00002")).name
    'model-4'
    """
    return path.with_name(re.sub(r"\.(?:index|meta|data-\d+-of-\d+)$", "", path.name))


def weights_hash(index: bytes) -> str:
    """What identifies the weights of a checkpoint: a hash of the content of its index, which has
    the checksums of all of them.

    >>> weights_hash(b"")
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(index).hexdigest()[:16]


def checkpoint_names(folder: Path) -> list[str]:
    """The names of the checkpoints in a folder, by step."""
    prefixes = [path.with_suffix("") for path in folder.glob("model*.index")]
    return [prefix.name for prefix in sorted(prefixes, key=step_of)]


def chosen_checkpoint(folder: Path, checkpoint: str | None) -> Path:
    """The prefix of a checkpoint that a user chose.

    Args:
        folder: A model folder or run folder.
        checkpoint: Its name, or the path of one of its files. None or "latest": the newest one.

    Raises:
        CheckpointError: The checkpoint does not exist.
    """
    if checkpoint is None or checkpoint == "latest":
        return latest_checkpoint(folder)
    name = checkpoint_prefix(Path(checkpoint)).name
    names = checkpoint_names(folder)
    if name not in names:
        raise CheckpointError(
            f"no checkpoint {name!r} in {folder}: existing checkpoints: {listed(names)}"
        )
    return folder / name


def step_of(prefix: Path) -> int:
    """The step in a checkpoint's name, -1 for a base model's `model.ckpt`.

    >>> step_of(Path("checkpoint/run1/model-500"))
    500
    """
    _, _, digits = prefix.name.rpartition("-")
    step = parse_count(digits)
    return -1 if step is None else step


def load_model(
    folder: str | Path,
    precision: str = "float32",
    checkpoint: str | None = None,
    frozen: bool = False,
    subtract_adapters: Mapping[str, np.ndarray] | None = None,
) -> GPT2:
    """Load a model into TensorFlow.

    Args:
        folder: A model folder or run folder.
        precision: The dtype of matrix multiplications.
        checkpoint: Name of a checkpoint, such as "model-500"; default: the newest one.
        frozen: Whether to hold the weights in 16 bits, for LoRA (see `GPT2`).
        subtract_adapters: Adapters that are merged into the weights, to be subtracted from them.

    Returns:
        The model, on the default device.

    Raises:
        CheckpointError: A file is missing or damaged, or weights and hparams.json do not match.

    Example:
        model = load_model("checkpoint/run1")
    """
    from gpt2_helpers.model.gpt2 import GPT2

    config, weights = open_weights(Path(folder), checkpoint)
    base = UnmergedWeights(weights, subtract_adapters) if subtract_adapters else weights
    return GPT2(config, base, precision, frozen)


def load_for_inference(
    folder: str | Path, precision: str, decoding_precision: str, checkpoint: str | None = None
) -> InferenceModel:
    """Load a model for generation without TensorFlow. Weights are read when a decoder is created.

    Args:
        folder: A model folder or run folder.
        precision: The dtype of the TensorFlow model, if it is loaded later.
        decoding_precision: The dtype for generation.
        checkpoint: Name of a checkpoint, such as "model-500"; default: the newest one.

    Returns:
        The model, whose weights stay in their files until they are needed.

    Raises:
        CheckpointError: A file is missing or damaged, or weights and hparams.json do not match.
    """
    config, weights = open_weights(Path(folder), checkpoint)
    return InferenceModel(config, weights, precision, decoding_precision, weights.prefix)


class FiniteWeights(Mapping[str, np.ndarray]):
    """A model's weights; raises CheckpointError if they contain NaN or infinite values.

    Args:
        weights: The checkpoint, which may also contain an optimizer's variables.
        names: Names of the model's variables.
    """

    def __init__(self, weights: WeightsReader, names: Collection[str]) -> None:
        self._weights, self._names = weights, names
        self.prefix = Path(weights.prefix)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        array = self._weights[name]
        # min and max are NaN if any value is; they need no array of booleans of the same size.
        if not (np.isfinite(array.min()) and np.isfinite(array.max())):
            raise CheckpointError(
                f"{self._weights.prefix}: the variable {name} contains NaN or infinite values: use "
                "an earlier checkpoint and train with a lower learning_rate"
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


# Variables of TensorFlow's optimizers and trainers: a slot is named after the weight it belongs to.
_SLOT = re.compile(r"(?P<weight>.*)/[A-Z][A-Za-z0-9]*(?:_[0-9]+)?")
_TRAINER_VARIABLE = re.compile(
    r"(?:.*/)?(?:beta[12]_power|global_step|learning_rate|loss_scale|good_steps)(?:_[0-9]+)?"
)


def is_optimizer_variable(name: str, weights: Collection[str]) -> bool:
    """Whether a variable of a checkpoint belongs to a TensorFlow optimizer, not to the model.

    Args:
        name: Name of the variable.
        weights: Names of the model's variables.

    >>> is_optimizer_variable("model/wte/Adam_1", {"model/wte"})
    True
    """
    slot = _SLOT.fullmatch(name)
    if slot is None:
        return _TRAINER_VARIABLE.fullmatch(name) is not None
    weight = slot["weight"]
    # An optimizer created inside a variable scope has the scope's name before the weight's.
    return weight in weights or weight[max(0, weight.find("model/")) :] in weights


def open_weights(folder: Path, checkpoint: str | None) -> tuple[ModelConfig, FiniteWeights]:
    """Open a model's weights without reading them.

    Args:
        folder: A model folder or run folder.
        checkpoint: Name of a checkpoint, such as "model-500"; default: the newest one.

    Returns:
        The model's shape, and its variables, which are read when they are accessed.

    Raises:
        CheckpointError: A file is missing or damaged, or weights and hparams.json do not match.
    """
    prefix = latest_checkpoint(folder) if checkpoint in (None, "latest") else folder / checkpoint
    config = ModelConfig.load(folder)
    weights = WeightsReader(prefix)
    expected = variable_shapes(config)
    for name, shape in expected.items():
        if name not in weights.shapes:
            raise CheckpointError(
                f"{prefix} lacks the variable {name} required by hparams.json: they do not match, "
                "or it is not a GPT-2 checkpoint"
            )
        if weights.shapes[name] != shape:
            raise CheckpointError(
                f"{prefix}: the variable {name} has shape {list(weights.shapes[name])}, "
                f"but hparams.json implies {list(shape)}: they do not match"
            )
        if weights.dtypes[name] not in _WEIGHT_DTYPES:
            raise CheckpointError(
                f"{prefix}: the variable {name} has dtype {weights.dtypes[name]}, but weights are "
                f"one of {', '.join(_WEIGHT_DTYPES)}"
            )
    extra = sorted(
        name for name in set(weights.shapes) - set(expected)
        if not is_optimizer_variable(name, expected)
    )  # fmt: skip
    if extra:
        raise CheckpointError(
            f"{prefix} has an unexpected variable {extra[0]}"
            + (f" (and {len(extra) - 1} more)" if len(extra) > 1 else "")
            + ": it does not match hparams.json"
        )
    return config, FiniteWeights(weights, expected)


def save_model(
    model: GPT2,
    folder: str | Path,
    name: str = BASE_CHECKPOINT,
    dtype: str = "float32",
    base: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Save a model: its weights, hparams.json and the file `checkpoint`.

    Args:
        model: Its adapters, if any, are merged into the saved weights.
        folder: Created if it does not exist.
        name: Name of the checkpoint.
        dtype: "float16" halves the file size, but gpt-2-simple and others need "float32".
        base: Exact weights to merge the adapters into; a frozen model has rounded ones.

    Returns:
        The prefix of the checkpoint's files.

    Raises:
        CheckpointError: The weights cannot be written.
        OSError: Another file cannot be written.
    """
    import tensorflow as tf

    with tf.device("CPU"):  # it has the most memory, and multiplies fp32 exactly
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
        return save_weights(Path(folder), name, model.config, weights)


def save_weights(
    folder: Path,
    name: str,
    config: ModelConfig,
    weights: Mapping[str, Any] | Iterable[tuple[str, Any]],
) -> Path:
    """Save weights, hparams.json and the file `checkpoint`; see `save_model`.

    Args:
        folder: Created if it does not exist.
        name: Name of the checkpoint.
        config: The model's shape.
        weights: Names and arrays or tensors; consumed one by one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # After a kill, weights without hparams.json could not be loaded; an existing file describes the
    # old weights until the new ones are complete.
    if not (folder / "hparams.json").exists():
        config.save(folder)
    write_weights(folder / name, weights)
    config.save(folder)
    write_checkpoint_state(folder, name)
    return folder / name


def write_checkpoint_state(folder: Path, newest: str) -> None:
    """Write the file `checkpoint`, which names the newest checkpoint for TensorFlow.

    Args:
        folder: A model folder or run folder.
        newest: Name of the checkpoint, such as "model-500".

    Raises:
        OSError: The file cannot be written.
    """
    text = f'model_checkpoint_path: "{newest}"\nall_model_checkpoint_paths: "{newest}"\n'
    atomic_write_text(folder / "checkpoint", text)
