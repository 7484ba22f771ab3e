"""GPT-2 in plain TensorFlow, top to bottom as one would explain it.

Variables in a dict under OpenAI's own names, and functions over them. Ids in, logits out: knows
nothing of text, files or sampling. The architecture is that of "Language Models are Unsupervised
Multitask Learners" (Radford et al. 2019): a Transformer decoder with layer norm before each
sublayer, learned positions, and an output matrix tied to the token embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.model.attention import causal_attention, causal_masks
from gpt2_helpers.model.layers import gelu, layer_norm
from gpt2_helpers.model.lora import SCALE
from gpt2_helpers.model.loss import added_at, mean_cross_entropy, measured_cross_entropy
from gpt2_helpers.model.products import product
from gpt2_helpers.model.variables import variable_shapes

Weights = Mapping[str, Any]  # OpenAI's name -> tf.Variable or tensor
KeyValue = tuple[tf.Tensor, tf.Tensor]  # each (batch, head, time, head_dim)


def random_weights(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Fresh weights as GPT-2's were drawn: 0.02 normal, projections into the residual stream
    smaller by the square root of their number, positions 0.01, norms one and biases zero."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in variable_shapes(config).items():
        if name.endswith("/g"):
            weights[name] = np.ones(shape, np.float32)
        elif name.endswith("/b"):
            weights[name] = np.zeros(shape, np.float32)
        else:
            scale = 0.01 if name == "model/wpe" else 0.02
            if name.endswith("c_proj/w"):
                scale /= math.sqrt(2 * config.n_layer)
            weights[name] = random.standard_normal(shape, np.float32) * np.float32(scale)
    return weights


def linear(x: tf.Tensor, weights: Weights, name: str) -> tf.Tensor:
    """(rows, n_in) -> (rows, n_out). OpenAI's `w` has a leading 1, as of a convolution's width.
    Where a matrix has an adapter, what that adds is added."""
    matrix = tf.squeeze(weights[f"{name}/w"], axis=0)
    out = tf.nn.bias_add(product(x, matrix), weights[f"{name}/b"])
    if f"{name}/lora_a" in weights:
        low = tf.matmul(x, weights[f"{name}/lora_a"])  # (rows, rank)
        out += tf.matmul(low, weights[f"{name}/lora_b"]) * tf.cast(SCALE, x.dtype)
    return out


def dropped(x: tf.Tensor, rate: float, seed: tf.Tensor | None, site: int) -> tf.Tensor:
    """Dropout with a stateless `seed` (two whole numbers), so that a resumed run drops the same.

    Sixteen random bits decide for each activation: half of what the library's draws, and faster.
    """
    if seed is None or rate == 0.0:
        return x
    count = tf.size(x)
    drawn = tf.random.stateless_uniform(
        [(count + 1) // 2], seed + [0, site * 65536], None, None, tf.int32, alg="philox"
    )
    bits = tf.reshape(tf.bitcast(drawn, tf.uint16), [-1])[:count]
    kept = tf.cast(bits, tf.int32) >= round(rate * 65536)
    return x * tf.cast(tf.reshape(kept, tf.shape(x)), x.dtype) * tf.cast(1 / (1 - rate), x.dtype)


def split_heads(x: tf.Tensor, batch: tf.Tensor | int, n_head: int) -> tf.Tensor:
    """(batch * time, n_head * head_dim) -> (batch, head, time, head_dim)."""
    x = tf.reshape(x, [batch, -1, n_head, x.shape[-1] // n_head])
    return tf.transpose(x, [0, 2, 1, 3])


def merge_heads(x: tf.Tensor, n_embd: int) -> tf.Tensor:
    """(batch, head, time, head_dim) -> (batch * time, n_embd)."""
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, n_embd])


def attend(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    visible: tf.Tensor,
    rate: float = 0.0,
    seed: tf.Tensor | None = None,
    site: int = 0,
) -> tf.Tensor:
    """Scaled dot-product attention over what is `visible` (True where a key may be seen).

    query (batch, head, time, head_dim); key and value (batch, head, keys, head_dim); visible
    broadcasts to (batch, head, time, keys). Returns the query's shape.
    """
    scale = 1.0 / math.sqrt(query.shape[-1])
    scores = tf.matmul(query * tf.cast(scale, query.dtype), key, transpose_b=True)
    # (batch, head, time, keys); a large finite number, since a row of minus infinities is no odds
    scores = tf.where(visible, tf.cast(scores, tf.float32), tf.constant(-1e9))
    odds = tf.cast(tf.nn.softmax(scores), value.dtype)
    return tf.matmul(dropped(odds, rate, seed, site), value)


def causal_mask(time: tf.Tensor) -> tf.Tensor:
    """(time, time): True where the key is not later than the query."""
    steps = tf.range(time)
    return steps[:, None] >= steps[None, :]


def block(
    x: tf.Tensor,
    weights: Weights,
    config: ModelConfig,
    layer: int,
    batch: tf.Tensor | int,
    masks: Sequence[tf.Tensor] | None = None,
    rate: float = 0.0,
    seed: tf.Tensor | None = None,
) -> tuple[tf.Tensor, KeyValue]:
    """One Transformer layer: x (batch * time, n_embd) to the same, and its keys and values. With
    `masks`, those of the time, attention has a gradient of its own (see `attention`)."""
    name = f"model/h{layer}"
    normal = layer_norm(x, weights[f"{name}/ln_1/g"], weights[f"{name}/ln_1/b"])
    parts = linear(normal, weights, f"{name}/attn/c_attn")  # (batch * time, 3 * n_embd)
    query, key, value = tf.split(split_heads(parts, batch, 3 * config.n_head), 3, axis=1)
    if masks is not None and (seed is None or rate == 0.0):
        for part in (query, key, value):
            part.set_shape([None, None, masks[-1].shape[-1], config.head_dim])
        mixed = causal_attention(query, key, value, masks)
    else:
        visible = causal_mask(tf.shape(query)[2])
        mixed = attend(query, key, value, visible, rate, seed, site=3 * layer + 1)
    mixed = linear(merge_heads(mixed, config.n_embd), weights, f"{name}/attn/c_proj")
    x = x + dropped(mixed, rate, seed, site=3 * layer + 2)
    x = x + dropped(feed_forward(x, weights, name), rate, seed, site=3 * layer + 3)
    return x, (key, value)


def feed_forward(x: tf.Tensor, weights: Weights, name: str) -> tf.Tensor:
    """The layer's second half: norm, four times wider, GELU (by tanh), and back."""
    normal = layer_norm(x, weights[f"{name}/ln_2/g"], weights[f"{name}/ln_2/b"])
    hidden = gelu(linear(normal, weights, f"{name}/mlp/c_fc"))
    return linear(hidden, weights, f"{name}/mlp/c_proj")


