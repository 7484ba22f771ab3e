"""Creates transformers.npz: results of Hugging Face's GPT-2 with the weights of a toy model.

Needs torch and transformers; created with torch 2.13 and transformers 5.23. From the repository's
root:

    PYTHONPATH=.:tests/support python tests/support/golden/make_transformers.py

The file has `config` (the five numbers of hparams.json), every weight under OpenAI's name, and:

- `ids_N`, `logits_N`: token ids (batch, time) and fp32 logits (batch, time, n_vocab)
- `windows`, `loss`: ids (batch, time) and the mean cross-entropy of predicting all but the first
  of each row, and `gradient/NAME` of that loss for each weight
- `greedy_N`, `prompt_N`: ids that start with a prompt of `prompt_N` ids, continued greedily until
  the context is full
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from gpt2_helpers.config import ModelConfig
from toy import toy_tokenizer, toy_weights

CONFIG = ModelConfig(n_vocab=toy_tokenizer().n_vocab, n_ctx=32, n_embd=16, n_head=2, n_layer=2)
SHAPES = ((3, 1), (2, 7), (1, 32))  # the last one fills the context
PROMPTS = (1, 2, 5, 17, 30)
NEAREST = 0.01  # minimum lead of the likeliest id, so that rounding cannot change a greedy text


def golden_weights() -> dict[str, np.ndarray]:
    """Weights with uneven logits, and whose greedy texts do not repeat one id."""
    weights = toy_weights(CONFIG, seed=20, scale=12.0)
    weights["model/wpe"] *= 8.0
    weights["model/ln_f/g"] *= 4.0
    return weights


def peer_name(name: str) -> str:
    """OpenAI's name of a variable -> transformers' name of the same parameter.

    >>> peer_name("model/h0/attn/c_attn/w"), peer_name("model/ln_f/g"), peer_name("model/wte")
    ('h.0.attn.c_attn.weight', 'ln_f.weight', 'wte.weight')
    """
    parts = name.removeprefix("model/").split("/")
    if parts[0][1:].isdigit():
        parts[:1] = ["h", parts[0][1:]]
    ending = {"g": "weight", "w": "weight", "b": "bias"}
    last = [ending[parts.pop()]] if parts[-1] in ending else ["weight"]
    return ".".join(parts + last)


def peer_model(config: ModelConfig, weights: dict[str, np.ndarray]) -> Any:
    """A transformers GPT2LMHeadModel with exactly these weights."""
    peer_config = transformers.GPT2Config(
        vocab_size=config.n_vocab,
        n_positions=config.n_ctx,
        n_embd=config.n_embd,
        n_layer=config.n_layer,
        n_head=config.n_head,
        activation_function="gelu_new",
        layer_norm_epsilon=1e-5,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        attn_implementation="eager",
    )
    model = transformers.GPT2LMHeadModel(peer_config).eval()
    state = {
        peer_name(name): torch.tensor(array.squeeze(0) if name.endswith("/w") else array)
        for name, array in weights.items()
    }
    model.transformer.load_state_dict(state, strict=True)
    model.tie_weights()
    return model


def greedy(model: Any, prompt: torch.Tensor) -> tuple[np.ndarray, float]:
    """A prompt (1, time), its greedy continuation (n_ctx,), and the smallest lead of an id over the
    second likeliest one."""
    text = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_length=CONFIG.n_ctx,
        pad_token_id=0,
    )
    with torch.no_grad():
        best = model(text).logits[0, prompt.shape[1] - 1 : -1].topk(2).values
    return text[0].numpy(), float((best[:, 0] - best[:, 1]).min())


def main() -> None:
    """Write transformers.npz to this script's folder."""
    weights = golden_weights()
    model = peer_model(CONFIG, weights)
    random = np.random.default_rng(5)
    golden: dict[str, np.ndarray] = {"config": np.array(dataclasses.astuple(CONFIG))} | weights
    for order, shape in enumerate(SHAPES):
        ids = random.integers(0, CONFIG.n_vocab, shape)
        golden[f"ids_{order}"] = ids.astype(np.int32)
        with torch.no_grad():
            golden[f"logits_{order}"] = model(torch.tensor(ids)).logits.numpy()
    windows = torch.tensor(random.integers(0, CONFIG.n_vocab, (3, 21)))
    golden["windows"] = windows.numpy().astype(np.int32)
    loss = model(windows, labels=windows).loss  # the model shifts the labels
    loss.backward()
    golden["loss"] = np.array(loss.item(), np.float32)
    for name, array in weights.items():
        gradient = model.transformer.get_parameter(peer_name(name)).grad
        golden[f"gradient/{name}"] = gradient.numpy().reshape(array.shape)
    for order, length in enumerate(PROMPTS):
        lead = 0.0
        while lead < NEAREST:
            prompt = torch.tensor(random.integers(0, CONFIG.n_vocab, (1, length)))
            text, lead = greedy(model, prompt)
        print(f"prompt {order}: {len(set(text.tolist()))} different ids, least lead {lead:.3f}")
        golden[f"prompt_{order}"] = np.array(length)
        golden[f"greedy_{order}"] = text.astype(np.int32)
    spread = float(golden[f"logits_{len(SHAPES) - 1}"].std(axis=-1).mean())
    print(f"logits spread {spread:.2f} around their mean, loss {golden['loss']:.4f}")
    path = Path(__file__).with_name("transformers.npz")
    np.savez_compressed(path, **golden)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
