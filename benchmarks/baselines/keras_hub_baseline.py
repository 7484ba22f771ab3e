"""KerasHub on TensorFlow; the option is a Keras dtype policy."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.bench.workload import BASELINE_TEXTS, Workload
from workloads import END


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # faster, and off by default on some CPUs
    import keras
    import keras_hub
    import tensorflow as tf

    if workload.kind == "tokenize":
        tokenizer = keras_hub.models.GPT2Tokenizer(
            vocabulary=str(folder / "encoder.json"), merges=str(folder / "vocab.bpe")
        )
        text = (folder / "text.txt").read_text(encoding="utf-8")
        # It splits words differently from GPT-2 and so produces other ids, also inside tf.data.
        texts = tf.data.Dataset.from_tensors(text).map(tokenizer)
        return lambda: sum(len(ids) for ids in texts)
    keras.config.set_dtype_policy(option)
    # Without keras.RematScope, which in a graph rejects the decoder's keyword arguments.
    model = _model(folder)
    if workload.kind in ("finetune", "memory"):
        return _training(model, workload)
    ending = workload.kind == "texts"
    samplers = keras_hub.samplers
    temperature = 1.0 if ending else 0.7
    if workload.top_k:
        sampler = samplers.TopKSampler(k=workload.top_k, temperature=temperature)
    elif workload.top_p:
        sampler = samplers.TopPSampler(p=workload.top_p, temperature=temperature)
    else:
        sampler = samplers.RandomSampler(temperature=temperature)
    model.compile(sampler=sampler)
    stop = [END] if ending else None
    detokenizer: Any = None
    if workload.kind in ("cold start", "most likely"):
        detokenizer = keras_hub.models.GPT2Tokenizer(
            vocabulary=str(folder / "encoder.json"), merges=str(folder / "vocab.bpe")
        )
    # It searches everything after the prompt for END, so the positions to fill must not be END.
    ids = np.zeros((workload.batch, workload.length + 1), np.int32)
    mask = np.zeros_like(ids)
    ids[:, 0], mask[:, 0] = END, 1

    def run() -> int | list[int] | str:
        lengths: list[int] = []
        for _ in range(BASELINE_TEXTS // workload.batch if ending else 1):
            inputs = {"token_ids": ids, "padding_mask": mask}
            written = model.generate(inputs, stop_token_ids=stop)
            if workload.kind == "most likely":
                return str(detokenizer.detokenize(written["token_ids"][0, 1:]))
            if detokenizer is not None:
                print(detokenizer.detokenize(written["token_ids"]))
            ends = written["token_ids"][:, 1:] == END
            lengths += [_first_end(row) if ending else workload.length for row in np.asarray(ends)]
        return lengths if ending else sum(lengths)

    return run


def _first_end(ends: np.ndarray) -> int:
    """The index of the first end, or the number of positions if there is none."""
    return int(ends.argmax()) if ends.any() else len(ends)


def _model(folder: Path) -> Any:
    """The model with the common weights assigned to its layers."""
    import keras_hub
    import tensorflow as tf

    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=50257,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        dropout=0.0,
        max_sequence_length=1024,
    )
    model = keras_hub.models.GPT2CausalLM(backbone=backbone, preprocessor=None)
    reader = tf.train.load_checkpoint(str(folder / "model.ckpt"))
    get = reader.get_tensor
    backbone.token_embedding.embeddings.assign(get("model/wte"))
    backbone.position_embedding.position_embeddings.assign(get("model/wpe"))
    for order, layer in enumerate(backbone.transformer_layers):
        name = f"model/h{order}"
        attention = layer._self_attention_layer
        parts = np.split(get(f"{name}/attn/c_attn/w")[0], 3, axis=-1)
        biases = np.split(get(f"{name}/attn/c_attn/b"), 3)
        denses = (attention.query_dense, attention.key_dense, attention.value_dense)
        for dense, part, bias in zip(denses, parts, biases, strict=True):
            dense.kernel.assign(part.reshape(dense.kernel.shape))
            dense.bias.assign(bias.reshape(dense.bias.shape))
        output = attention.output_dense
        output.kernel.assign(get(f"{name}/attn/c_proj/w")[0].reshape(output.kernel.shape))
        output.bias.assign(get(f"{name}/attn/c_proj/b"))
        for dense, part in (
            (layer._feedforward_intermediate_dense, "mlp/c_fc"),
            (layer._feedforward_output_dense, "mlp/c_proj"),
        ):
            dense.kernel.assign(get(f"{name}/{part}/w")[0])
            dense.bias.assign(get(f"{name}/{part}/b"))
        for norm, part in (
            (layer._self_attention_layer_norm, "ln_1"),
            (layer._feedforward_layer_norm, "ln_2"),
        ):
            norm.gamma.assign(get(f"{name}/{part}/g"))
            norm.beta.assign(get(f"{name}/{part}/b"))
    backbone.layer_norm.gamma.assign(get("model/ln_f/g"))
    backbone.layer_norm.beta.assign(get("model/ln_f/b"))
    return model


def _training(model: Any, workload: Workload) -> Any:
    import keras

    optimizer = keras.optimizers.Adam(
        1e-4,
        gradient_accumulation_steps=workload.accumulate if workload.accumulate > 1 else None,
    )
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=None,  # the default computes an accuracy
        jit_compile=False,  # on a CPU, XLA makes a step slower
    )
    random = np.random.default_rng(0)

    def step() -> None:
        for _ in range(workload.accumulate):
            ids = random.integers(0, 50257, (workload.batch, workload.length + 1))
            inputs = {"token_ids": ids[:, :-1], "padding_mask": np.ones_like(ids[:, :-1])}
            model.train_on_batch(inputs, ids[:, 1:])

    def run() -> tuple[int, float]:
        start = time.perf_counter()
        step()
        return 1, time.perf_counter() - start

    return run
