"""GPT-2 in plain TensorFlow, written to be read from top to bottom.

The weights are variables in a dict, under OpenAI's names; the model is functions over them. Token
ids in, logits out.

The architecture is that of "Language Models are Unsupervised Multitask Learners" (Radford et al.
2019): a Transformer decoder with layer norm before each sublayer, learned position embeddings, and
an output matrix tied to the token embeddings.

Activations are stored as (batch * time, n_embd), called rows, so that every layer but attention is
a plain matmul.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.model.attention import (
    additive_masks,
    causal_attention,
    causal_mask,
    dot_product_attention,
)
from gpt2_helpers.model.layers import dropout, embed, gelu, layer_norm, matmul
from gpt2_helpers.model.lora import LORA_SCALE
from gpt2_helpers.model.loss import evaluation_cross_entropy, mean_cross_entropy
from gpt2_helpers.model.variables import variable_shapes

Weights = Mapping[str, Any]  # OpenAI's name -> tf.Variable or tensor
KeyValue = tuple[tf.Tensor, tf.Tensor]  # each (batch, head, time, head_dim)


def linear(x: tf.Tensor, weights: Weights, name: str) -> tf.Tensor:
    """Compute x W + b, plus the LoRA adapter's contribution if there is one.

    OpenAI's `w` has a leading axis of 1, as a convolution of width 1.

    Args:
        x: (rows, n_in).
        weights: Must contain `name/w` (1, n_in, n_out) and `name/b` (n_out).
        name: Name of the layer, such as "model/h0/attn/c_attn".

    Returns:
        (rows, n_out).
    """
    weight = tf.squeeze(weights[f"{name}/w"], axis=0)  # (n_in, n_out)
    out = tf.nn.bias_add(matmul(x, weight), weights[f"{name}/b"])
    if f"{name}/lora_a" in weights:
        low = tf.matmul(x, weights[f"{name}/lora_a"])  # (rows, rank)
        out += tf.matmul(low, weights[f"{name}/lora_b"]) * tf.cast(LORA_SCALE, x.dtype)
    return out


def split_heads(x: tf.Tensor, batch: tf.Tensor | int, n_head: int) -> tf.Tensor:
    """(batch * time, n_head * head_dim) -> (batch, head, time, head_dim)."""
    x = tf.reshape(x, [batch, -1, n_head, x.shape[-1] // n_head])
    return tf.transpose(x, [0, 2, 1, 3])


def merge_heads(x: tf.Tensor, n_embd: int) -> tf.Tensor:
    """(batch, head, time, head_dim) -> (batch * time, n_embd)."""
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, n_embd])


def feed_forward(x: tf.Tensor, weights: Weights, name: str) -> tf.Tensor:
    """The MLP sublayer: layer norm, expansion to 4 * n_embd, GELU, projection back.

    Args:
        x: (rows, n_embd).
        weights: Variables or tensors under OpenAI's names.
        name: Name of the Transformer layer, such as "model/h0".

    Returns:
        (rows, n_embd).
    """
    normal = layer_norm(x, weights[f"{name}/ln_2/g"], weights[f"{name}/ln_2/b"])
    hidden = gelu(linear(normal, weights, f"{name}/mlp/c_fc"))  # (rows, 4 * n_embd)
    return linear(hidden, weights, f"{name}/mlp/c_proj")


def block(
    x: tf.Tensor,
    weights: Weights,
    config: ModelConfig,
    layer: int,
    batch: tf.Tensor | int,
    masks: Sequence[tf.Tensor] | None = None,
    starts: tf.Tensor | None = None,
    dropout_rate: float = 0.0,
    seed: tf.Tensor | None = None,
) -> tuple[tf.Tensor, KeyValue]:
    """One Transformer layer: attention and the MLP, each added to its input.

    Args:
        x: (batch * time, n_embd).
        weights: Variables or tensors under OpenAI's names.
        config: The model's shape.
        layer: Number of the layer, from 0.
        batch: Batch size.
        masks: The `additive_masks` of the windows. With them, and without dropout, attention is
            computed in blocks (see `attention`).
        starts: Where the document of each position starts (batch, time), if not at 0.
        dropout_rate: Fraction of activations that are dropped.
        seed: Dropout's seed (3), see `layers.dropout`; without it nothing is dropped.

    Returns:
        The output (batch * time, n_embd), and the layer's keys and values.
    """
    name = f"model/h{layer}"
    normal = layer_norm(x, weights[f"{name}/ln_1/g"], weights[f"{name}/ln_1/b"])
    qkv = linear(normal, weights, f"{name}/attn/c_attn")  # (batch * time, 3 * n_embd)
    # Split into 3 * n_head heads, the first n_head of which are the queries':
    # (batch, head, time, head_dim) each.
    query, key, value = tf.split(split_heads(qkv, batch, 3 * config.n_head), 3, axis=1)
    if masks is not None and (seed is None or dropout_rate == 0.0):
        for part in (query, key, value):
            part.set_shape([None, None, masks[-1].shape[-1], config.head_dim])
        attended = causal_attention(query, key, value, masks)
    else:
        mask = causal_mask(tf.shape(query)[2], starts)
        attended = dot_product_attention(
            query, key, value, mask, dropout_rate, seed, salt=3 * layer + 1
        )
    out = linear(merge_heads(attended, config.n_embd), weights, f"{name}/attn/c_proj")
    x = x + dropout(out, dropout_rate, seed, 3 * layer + 2, batch)
    forwarded = feed_forward(x, weights, name)
    x = x + dropout(forwarded, dropout_rate, seed, 3 * layer + 3, batch)
    return x, (key, value)


def recomputed(
    run: Callable[[tf.Tensor, Weights], tuple[tf.Tensor, KeyValue]], x: tf.Tensor, weights: Weights
) -> tf.Tensor:
    """The first output of `run(x, weights)`. Only x is kept for the backward pass, which computes
    the activations again."""
    # Trained weights must be arguments of the function: casts to 16 bits that it only closes over
    # would get no gradient.
    has_adapters = any("/lora_" in name for name in weights)
    trained = {name: w for name, w in weights.items() if "/lora_" in name or not has_adapters}

    def first_output(x: tf.Tensor, trained: Weights) -> tf.Tensor:
        return run(x, {**weights, **trained})[0]

    return tf.recompute_grad(first_output)(x, trained)


def hidden_states(
    weights: Weights,
    config: ModelConfig,
    ids: tf.Tensor,
    dropout_rate: float = 0.0,
    seed: tf.Tensor | None = None,
    recompute: bool = False,
    embedded: tf.Tensor | None = None,
    starts: tf.Tensor | None = None,
) -> tuple[tf.Tensor, list[KeyValue]]:
    """ids (batch, time) -> the last hidden states (batch * time, n_embd), and the keys and values
    of every layer.

    Args:
        weights: Variables or tensors under OpenAI's names.
        config: The model's shape.
        ids: Token ids (batch, time).
        dropout_rate: Dropout rate.
        seed: Dropout's seed (3), see `layers.dropout`; without it nothing is dropped.
        recompute: Keep only each layer's input, and compute the rest again in the backward pass.
            No keys and values are returned then.
        embedded: Precomputed embeddings of `ids` (batch, time, n_embd).
        starts: Where the document of each position starts (batch, time): attention and position
            embeddings begin there. Default: at the first position.
    """
    batch = ids.shape[0] or tf.shape(ids)[0]
    masks = additive_masks(ids.shape[1], starts) if ids.shape[1] else None
    if embedded is None:
        embedded = tf.gather(weights["model/wte"], ids)
    if starts is None:
        x = embedded + weights["model/wpe"][: tf.shape(ids)[1]]
    else:
        x = embedded + tf.gather(weights["model/wpe"], tf.range(tf.shape(ids)[1]) - starts)
    x = tf.reshape(x, [-1, config.n_embd])  # (batch * time, n_embd)
    x = dropout(x, dropout_rate, seed, 0, batch)
    keys_values = []
    for layer in range(config.n_layer):
        own = {name: w for name, w in weights.items() if name.startswith(f"model/h{layer}/")}
        run = partial(
            block,
            config=config,
            layer=layer,
            batch=batch,
            masks=masks,
            starts=starts,
            dropout_rate=dropout_rate,
            seed=seed,
        )
        if recompute:
            x = recomputed(run, x, own)
        else:
            x, key_value = run(x, own)
            keys_values.append(key_value)
    return layer_norm(x, weights["model/ln_f/g"], weights["model/ln_f/b"]), keys_values


def next_token_logits(hidden: tf.Tensor, weights: Weights) -> tf.Tensor:
    """(rows, n_embd) -> fp32 logits (rows, n_vocab): matmul with the token embeddings."""
    return tf.cast(tf.matmul(hidden, weights["model/wte"], transpose_b=True), tf.float32)


class GPT2:
    """The weights of a GPT-2, with its logits and its training loss.

    `GPT2(config, random_weights(config)).logits([[5, 7]])` has shape (1, 2, n_vocab).

    Attributes:
        config: The model's shape.
        precision: The dtype of matmuls: float32, bfloat16 or float16.
        decoding_precision: The precision to generate in, possibly int8.
        frozen: Whether the weights are stored in half precision; only adapters are trained then.
        variables: OpenAI's name -> variable.
        adapters: Name -> variable of the LoRA adapters, if there are any.
        version: Incremented whenever the weights change, so that copies can be kept up to date.
        strategy: The tf.distribute strategy in whose scope the variables were made.
        weights_hash: What identifies the files that the weights were loaded from, or empty.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Mapping[str, np.ndarray],
        precision: str = "float32",
        frozen: bool = False,
    ) -> None:
        """Create variables from weights, which are read one at a time.

        Args:
            config: The model's shape.
            weights: An array for each name in `variable_shapes(config)`.
            precision: The dtype of matmuls.
            frozen: Store the weights in half precision, to train only adapters.
        """
        self.config = config
        self.precision = precision
        self.frozen = frozen
        self.decoding_precision = precision
        self.weights_hash = ""
        self.strategy = tf.distribute.get_strategy()
        # float16 for fp32 matmuls, since it has three bits more than bfloat16.
        half = "float16" if precision == "float32" else precision
        dtype = tf.as_dtype(half if frozen else "float32")
        self.variables: dict[str, tf.Variable] = {
            name: tf.Variable(
                tf.saturate_cast(weights[name], dtype),
                trainable=not frozen,
                name=name.replace("/", "_"),
            )
            for name in variable_shapes(config)
        }
        self.adapters: dict[str, tf.Variable] = {}
        self.version = 0
        self._compile()

    def _compile(self) -> None:
        ids = tf.TensorSpec([None, None], tf.int32)
        self._logits = tf.function(self._forward, input_signature=[ids], autograph=False)

    @property
    def dtype(self) -> tf.DType:
        return tf.as_dtype(self.precision)

    def load_adapters(self, adapters: Mapping[str, np.ndarray]) -> None:
        """Add LoRA adapters, replacing existing ones."""
        # Sorted, since an optimizer's state is matched to its variables by their order.
        arrays = {name: adapters[name] for name in sorted(adapters)}
        shapes = {name: tuple(variable.shape) for name, variable in self.adapters.items()}
        if shapes == {name: array.shape for name, array in arrays.items()}:
            for name, array in arrays.items():
                self.adapters[name].assign(array)
        else:
            self.adapters = {
                name: tf.Variable(array, name=name.replace("/", "_"))
                for name, array in arrays.items()
            }
            self._compile()  # the graph of the logits reads the former variables
        self.version += 1

    def effective_weight(self, name: str, base: np.ndarray | None = None) -> tf.Tensor:
        """Merge a weight with its adapter, if it has one.

        Args:
            name: OpenAI's name of the weight.
            base: Used instead of the model's own weight, which is rounded if the model is frozen.

        Returns:
            The fp32 weight.
        """
        weight = tf.cast(self.variables[name] if base is None else base, tf.float32)
        if not self.has_adapter(name):
            return weight
        a, b = (self.adapters[f"{name.removesuffix('/w')}/lora_{kind}"] for kind in "ab")
        return weight + LORA_SCALE * tf.matmul(a, b)[None]

    def has_adapter(self, name: str) -> bool:
        """Whether the weight of this name has an adapter."""
        return f"{name.removesuffix('/w')}/lora_a" in self.adapters

    def logits(self, ids: Any) -> tf.Tensor:
        """ids (batch, time) -> fp32 logits (batch, time, n_vocab).

        Raises:
            OptionError: Ids are outside the vocabulary, or more than the context holds.
        """
        array = np.asarray(ids)
        if array.ndim != 2 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
            raise OptionError(
                "ids must be integers of shape (batch, time), "
                f"got {array.dtype} of shape {array.shape}"
            )
        if array.shape[1] > self.config.n_ctx:
            raise OptionError(
                f"ids must fit in the context of {self.config.n_ctx} tokens, got {array.shape[1]}"
            )
        if array.min() < 0 or array.max() >= self.config.n_vocab:
            raise OptionError(
                f"ids must be between 0 and {self.config.n_vocab - 1}, "
                f"got {array.min()} to {array.max()}"
            )
        return self._logits(tf.constant(array, tf.int32))

    def loss(
        self,
        windows: tf.Tensor,
        dropout: float = 0.0,
        seed: tf.Tensor | None = None,
        recompute: bool = False,
        train_embeddings: bool = True,
        differentiable: bool = True,
        n_targets: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Mean next-token cross-entropy over `windows`, in nats. For use inside a tf.function.

        Args:
            windows: Token ids (batch, time), or windows of documents (batch, 3, time), see
                `data.packing`.
            dropout: Dropout rate; needs a `seed`.
            seed: Dropout's seed (3), see `layers.dropout`; without it nothing is dropped.
            recompute: Save memory by computing activations again in the backward pass.
            train_embeddings: Whether the embeddings, as output matrix, get a gradient.
            differentiable: False for evaluation: a third of the FLOPs, and no gradient.
            n_targets: Divides the sum of the losses. Default: the number of targets.
        """
        weights = self._cast_weights()
        starts = None
        if len(windows.shape) == 2:
            ids, targets = windows[:, :-1], windows[:, 1:]
        else:
            ids, targets, starts = tf.unstack(windows, axis=1)
        targets = tf.reshape(targets, [-1])
        embedded, embeddings = embed(weights["model/wte"], ids)
        hidden, _ = hidden_states(
            weights, self.config, ids, dropout, seed, recompute, embedded, starts
        )
        if not differentiable:
            return evaluation_cross_entropy(hidden, embeddings, targets)
        trained = train_embeddings and not self.frozen
        return mean_cross_entropy(
            hidden, embeddings, targets, trained, save_memory=recompute, n_targets=n_targets
        )

    def _cast_weights(self) -> dict[str, tf.Tensor]:
        """Weights and adapters in the model's precision; gradients flow back to the variables. The
        matrices of a frozen model's layers stay in half precision until `matmul` casts them."""
        return {
            name: tf.convert_to_tensor(variable)
            if self.frozen and "/h" in name and name.endswith("/w")
            else tf.cast(variable, self.dtype)
            for name, variable in {**self.variables, **self.adapters}.items()
        }

    def _forward(self, ids: tf.Tensor) -> tf.Tensor:
        weights = self._cast_weights()
        hidden, _ = hidden_states(weights, self.config, ids)  # (batch * time, n_embd)
        batch, time = tf.unstack(tf.shape(ids))
        return tf.reshape(next_token_logits(hidden, weights), [batch, time, self.config.n_vocab])
