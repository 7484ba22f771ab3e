"""Every graph of training and decoding could run on a GPU: checked in TensorFlow's kernel registry.

A node without a GPU kernel, or one whose kernel computes in main memory, would be slow there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig, ModelConfig
from gpt2_helpers.generation.tf_decoder import TfDecoder, TfWeights
from gpt2_helpers.generation.xla_decoder import XlaDecoder
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.system import device
from gpt2_helpers.system.device import Gpu
from gpt2_helpers.training.trainer import Trainer
from gpu_kernels import XLA_GPU, Nodes

pytestmark = pytest.mark.skipif(
    not tf.test.is_built_with_cuda(), reason="this TensorFlow has no kernels for GPUs"
)

# Two blocks of the gradients of embeddings.
SHAPE = ModelConfig(n_vocab=9000, n_ctx=160, n_embd=16, n_head=2, n_layer=1)
TOKENS = np.arange(2000) % SHAPE.n_vocab
PRECISIONS = ("float32", "float16", "bfloat16")
BATCH = 3
# Tensors of fewer numbers per token may be copied: ids, targets and their indices. Activations
# have `n_embd` or more.
COPIED_PER_TOKEN = 8

SAVING: dict[str, Any] = {"use_memory_saving_gradients": True}
# Together they have every option that changes the graph.
TRAINING: dict[str, dict[str, Any]] = {
    "adam": {},
    "several passes": {"accumulate_gradients": 2, "dropout": 0.1, "optimizer": "adamw", **SAVING},
    "adafactor": {"optimizer": "adafactor", **SAVING},
    "adapters": {"lora_rank": 2, "dropout": 0.1, "max_grad_norm": 1.0, "optimizer": "sgd"},
    # Of eight windows the loss has two blocks.
    "documents": {"batch_size": 8, "only_train_transformer_layers": True, "optimizer": "sgd"},
}


class Documents:
    """Windows of documents, of the shape that `DocumentWindows` has."""

    tokens, tokens_per_window = TOKENS, float(SHAPE.n_ctx)
    shape = (3, SHAPE.n_ctx)

    def batch(self, seed: int, step: int, count: int, numbers: Any = None) -> np.ndarray:
        raise NotImplementedError

    def validation(self, max_windows: int) -> list[np.ndarray]:
        return [np.zeros(self.shape, np.int32)]


@pytest.fixture(autouse=True, scope="module")
def _on_a_gpu() -> Iterator[None]:
    """Trace the graphs that a GPU gets."""
    # XLA registers its kernels when something is compiled.
    tf.function(lambda x: x + 1.0, jit_compile=True)(tf.constant(1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "gpus", lambda: (Gpu("/device:GPU:0", "Tesla T4", None, (7, 5)),))
        yield


def model_of(precision: str, rank: int = 0) -> GPT2:
    model = GPT2(SHAPE, random_weights(SHAPE), precision, frozen=rank > 0)
    if rank:
        model.load_adapters(new_adapters(SHAPE, rank, seed=0))
    return model


def trainer_of(name: str, precision: str) -> Trainer:
    config = FinetuneConfig(**{"accumulate_gradients": 1, **TRAINING[name]})
    source: Any = Documents() if name == "documents" else TOKENS
    return Trainer(model_of(precision, config.lora_rank), source, config, validation=source)


def graph_of(function: Any) -> Any:
    return function.get_concrete_function().graph


def assert_runs_on_a_gpu(graph: Any, n_tokens: int, unknown: int = SHAPE.n_ctx) -> None:
    """`n_tokens` is how many the graph computes, `unknown` a dimension that it leaves open."""
    nodes = Nodes(graph)
    assert not nodes.missing_kernels()
    assert not nodes.host_copies(COPIED_PER_TOKEN * n_tokens, unknown)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TRAINING)
def test_training_runs_on_a_gpu(name: str, precision: str) -> None:
    trainer = trainer_of(name, precision)
    batch_size = trainer.config.batch_size
    n_tokens = batch_size * SHAPE.n_ctx
    assert_runs_on_a_gpu(trainer._train.concrete_function().graph, n_tokens, batch_size)
    if name in ("adam", "documents"):
        assert_runs_on_a_gpu(graph_of(trainer._evaluate), n_tokens)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["several passes", "documents"])
def test_xla_has_kernels_for_training(name: str, precision: str) -> None:
    graph = trainer_of(name, precision)._train.concrete_function(compiled=True).graph
    assert not Nodes(graph).missing_kernels(XLA_GPU)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_xla_compiles_decoding_and_has_its_kernels_for_a_gpu(precision: str) -> None:
    model = model_of("float32")
    weights = TfWeights(model, tf.as_dtype(precision))
    decoder = XlaDecoder(model, BATCH, SHAPE.n_ctx, weights)
    decoder.prefill(1, list(range(100)))
    decoder.logits(np.array([1, 2], np.int32), np.array([0, 100], np.int32))
    programs = [decoder._compiled_step, *decoder._stores.values(), *weights._prefills.values()]
    assert len(programs) == 3
    for program in programs:
        assert not Nodes(program.graph).missing_kernels(XLA_GPU)


def decoding_graphs(precision: str) -> Iterator[tuple[Any, int]]:
    """The graphs, and the number of tokens that each computes."""
    model = model_of("float32")
    decoder = TfDecoder(model, BATCH, SHAPE.n_ctx, TfWeights(model, tf.as_dtype(precision)))
    # The positions of the keys (keys) may be copied, but neither the mask (batch, keys) nor
    # indices (batch, head, keys).
    yield decoder._step_logits.graph, SHAPE.n_ctx // COPIED_PER_TOKEN + 1
    yield decoder._store.graph, SHAPE.n_ctx
    yield decoder.weights.prefill.graph, SHAPE.n_ctx
    # Ids of unknown shape, (batch, time).
    yield decoder.weights._log_probabilities.graph, SHAPE.n_ctx**2
    yield graph_of(model_of(precision)._logits), SHAPE.n_ctx**2


@pytest.mark.parametrize("precision", PRECISIONS)
def test_decoding_runs_on_a_gpu(precision: str) -> None:
    for graph, n_tokens in decoding_graphs(precision):
        assert_runs_on_a_gpu(graph, n_tokens)


def test_comparing_int32_is_found_to_compute_in_main_memory() -> None:
    @tf.function(input_signature=[tf.TensorSpec([100])], autograph=False)
    def in_main_memory(x: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.cast(x, tf.int32) > 3, x, 0.0)

    nodes = Nodes(graph_of(in_main_memory))
    assert not nodes.missing_kernels()
    assert nodes.host_copies(100, 1) == {
        "to main memory: Cast -> Greater int32": 1,
        "to the GPU: Greater -> SelectV2 bool": 1,
    }
    assert not nodes.host_copies(101, 1)


def test_an_operation_without_a_gpu_kernel_is_found_inside_a_loop() -> None:
    @tf.function(input_signature=[tf.TensorSpec([4])], autograph=False)
    def loop(x: tf.Tensor) -> tf.Tensor:
        def body(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, x + tf.reduce_sum(tf.raw_ops.ListDiff(x=x, y=x).out)

        return tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]

    (missing,) = Nodes(graph_of(loop)).missing_kernels()
    assert missing.startswith("ListDiff")