def hidden_states(
    weights: Weights,
    config: ModelConfig,
    ids: tf.Tensor,
    rate: float = 0.0,
    seed: tf.Tensor | None = None,
    recompute: bool = False,
    embedded: tf.Tensor | None = None,
) -> tuple[tf.Tensor, list[KeyValue]]:
    """ids (batch, time) -> last hidden states (batch * time, n_embd), and every layer's keys and
    values. `recompute` keeps only each layer's input and computes the rest again for gradients;
    then there are no keys and values. `rate` and `seed` (2) are those of dropout, and `embedded`
    (batch, time, n_embd) are the ids' embeddings, where they are at hand."""
    batch = ids.shape[0] or tf.shape(ids)[0]
    masks = causal_masks(ids.shape[1]) if ids.shape[1] else None
    if embedded is None:
        embedded = tf.gather(weights["model/wte"], ids)
    x = embedded + weights["model/wpe"][: tf.shape(ids)[1]]
    x = dropped(tf.reshape(x, [-1, config.n_embd]), rate, seed, site=0)  # (batch * time, n_embd)
    caches = []
    for layer in range(config.n_layer):

        def run_layer(x: tf.Tensor, own: Weights, layer: int = layer) -> tuple[tf.Tensor, KeyValue]:
            return block(x, own, config, layer, batch, masks, rate, seed)

        own = {name: w for name, w in weights.items() if name.startswith(f"model/h{layer}/")}
        if recompute:
            # What is trained is handed in: closed over, casts to 16 bits would get no gradient.
            adapted = any("/lora_" in name for name in own)
            trained = {name: w for name, w in own.items() if "/lora_" in name or not adapted}

            def again(
                x: tf.Tensor, trained: Weights, run: Any = run_layer, own: Weights = own
            ) -> tf.Tensor:
                return run(x, {**own, **trained})[0]

            x = tf.recompute_grad(again)(x, trained)
        else:
            x, cache = run_layer(x, own)
            caches.append(cache)
    return layer_norm(x, weights["model/ln_f/g"], weights["model/ln_f/b"]), caches


