"""Weights in safetensors files under the names of transformers' GPT2LMHeadModel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError, brief, brief_repr
from gpt2_helpers.exchange.config_json import read_object
from gpt2_helpers.model.variables import variable_shapes
from gpt2_helpers.system.files import commit, flush, temporary_path

WEIGHTS_FILE = "model.safetensors"
SHARDS_FILE = f"{WEIGHTS_FILE}.index.json"
PREFIX = "transformer."  # absent in the files of a model without output layer, such as OpenAI's
_OUTPUT = "lm_head.weight"  # the token embeddings again
# Causal masks, which transformers saved before 4.26.
_MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
_ENDINGS = {"g": "weight", "w": "weight", "b": "bias"}
_READABLE = ("F64", "F32", "F16", "BF16")


def peer_name(name: str) -> str:
    """transformers' name of a variable, without `transformer.`.

    >>> peer_name("model/h0/attn/c_attn/w"), peer_name("model/ln_f/g"), peer_name("model/wte")
    ('h.0.attn.c_attn.weight', 'ln_f.weight', 'wte.weight')
    """
    parts = name.removeprefix("model/").split("/")
    if parts[0][1:].isdigit():
        parts[:1] = ["h", parts[0][1:]]
    ending = _ENDINGS.get(parts[-1])
    return ".".join([*parts[:-1], ending] if ending else [*parts, "weight"])


def read_tensor(path: Path, name: str) -> np.ndarray:
    """One tensor of a safetensors file, in fp32.

    Raises:
        CheckpointError: It cannot be read, or contains NaN or infinite values.
    """
    _require_file(path)
    try:
        with safetensors.safe_open(path, "np") as file, np.errstate(over="ignore"):
            if file.get_slice(name).get_dtype() == "BF16":
                import ml_dtypes  # noqa: F401 - adds the dtype to NumPy; TensorFlow requires it
            array: np.ndarray = file.get_tensor(name).astype(np.float32, copy=False)
    except (safetensors.SafetensorError, OSError, TypeError, ImportError) as error:
        raise _unreadable(path, error) from None
    require_finite(array, path, name)
    return array


def require_finite(array: np.ndarray, path: Path, name: str) -> None:
    """Raise CheckpointError if a tensor of a file contains NaN or infinite values."""
    # min and max are NaN if any value is; they need no array of booleans of the same size.
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        raise CheckpointError(
            f"{path}: {brief(name)} contains NaN, infinite values, or values too large for fp32: "
            "use another version of the model"
        )


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes in a safetensors file.

    Raises:
        CheckpointError: The file is missing or damaged, or its numbers are not floating-point.
    """
    _require_file(path)
    shapes = {}
    try:
        with safetensors.safe_open(path, "np") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                part = file.get_slice(name)
                shapes[name] = tuple(part.get_shape())
                dtype = part.get_dtype()
                if dtype not in _READABLE and not _MASKS.fullmatch(name.removeprefix(PREFIX)):
                    raise CheckpointError(
                        f"{path}: {brief(name)} has the dtype {dtype}, but it must be one of "
                        f"{', '.join(_READABLE)}: quantized weights cannot be imported"
                    )
    except (safetensors.SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None
    return shapes


def _require_file(path: Path) -> None:
    # Opening a pipe would wait for a writer.
    if not path.is_file():
        problem = "not a regular file" if path.exists() else "missing"
        raise CheckpointError(f"{path} is {problem}: copy or download the folder again")


class SafetensorsWeights(Mapping[str, np.ndarray]):
    """The variables of a model in Hugging Face's layout, under OpenAI's names.

    Each is read from its file when it is accessed.

    Args:
        folder: The model's folder, with `model.safetensors` or several files and an index.
        config: The model's shape.

    Raises:
        CheckpointError: A file is missing, damaged, or does not match the shape.
    """

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        self._folder, self.config = folder, config
        files = _files(folder)  # name in the files -> file
        found = {name.removeprefix(PREFIX): (path, name) for name, path in files.items()}
        shapes = {path: shapes_in(path) for path in set(files.values())}
        self._location: dict[str, tuple[Path, str]] = {}
        for name, shape in variable_shapes(config).items():
            peer = peer_name(name)
            if peer not in found:
                raise CheckpointError(
                    f"{folder} lacks the weight {PREFIX}{peer} of a GPT-2 with this config.json"
                )
            path, stored = self._location[name] = found.pop(peer)
            expected = shape[1:] if name.endswith("/w") else shape
            if shapes[path].get(stored) != expected:
                raise CheckpointError(
                    f"{path}: {stored} has shape {list(shapes[path].get(stored, ()))}, but "
                    f"config.json implies {list(expected)}: they do not match"
                )
        output = found.pop(_OUTPUT, None)
        extra = sorted(name for name in found if not _MASKS.fullmatch(name))
        if extra:
            raise CheckpointError(
                f"{folder} has an unexpected weight {brief(extra[0])}: only language models can be "
                "imported, without additional layers"
            )
        if output and not np.array_equal(read_tensor(*output), self["model/wte"]):
            raise CheckpointError(
                f"{folder}: the output matrix {_OUTPUT} differs from the token embeddings, and "
                "GPT-2 has one matrix for both: the model cannot be imported"
            )

    def __getitem__(self, name: str) -> np.ndarray:
        array = read_tensor(*self._location[name])
        return array[None] if name.endswith("/w") else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._location)

    def __len__(self) -> int:
        return len(self._location)

    @property
    def files(self) -> list[Path]:
        """The files that hold the weights."""
        return sorted({path for path, _ in self._location.values()})


