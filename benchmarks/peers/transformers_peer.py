"""Hugging Face transformers on PyTorch; told fp32 or bf16, and whether compiled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from gpt2_helpers.system import device
from works import END, THEIR_TEXTS, Work


def prepare(work: Work, folder: Path, told: str) -> Any:
    import transformers

    hugging_face = str(folder.with_name(f"{folder.name}-transformers"))
    if work.kind == "tokenize":
        tokenizer = transformers.GPT2TokenizerFast.from_pretrained(hugging_face)
        tokenizer.model_max_length = 10**9
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(tokenizer(text)["input_ids"])

    import torch

    torch.set_num_threads(device.cores())
    if work.kind in ("finetune", "memory"):
        return _training(work, hugging_face, told)
    dtype = torch.float32 if told.startswith("fp32") else torch.bfloat16
    model = transformers.GPT2LMHeadModel.from_pretrained(hugging_face, dtype=dtype).eval()
    texts = work.kind == "texts"
    options: dict[str, Any] = {
        "do_sample": True,
        "temperature": 1.0 if texts else 0.7,
        "top_k": work.top_k,
        "top_p": work.top_p or 1.0,
        "max_new_tokens": work.length,
        "pad_token_id": END,
        "eos_token_id": END if texts else None,
    }
    if told.endswith("compiled"):
        options["cache_implementation"] = "static"  # which is what lets it compile
        model.forward = torch.compile(model.forward)
    start = torch.full((work.batch, 1), END)

    shown: Any = None
    if work.kind in ("cold start", "likeliest"):
        shown = transformers.GPT2TokenizerFast.from_pretrained(hugging_face)

    def run() -> int | list[int] | str:
        lengths: list[int] = []
        with torch.inference_mode():
            for _ in range(THEIR_TEXTS // work.batch if texts else 1):
                ids = model.generate(start, attention_mask=torch.ones_like(start), **options)
                if shown is not None:
                    text = shown.decode(ids[0, 1:], clean_up_tokenization_spaces=False)
                    if work.kind == "likeliest":
                        return str(text)
                    print(text)
                written = ids[:, 1:]  # beyond its end a text is filled up with ends
                lengths += (written != END if texts else written >= 0).sum(1).tolist()
        return lengths if texts else sum(lengths)

    return run


def _training(work: Work, hugging_face: str, told: str) -> Any:
    import contextlib

    import torch
    import transformers

    model = transformers.GPT2LMHeadModel.from_pretrained(
        hugging_face, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0
    ).train()
    model.config.use_cache = False
    if work.kind == "memory":
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(0)
    forward = torch.compile(model) if told.endswith("compiled") else model

    def step() -> None:
        for _ in range(work.accumulate):
            ids = torch.randint(0, 50257, (work.batch, work.length), generator=generator)
            bf16 = torch.autocast("cpu", torch.bfloat16)
            with contextlib.nullcontext() if told.startswith("fp32") else bf16:
                loss = forward(ids, labels=ids).loss / work.accumulate
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def run() -> tuple[int, float]:
        count = 2 if work.kind == "memory" else 1
        start = time.perf_counter()
        for _ in range(count):
            step()
        return count, time.perf_counter() - start

    return run
