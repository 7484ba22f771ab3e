"""Hugging Face transformers on PyTorch; the option is fp32 or bf16, optionally compiled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from gpt2_helpers.system import device
from workloads import BASELINE_TEXTS, END, Workload


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    import transformers

    hugging_face = str(folder.with_name(f"{folder.name}-transformers"))
    if workload.kind == "tokenize":
        tokenizer = transformers.GPT2TokenizerFast.from_pretrained(hugging_face)
        tokenizer.model_max_length = 10**9
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(tokenizer(text)["input_ids"])

    import torch

    torch.set_num_threads(device.cores())
    if workload.kind in ("finetune", "memory"):
        return _training(workload, hugging_face, option)
    dtype = torch.float32 if option.startswith("fp32") else torch.bfloat16
    model = transformers.GPT2LMHeadModel.from_pretrained(hugging_face, dtype=dtype).eval()
    texts = workload.kind == "texts"
    options: dict[str, Any] = {
        "do_sample": True,
        "temperature": 1.0 if texts else 0.7,
        "top_k": workload.top_k,
        "top_p": workload.top_p or 1.0,
        "max_new_tokens": workload.length,
        "pad_token_id": END,
        "eos_token_id": END if texts else None,
    }
    if option.endswith("compiled"):
        options["cache_implementation"] = "static"  # required for compiling
        model.forward = torch.compile(model.forward)
    start = torch.full((workload.batch, 1), END)

    detokenizer: Any = None
    if workload.kind in ("cold start", "most likely"):
        detokenizer = transformers.GPT2TokenizerFast.from_pretrained(hugging_face)

    def run() -> int | list[int] | str:
        lengths: list[int] = []
        with torch.inference_mode():
            for _ in range(BASELINE_TEXTS // workload.batch if texts else 1):
                ids = model.generate(start, attention_mask=torch.ones_like(start), **options)
                if detokenizer is not None:
                    text = detokenizer.decode(ids[0, 1:], clean_up_tokenization_spaces=False)
                    if workload.kind == "most likely":
                        return str(text)
                    print(text)
                written = ids[:, 1:]  # finished texts are padded with END
                lengths += (written != END if texts else written >= 0).sum(1).tolist()
        return lengths if texts else sum(lengths)

    return run


def _training(workload: Workload, hugging_face: str, option: str) -> Any:
    import contextlib

    import torch
    import transformers

    model = transformers.GPT2LMHeadModel.from_pretrained(
        hugging_face, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0
    ).train()
    model.config.use_cache = False
    if workload.kind == "memory":
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(0)
    forward = torch.compile(model) if option.endswith("compiled") else model

    def step() -> None:
        for _ in range(workload.accumulate):
            ids = torch.randint(0, 50257, (workload.batch, workload.length), generator=generator)
            bf16 = torch.autocast("cpu", torch.bfloat16)
            with contextlib.nullcontext() if option.startswith("fp32") else bf16:
                loss = forward(ids, labels=ids).loss / workload.accumulate
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def run() -> tuple[int, float]:
        count = 2 if workload.kind == "memory" else 1
        start = time.perf_counter()
        for _ in range(count):
            step()
        return count, time.perf_counter() - start

    return run