def embed(embeddings: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows of embeddings (n_vocab, n_embd) for ids (batch, time) -> (batch, time, n_embd), and the
    embeddings as the output is to multiply with them.

    Both have a gradient as large as the matrix. In fp32 that of the rows is added into that of the
    output where it lies, so that there never are two; in 16 bits so many small numbers would be
    lost beside the large ones.
    """
    if embeddings.dtype != tf.float32:
        return tf.gather(embeddings, ids), embeddings

    @tf.custom_gradient
    def both(embeddings: tf.Tensor) -> Any:
        def gradient(to_rows: tf.Tensor, to_all: tf.Tensor) -> tf.Tensor:
            return added_at(to_all, ids[..., None], to_rows)

        return (tf.gather(embeddings, ids), tf.identity(embeddings)), gradient

    found: tuple[tf.Tensor, tf.Tensor] = both(embeddings)
    return found


def next_token_logits(hidden: tf.Tensor, weights: Weights) -> tf.Tensor:
    """(rows, n_embd) -> fp32 logits (rows, n_vocab), by the token embeddings themselves."""
    return tf.cast(tf.matmul(hidden, weights["model/wte"], transpose_b=True), tf.float32)


class GPT2:
    """A GPT-2's weights and their shape. `precision` is the type that matrices multiply in.

    A `frozen` one holds its weights in 16 bits, half as large; only adapters can be trained (see
    `load_adapters`).

    `GPT2(config, random_weights(config)).logits([[5, 7]])` has shape (1, 2, n_vocab).
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Mapping[str, np.ndarray],
        precision: str = "float32",
        frozen: bool = False,
    ) -> None:
        """`weights` must hold exactly the variables of `variable_shapes(config)`; they are taken
        one by one."""
        self.config = config
        self.precision = precision
        self.frozen = frozen
        self.decoding_precision = precision  # may be another, int8 among them
        self.strategy = tf.distribute.get_strategy()  # the devices that the variables live on
        # For fp32 products in float16, which has three digits more than bfloat16.
        narrow = "float16" if precision == "float32" else precision
        held = tf.as_dtype(narrow if frozen else "float32")
        self.variables: dict[str, tf.Variable] = {
            name: tf.Variable(
                tf.saturate_cast(weights[name], held),
                trainable=not frozen,
                name=name.replace("/", "_"),
            )
            for name in variable_shapes(config)
        }
        self.adapters: dict[str, tf.Variable] = {}
        self.version = 0  # counts changes of the weights, so that copies of them know
        self._compile()

    def _compile(self) -> None:
        ids = tf.TensorSpec([None, None], tf.int32)
        self._logits = tf.function(self._forward, input_signature=[ids], autograph=False)

    @property
    def dtype(self) -> tf.DType:
        return tf.as_dtype(self.precision)

    def load_adapters(self, adapters: Mapping[str, np.ndarray]) -> None:
        """Put these adapters beside the matrices, in place of those there were."""
        # In an order of their own, by which an optimizer's state finds its variable again.
        arrays = {name: adapters[name] for name in sorted(adapters)}
        known = {name: tuple(variable.shape) for name, variable in self.adapters.items()}
        if known == {name: array.shape for name, array in arrays.items()}:
            for name, array in arrays.items():
                self.adapters[name].assign(array)
        else:
            self.adapters = {
                name: tf.Variable(array, name=name.replace("/", "_"))
                for name, array in arrays.items()
            }
            self._compile()  # the graph of logits reads the former variables
        self.version += 1

    def effective_weight(self, name: str, base: np.ndarray | None = None) -> tf.Tensor:
        """The fp32 weight of this name as it counts now, what its adapter adds included. `base` is
        taken in place of the model's own, which a frozen one has rounded."""
        weight = tf.cast(self.variables[name] if base is None else base, tf.float32)
        if not self.has_adapter(name):
            return weight
        a, b = (self.adapters[f"{name.removesuffix('/w')}/lora_{kind}"] for kind in "ab")
        return weight + SCALE * tf.matmul(a, b)[None]

    def has_adapter(self, name: str) -> bool:
        """Whether an adapter stands beside the weight of this name."""
        return f"{name.removesuffix('/w')}/lora_a" in self.adapters

    def logits(self, ids: Any) -> tf.Tensor:
        """ids (batch, time) -> fp32 logits (batch, time, n_vocab).

        Raises OptionError for ids outside the vocabulary or longer than the context.
        """
        array = np.asarray(ids)
        if array.ndim != 2 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
            raise OptionError(f"ids must be whole numbers [batch, time], got shape {array.shape}")
        if array.shape[1] > self.config.n_ctx:
            raise OptionError(
                f"ids must not be longer than the context of {self.config.n_ctx} tokens, "
                f"got {array.shape[1]}"
            )
        if array.min() < 0 or array.max() >= self.config.n_vocab:
            raise OptionError(
                f"ids must lie between 0 and {self.config.n_vocab - 1}, "
                f"got {array.min()} to {array.max()}"
            )
        return self._logits(tf.constant(array, tf.int32))

    def _in_precision(self) -> dict[str, tf.Tensor]:
        """Weights and adapters as they are computed with; gradients flow back to the variables. A
        frozen matrix of a layer stays as it is held: see `product`."""
        return {
            name: tf.convert_to_tensor(variable)
            if self.frozen and "/h" in name and name.endswith("/w")
            else tf.cast(variable, self.dtype)
            for name, variable in {**self.variables, **self.adapters}.items()
        }

    def _forward(self, ids: tf.Tensor) -> tf.Tensor:
        weights = self._in_precision()
        hidden, _ = hidden_states(weights, self.config, ids)  # (batch * time, n_embd)
        batch, time = tf.unstack(tf.shape(ids))
        return tf.reshape(next_token_logits(hidden, weights), [batch, time, self.config.n_vocab])

    def loss(
        self,
        windows: tf.Tensor,
        dropout: float = 0.0,
        seed: tf.Tensor | None = None,
        recompute: bool = False,
        train_embeddings: bool = True,
        measured: bool = False,
    ) -> tf.Tensor:
        """Mean cross-entropy, in nats a token, of predicting each id of `windows` (batch, time)
        but the first from those before it. Differentiable, without `train_embeddings` not for them
        as the output matrix, and not at all where it is only `measured`; for use inside a
        tf.function. `dropout` needs a `seed` (2), without which nothing is dropped."""
        weights = self._in_precision()
        ids, targets = windows[:, :-1], tf.reshape(windows[:, 1:], [-1])
        embedded, embeddings = embed(weights["model/wte"], ids)
        hidden, _ = hidden_states(weights, self.config, ids, dropout, seed, recompute, embedded)
        if measured:
            return measured_cross_entropy(hidden, embeddings, targets)
        trained = train_embeddings and not self.frozen
        return mean_cross_entropy(hidden, embeddings, targets, trained, save_memory=recompute)
