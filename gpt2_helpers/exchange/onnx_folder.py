"""A GPT-2 as a folder for ONNX Runtime: the graph, its weights, the tokenizer and a manifest."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.exchange.config_json import to_json
from gpt2_helpers.exchange.onnx_gpu_graph import build_gpu_graph
from gpt2_helpers.exchange.onnx_graph import build_graph, import_onnx
from gpt2_helpers.exchange.onnx_weights import (
    MAX_FILE_BYTES,
    WeightFiles,
    WrittenFile,
    stored_weights,
    weights_file,
)
from gpt2_helpers.system.files import atomic_write, atomic_write_text, delete_file
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, TOKENIZER_FILES, Tokenizer

GRAPH_FILE, GPU_GRAPH_FILE, MANIFEST_FILE = "model.onnx", "model.gpu.onnx", "model.json"
MODEL_FOLDER = "model"  # of a site
MANIFEST_VERSION = 1


@dataclass(frozen=True)
class OnnxFacts:
    """What a manifest says about a model besides its shape.

    Attributes:
        name: Name of the run or model.
        step: Optimizer steps; 0 for a pretrained model.
        base_model: Name of the model that the run started from; empty if unknown.
        dataset: Name of the training data; empty if it is not to be published.
        prompt_prefix: Text put before every prompt.
        prompt_suffix: Text put after every prompt.
    """

    name: str
    step: int = 0
    base_model: str = ""
    dataset: str = ""
    prompt_prefix: str = ""
    prompt_suffix: str = ""

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings that end a text: that of the end token, and the start of another row."""
        return (END_OF_TEXT, *([START_OF_TEXT] if START_OF_TEXT in self.prompt_prefix else []))


def write_onnx(
    folder: str | Path,
    config: ModelConfig,
    tokenizer: Tokenizer,
    weights: Mapping[str, np.ndarray],
    facts: OnnxFacts,
    dtype: str = "int8",
    max_file_bytes: int = MAX_FILE_BYTES,
    for_gpu: bool = False,
) -> None:
    """Write a model for ONNX Runtime. Other files in the folder are not changed.

    Args:
        folder: Created if it does not exist.
        config: The model's shape.
        tokenizer: The model's tokenizer.
        weights: The model's variables under OpenAI's names.
        facts: What the manifest says about the model.
        dtype: int8 or float32, of matrices and embeddings.
        max_file_bytes: The largest size of a file of weights.
        for_gpu: Whether there is a second graph, for GPUs. Defaults to False.

    Raises:
        CheckpointError: A weight cannot be read.
        MissingPackageError: The package onnx is not installed.
        OSError: A file cannot be written.
    """
    import_onnx()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with WeightFiles(folder, max_file_bytes) as stored:
        for weight in stored_weights(weights, dtype):
            stored.add(weight)
    graphs = {GRAPH_FILE: build_graph(config, stored.tensors)}
    if for_gpu:
        graphs[GPU_GRAPH_FILE] = build_gpu_graph(config, stored.tensors)
    for name, graph in graphs.items():
        with atomic_write(folder / name) as file:
            file.write(graph)
    tokenizer.save(folder)
    names = (*graphs, *TOKENIZER_FILES)
    files = [*(_written(folder / name) for name in names), *stored.files]
    manifest = _manifest(config, tokenizer, facts, dtype, files)
    # Last, so that an interrupted export is noticed by the checksums.
    atomic_write_text(folder / MANIFEST_FILE, to_json(manifest))
    _delete_following(folder, len(stored.files))


def _manifest(
    config: ModelConfig,
    tokenizer: Tokenizer,
    facts: OnnxFacts,
    dtype: str,
    files: Iterable[WrittenFile],
) -> dict[str, Any]:
    training = {"step": facts.step, "base_model": facts.base_model, "dataset": facts.dataset}
    return {
        "version": MANIFEST_VERSION,
        "name": facts.name,
        **{key: value for key, value in training.items() if value},
        "config": dataclasses.asdict(config),
        "dtype": dtype,
        "parameters": config.n_parameters,
        "end_of_text": tokenizer.end_of_text,
        "prompt_prefix": facts.prompt_prefix,
        "prompt_suffix": facts.prompt_suffix,
        "stop": list(facts.stop),
        "files": [dataclasses.asdict(file) for file in files],
    }


def _written(path: Path) -> WrittenFile:
    content = path.read_bytes()
    return WrittenFile(path.name, len(content), hashlib.sha256(content).hexdigest())


def _delete_following(folder: Path, n_files: int) -> None:
    """Delete files of weights that an earlier export left, of a larger model."""
    order = n_files
    while (path := folder / weights_file(order)).is_file():
        delete_file(path)
        order += 1
