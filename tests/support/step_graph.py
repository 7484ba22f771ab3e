"""The graph of a training step, and the gradients of single operations, for tests of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig, ModelConfig
from gpt2_helpers.model.block_sizes import QUERIES
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.training.trainer import Trainer


def output_and_gradients(
    compute: Callable[..., Any], inputs: Sequence[Any], d_output: Any
) -> list[np.ndarray]:
    """The output of `compute`, and its gradient for each input given that of the output."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = compute(*inputs)
    gradients = tape.gradient(output, inputs, d_output)
    return [output.numpy(), *(gradient.numpy() for gradient in gradients)]


def nodes_of_a_step(**options: Any) -> dict[str, Any]:
    """By name, the nodes of a training step of a model whose context is two blocks of attention."""
    shape = ModelConfig(n_vocab=60, n_ctx=2 * QUERIES, n_embd=16, n_head=2, n_layer=2)
    config = FinetuneConfig(steps=1, batch_size=1, accumulate_gradients=1, **options)
    model = GPT2(shape, random_weights(shape), frozen=config.lora_rank > 0)
    if config.lora_rank:
        model.load_adapters(new_adapters(shape, config.lora_rank, seed=0))
    trainer = Trainer(model, np.arange(4 * shape.n_ctx) % 60, config)
    graph = trainer._train.concrete_function().graph.as_graph_def()
    return {node.name: node for node in graph.node}


def control_inputs(node: Any) -> list[str]:
    """The names of the nodes that must have run before this one."""
    return [name.removeprefix("^") for name in node.input if name.startswith("^")]
