"""Optimizers: Keras's, with a faster Adam and a smaller Adafactor.

They update the variables they are given; learning-rate schedules are in `lr_schedule`.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from gpt2_helpers.config import FinetuneConfig


class AppliesReduced(keras.optimizers.Optimizer):
    """Applies gradients that are already averaged over the devices, so they can be clipped first.

    Keras clips the gradients of each device, and then adds them up.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[Any]:
        """Exchange nothing between devices."""
        return [*grads_and_vars]


class SGD(AppliesReduced, keras.optimizers.SGD):
    """Keras's stochastic gradient descent."""


class Adam(AppliesReduced, keras.optimizers.Adam):
    """Adam (Kingma and Ba 2015), fused into one operation per variable.

    Equal to Keras's, which passes over the weights about twelve times.
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update all variables."""
        # Computed once for all variables: once for each would make the graph much larger.
        step = ops.cast(self.iterations + 1, "float32")
        self._powers = (ops.power(self.beta_1, step), ops.power(self.beta_2, step))
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable: algorithm 1 of the paper."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle if isinstance(variable, tf.Variable) else variable.value.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self._powers[0],
            beta2_power=self._powers[1],
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=ops.cast(gradient, variable.dtype),
        )


class Adafactor(AppliesReduced, keras.optimizers.Adafactor):
    """Adafactor (Shazeer and Stern 2018) with factored second moments.

    Keeps only the row and column means of a matrix's squared gradients. Keras's version also stores
    their product, which takes as much memory as the weights.
    """

    def build(self, var_list: list[Any]) -> None:
        """Create the second moments: row and column means of matrices, all elements of vectors."""
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, var_list)
        self._means = []
        for variable in var_list:
            shape = tuple(variable.shape)
            shapes = [shape] if len(shape) < 2 else [shape[:-1], (*shape[:-2], shape[-1])]
            self._means.append(
                [self.add_variable(shape=s, dtype=variable.dtype, name="mean") for s in shapes]
            )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable: section 6 and algorithm 4 of the paper."""
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        rate = ops.minimum(ops.cast(learning_rate, variable.dtype), 1 / ops.sqrt(step))
        decay = 1 - ops.power(step, self.beta_2_decay)
        squares = ops.square(gradient) + self.epsilon_1
        means = self._means[self._get_variable_index(variable)]
        if len(means) == 1:
            self.assign(means[0], decay * means[0] + (1 - decay) * squares)
            update = gradient * ops.rsqrt(means[0])
        else:
            for mean, axis in zip(means, (-1, -2), strict=True):
                self.assign(mean, decay * mean + (1 - decay) * ops.mean(squares, axis=axis))
            rows, columns = means
            rows = rows / ops.mean(rows, axis=-1, keepdims=True)
            update = gradient * ops.expand_dims(ops.rsqrt(rows), -1)
            update = update * ops.expand_dims(ops.rsqrt(columns), -2)
        scale = ops.maximum(ops.cast(self.epsilon_2, variable.dtype), self._rms(variable))
        clipping = ops.maximum(1.0, self._rms(update) / self.clip_threshold)
        self.assign_sub(variable, update * (rate * scale / clipping))


def make_optimizer(config: FinetuneConfig, vectors: list[tf.Variable]) -> Any:
    """Create the optimizer named by the options.

    Args:
        config: The training options.
        vectors: Biases and layer-norm gains, which are exempt from weight decay.

    Returns:
        A Keras optimizer, to which every device passes the same gradients.
    """
    decay = config.weight_decay
    if decay is None:
        decay = 0.01 if config.optimizer == "adamw" else 0.0
    shared = {
        "learning_rate": config.learning_rate,
        "weight_decay": decay or None,
        "global_clipnorm": config.max_grad_norm or None,
    }
    if config.optimizer in ("adam", "adamw"):
        optimizer = Adam(epsilon=1e-8, **shared)  # AdamW, if there is weight decay
    elif config.optimizer == "adafactor":
        optimizer = Adafactor(**shared)
    else:
        optimizer = SGD(**shared)
    if decay:
        optimizer.exclude_from_weight_decay(var_list=vectors)
    return optimizer