def _files(folder: Path) -> dict[str, Path]:
    """The file of each tensor, by its name in the file."""
    single, index = folder / WEIGHTS_FILE, folder / SHARDS_FILE
    if single.is_file():
        return dict.fromkeys(shapes_in(single), single)
    if index.is_file():
        names = read_object(index).get("weight_map")
        if not isinstance(names, dict):
            raise CheckpointError(f"{index} has no weight_map")
        for name in names.values():
            if not isinstance(name, str) or Path(name).name != name:
                raise CheckpointError(f"{index}: {brief_repr(name)} is not a file name")
        return {name: folder / file for name, file in names.items()}
    if (folder / "pytorch_model.bin").is_file():
        raise CheckpointError(
            f"{folder} has its weights only as pytorch_model.bin, whose format can execute code: "
            "convert it with transformers, GPT2LMHeadModel.from_pretrained(...)."
            "save_pretrained(...), which writes model.safetensors"
        )
    raise CheckpointError(f"{single} is missing: the folder has no weights")


def save_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write a safetensors file atomically.

    Raises:
        CheckpointError: The file cannot be written.
        OSError: It cannot be renamed.
    """
    with temporary_path(path) as part:
        part.touch()
        permissions = part.stat().st_mode  # the library's files are readable by their owner only
        try:
            # transformers requires the name of a framework; the format is the same for all.
            safetensors.numpy.save_file(tensors, part, metadata={"format": "pt"})
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"{path} could not be written: {brief(error)}") from None
        part.chmod(permissions)
        flush(part)
        commit(part, path)


def save_weights(path: Path, weights: Mapping[str, np.ndarray], dtype: str = "float32") -> None:
    """Write a model's variables to one safetensors file.

    Args:
        path: The file.
        weights: The variables under OpenAI's names, held in memory until the file is written.
        dtype: float32 or float16.

    Raises:
        CheckpointError: A value is too large for `dtype`, or the file cannot be written.
        OSError: The file cannot be renamed.
    """
    tensors = {}
    for name, array in weights.items():
        with np.errstate(over="ignore"):
            tensor = np.ascontiguousarray(array[0] if name.endswith("/w") else array, dtype)
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"the variable {name} has values too large for {dtype}")
        tensors[PREFIX + peer_name(name)] = tensor
    save_tensors(path, tensors)


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a valid safetensors file ({brief(error)}): copy or download it again"
    )
