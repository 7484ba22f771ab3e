"""onnxruntime, with the graph of `onnx_graph` and sampling in NumPy; the option is fp32 or int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines import onnx_graph
from gpt2_helpers.bench.ours import prompts_of
from gpt2_helpers.bench.workload import Workload
from gpt2_helpers.model_config import ModelConfig
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from workloads import END


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = device.cores()
    graph = onnx_graph.FP32 if option == "fp32" else onnx_graph.INT8
    path = folder.with_name(f"{folder.name}-onnx") / graph
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    config = ModelConfig.load(folder)
    empty = np.zeros((config.n_head, 0, config.head_dim), np.float32)
    names = [f"past_{part}{layer}" for layer in range(config.n_layer) for part in "kv"]
    prompts, random = prompts_of(workload, folder), np.random.default_rng(0)

    def generate(prompt: list[int]) -> list[int]:
        ids, past = prompt, dict.fromkeys(names, empty)
        written: list[int] = []
        for _ in range(workload.length):
            inputs = {"input_ids": np.array(ids, np.int64), **past}
            found = dict(zip(outputs, session.run(outputs, inputs), strict=True))
            past = {name: found[name.replace("past", "present")] for name in names}
            ids = [_sample(found["logits"][0] / 0.7, workload.top_k, random)]
            written += ids
        return written

    def run() -> int | str:
        count = 0
        for _ in range(workload.keystrokes):
            written = generate(next(prompts) or [END])
            if workload.kind == "most likely":
                return Tokenizer.load(folder).decode(written)
            count += len(written)
        return count

    return run


def _sample(logits: np.ndarray, top_k: int, random: np.random.Generator) -> int:
    """Draw an id from the `top_k` most likely ones."""
    kept = np.argpartition(logits, -top_k)[-top_k:]
    probabilities = np.exp(logits[kept] - logits[kept].max())
    return int(random.choice(kept, p=probabilities / probabilities.sum()))
