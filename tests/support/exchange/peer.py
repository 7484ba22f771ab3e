"""Runs transformers and PEFT for the tests, in their own environment: `python peer.py JOBS`.

JOBS is a JSON file with a list of jobs, `{"do": NAME, ...arguments}`; NAME is a function below. It
does not import this package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import ByteLevelBPETokenizer

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]  # as in many models of other languages


def make_model(folder: str, texts: list[str], vocab_size: int, **shape: Any) -> None:
    """A GPT-2 with random weights and its own vocabulary, saved by transformers itself."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        texts, vocab_size=vocab_size, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    torch.manual_seed(1)
    options = {"initializer_range": 0.2, **shape}
    config = transformers.GPT2Config(vocab_size=len(tokenizer), **options)
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():  # biases start at 0 and gains at 1
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_again(folder: str, out: str, dtype: str, max_shard_size: str) -> None:
    """A model in another dtype and in several files."""
    model = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=getattr(torch, dtype))
    model.save_pretrained(out, max_shard_size=max_shard_size)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(out)


def make_adapters(folder: str, base: str, rank: int, targets: list[str], **options: Any) -> None:
    """LoRA adapters with random values, saved by PEFT itself."""
    import peft

    model = transformers.GPT2LMHeadModel.from_pretrained(base)
    config = peft.LoraConfig(
        r=rank, target_modules=targets, task_type="CAUSAL_LM", fan_in_fan_out=True, **options
    )
    torch.manual_seed(2)
    adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.1)
    adapted.save_pretrained(folder)


def results(folder: str, texts: list[str], out: str, adapters: str | None = None) -> None:
    """Save the ids and logits of each text: `ids_N` (time) and `logits_N` (time, n_vocab)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if adapters:
        import peft

        model = peft.PeftModel.from_pretrained(model, adapters)
    model.eval()
    limit = model.config.n_positions
    arrays: dict[str, np.ndarray] = {}
    for order, text in enumerate(texts):
        encoded = tokenizer(text)["input_ids"]
        arrays[f"ids_{order}"] = np.array(encoded, np.int32)
        assert tokenizer.decode(encoded, clean_up_tokenization_spaces=False) == text
        with torch.no_grad():
            output = model(torch.tensor([encoded[:limit]])).logits[0]
        arrays[f"logits_{order}"] = output.numpy()
    arrays["end"] = np.array(tokenizer.eos_token_id)
    np.savez_compressed(out, **arrays)


def scores(folder: str, texts: list[str], sizes: list[tuple[int, int]], out: str) -> None:
    """Save the log-probabilities of each text after an end token, computed token by token.

    `logprobs_N_WINDOW_STRIDE` (time) of text N are those with the context that the token has in a
    window of so many tokens. `loss_N_WINDOW_STRIDE` is the loss of the loop in transformers'
    documentation ("Perplexity of fixed-length models"), for sizes that end with a full window.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    arrays: dict[str, np.ndarray] = {}
    for order, text in enumerate(texts):
        ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]])
        length = ids.shape[1]
        for window, stride in sizes:
            found = []
            for position in range(1, length):
                steps = max(0, -(-(position - window) // stride))  # that the window has moved
                start = max(0, min(length, window + 1 + steps * stride) - window - 1)
                with torch.no_grad():
                    logits = model(ids[:, start:position]).logits[0, -1]
                found.append(logits.double().log_softmax(-1)[ids[0, position]].item())
            arrays[f"logprobs_{order}_{window}_{stride}"] = np.array(found)
            fits = window < min(length, model.config.n_positions)
            if fits and (length - window - 1) % stride == 0:
                loss = documented_loss(model, ids, window + 1, stride)
                arrays[f"loss_{order}_{window}_{stride}"] = np.array(loss)
    np.savez_compressed(out, **arrays)


def documented_loss(model: Any, ids: torch.Tensor, max_length: int, stride: int) -> float:
    """The mean loss of `ids` (1, time), by the loop in transformers' documentation."""
    total, count, previous_end = 0.0, 0, 0
    for begin in range(0, ids.shape[1], stride):
        end = min(begin + max_length, ids.shape[1])
        labels = ids[:, begin:end].clone()
        labels[:, : previous_end - begin] = -100
        with torch.no_grad():
            loss = model(ids[:, begin:end], labels=labels).loss
        n_scored = int((labels[:, 1:] != -100).sum())
        total, count, previous_end = total + loss.item() * n_scored, count + n_scored, end
        if end == ids.shape[1]:
            break
    return total / count


JOBS = {job.__name__: job for job in (make_model, save_again, make_adapters, results, scores)}


def main() -> None:
    """Do all jobs, one after another, since importing the libraries takes the most time."""
    transformers.utils.logging.set_verbosity_error()
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        JOBS[job.pop("do")](**job)


if __name__ == "__main__":
    main()
