"""One optimizer step: the gradients of micro-batches on one or several devices, and their use.

TensorFlow runs it as a graph. On a GPU it is also compiled by XLA, and the faster of the two is
used (see `FasterProgram`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.ops import gradient_registry

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.system import xla
from gpt2_helpers.training.faster_program import FasterProgram


class TrainStep:
    """Computes gradients and updates the weights: `step(micro_batches, seed, steps_left)`.

    With fp16 nothing is updated if gradients overflow.
    """

    def __init__(
        self,
        model: GPT2,
        config: FinetuneConfig,
        variables: Sequence[tf.Variable],
        optimizer: Any,
        window_shape: tuple[int, ...],
        notes: list[str],
        local_devices: int = 1,
    ) -> None:
        """Trace nothing yet.

        Args:
            model: The model to train.
            config: The training options.
            variables: What is trained.
            optimizer: Keras's optimizer, or its `LossScaleOptimizer`.
            window_shape: Shape of a window.
            notes: Gets a line for the user when the faster program is chosen.
            local_devices: Number of devices of this machine that train.
        """
        self._model, self._config, self._variables = model, config, variables
        self._optimizer, self._window_shape = optimizer, window_shape
        self._strategy, self._local_devices = model.strategy, local_devices
        self._scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        self._graph = self._program(compiled=False)
        # XLA compiles for one device only.
        can_compile = xla.is_enabled() and self._strategy.num_replicas_in_sync == 1
        compiled = self._program(compiled=True) if can_compile else None
        self._faster = FasterProgram(self._graph, compiled, notes)

    def __call__(
        self, micro_batches: NDArray[Any], seed: NDArray[Any], steps_left: int | None = None
    ) -> float:
        """Run the step.

        Args:
            micro_batches: The windows of this machine's devices: (micro-batch, window of any
                device, *shape of a window).
            seed: Dropout's seed (2).
            steps_left: Steps until training ends, including this one; None if unknown.

        Returns:
            The loss.
        """
        return self._faster(micro_batches, seed, calls_left=steps_left)

    @property
    def is_choosing(self) -> bool:
        """Whether the graph and the compiled step are being compared."""
        return self._faster.is_choosing

    def concrete_function(self, compiled: bool = False) -> Any:
        """The traced step, as a graph or for XLA."""
        program = self._program(compiled) if compiled else self._graph
        return program.get_concrete_function()

    def _program(self, compiled: bool) -> Any:
        def step(micro_batches: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            with unregistered_gradients(), xla.tracing(compiled):
                losses = self._strategy.run(self._replica_step, args=(micro_batches, seed))
            return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

        shape = [self._config.accumulate_gradients, None, *self._window_shape]
        signature = [tf.TensorSpec(shape, tf.int32), tf.TensorSpec([2], tf.int32)]
        # AutoGraph would find no loop or branch here, and double the time of tracing.
        return tf.function(
            step, input_signature=signature, autograph=False, jit_compile=compiled or None
        )

    def _replica_step(self, micro_batches: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One step on one device: average gradients over micro-batches and devices, apply them."""
        config, context = self._config, tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group  # among the devices of all machines
        first = replica % self._local_devices * config.batch_size
        # A static shape saves TensorFlow from computing it at each step.
        shape = [config.accumulate_gradients, config.batch_size, *self._window_shape]
        replicas = context.num_replicas_in_sync
        divisor = None
        if len(self._window_shape) > 1:
            # Windows of documents differ in their number of targets. Each micro-batch is divided
            # by the average, so that every target of the step weighs the same.
            total = self._total_targets(micro_batches[:, first : first + config.batch_size, 1])
            divisor = total / (config.accumulate_gradients * replicas)
        micro_batches = tf.reshape(micro_batches[:, first : first + config.batch_size], shape)
        # Dropout depends on the place of a window among those of all devices.
        seed = tf.concat([seed, [replica * config.batch_size]], 0)
        loss, gradients = self._accumulated_gradients(micro_batches, seed, divisor)
        if replicas > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        self._optimizer.apply(gradients, self._variables)
        return loss

    def _total_targets(self, own: tf.Tensor) -> tf.Tensor:
        """The number of targets on all devices, given those of one device."""
        context = tf.distribute.get_replica_context()
        count = tf.reduce_sum(tf.cast(own >= 0, tf.float32))
        if context.num_replicas_in_sync > 1:
            count = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
        return tf.maximum(1.0, count)

    def _accumulated_gradients(
        self, micro_batches: tf.Tensor, seed: tf.Tensor, divisor: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Mean loss and gradients over micro-batches (micro-batch, batch, *shape of a window)."""
        count = self._config.accumulate_gradients
        if count == 1:
            return self._gradients(micro_batches[0], seed, divisor)

        def add(index: tf.Tensor, loss: tf.Tensor, totals: list[tf.Tensor]) -> Any:
            micro_loss, gradients = self._gradients(
                micro_batches[index], seed + [index * 65536, 0, 0], divisor
            )
            totals = [a + b for a, b in zip(totals, gradients, strict=True)]
            return index + 1, loss + micro_loss, totals

        # Starting from the first micro-batch's gradients would hold a second set of activations.
        zeros = [tf.zeros(variable.shape) for variable in self._variables]
        _, loss, totals = tf.while_loop(
            lambda index, *_: index < count, add, [0, 0.0, zeros], parallel_iterations=1
        )
        return loss / count, [total / count for total in totals]

    def _gradients(
        self, windows: tf.Tensor, seed: tf.Tensor, divisor: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Loss and gradients of windows (batch, *shape of a window)."""
        config = self._config
        with tf.GradientTape() as tape:
            loss = self._model.loss(
                windows,
                config.dropout,
                seed if config.dropout else None,
                recompute=config.use_memory_saving_gradients,
                train_embeddings=not config.only_train_transformer_layers,
                n_targets=divisor,
            )
            scaled = self._optimizer.scale_loss(loss) if self._scales_loss else loss
        gradients = tape.gradient(scaled, self._variables)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


@contextmanager
def unregistered_gradients() -> Iterator[None]:
    """Unregister the custom gradients that were registered inside the context.

    TensorFlow would keep them, and with them the graph, the weights and the optimizer, for the life
    of the process. Recomputed activations register some, and so does a reduction over devices, even
    over one. The registry is global: two threads must not compile training graphs at the same time.
    """
    before = set(gradient_registry.list())
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - before:
            del gradient_registry._registry[name]  # has no public function
