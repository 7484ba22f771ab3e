"""Hugging Face transformers on PyTorch, on the GPU if PyTorch sees one.

The option is fp32, bf16 or fp16, optionally followed by "compiled", or auto: fp32 on a processor,
on a GPU the 16-bit type that it multiplies.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from gpt2_helpers.bench.ours import prompts_of
from gpt2_helpers.bench.workload import BASELINE_TEXTS, Workload
from gpt2_helpers.system import device


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    """Load the model for a workload; returns a function that runs one round of it.

    Args:
        workload: What is measured.
        folder: The model in OpenAI's layout. Beside it, `NAME-transformers` has it in Hugging
            Face's.
        option: The precision.
    """
    import transformers

    hugging_face = str(folder.with_name(f"{folder.name}-transformers"))
    if workload.kind == "tokenize":
        tokenizer = transformers.GPT2TokenizerFast.from_pretrained(hugging_face)
        tokenizer.model_max_length = 10**9
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(tokenizer(text)["input_ids"])

    import torch

    torch.set_num_threads(device.cores())
    where = "cuda" if torch.cuda.is_available() else "cpu"
    precision, _, compiled = option.partition(" ")
    if precision == "auto":
        precision = "fp32"
        if where == "cuda":
            precision = "bf16" if torch.cuda.is_bf16_supported(False) else "fp16"
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    if workload.is_training:
        return _training(workload, hugging_face, where, dtype, bool(compiled))
    model = transformers.GPT2LMHeadModel.from_pretrained(hugging_face, dtype=dtype)
    model = model.to(where).eval()
    end = model.config.eos_token_id
    texts = workload.kind == "texts"
    options: dict[str, Any] = {
        "do_sample": True,
        "temperature": 1.0 if texts else 0.7,
        "top_k": workload.top_k,
        "top_p": workload.top_p or 1.0,
        "max_new_tokens": workload.length,
        "pad_token_id": end,
        "eos_token_id": end if texts else None,
    }
    if compiled:
        options["cache_implementation"] = "static"  # required for compiling
        model.forward = torch.compile(model.forward)
    prompts = prompts_of(workload, folder)

    detokenizer: Any = None
    if workload.kind in ("cold start", "most likely"):
        detokenizer = transformers.GPT2TokenizerFast.from_pretrained(hugging_face)

    def run() -> int | list[int] | str:
        lengths: list[int] = []
        with torch.inference_mode():
            for _ in range(BASELINE_TEXTS // workload.batch if texts else workload.keystrokes):
                prompt = next(prompts) or [end]
                start = torch.tensor([prompt] * workload.batch, device=where)
                ids = model.generate(start, attention_mask=torch.ones_like(start), **options)
                if detokenizer is not None:
                    text = detokenizer.decode(ids[0, 1:], clean_up_tokenization_spaces=False)
                    if workload.kind == "most likely":
                        return str(text)
                    print(text)
                written = ids[:, len(prompt) :]  # finished texts are padded with the end token
                lengths += (written != end if texts else written >= 0).sum(1).tolist()
        return lengths if texts else sum(lengths)

    return run


def _training(workload: Workload, hugging_face: str, where: str, dtype: Any, compiled: bool) -> Any:
    import torch
    import transformers

    model = transformers.GPT2LMHeadModel.from_pretrained(
        hugging_face, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0
    )
    model = model.to(where).train()
    model.config.use_cache = False
    if workload.kind == "memory":
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    scaler = torch.amp.GradScaler(where, enabled=dtype == torch.float16)
    generator = torch.Generator().manual_seed(0)
    forward = torch.compile(model) if compiled else model
    shape = workload.batch, workload.length

    def step() -> float:
        for _ in range(workload.accumulate):
            ids = torch.randint(0, model.config.vocab_size, shape, generator=generator).to(where)
            half = torch.autocast(where, dtype)
            with contextlib.nullcontext() if dtype == torch.float32 else half:
                loss = forward(ids, labels=ids).loss / workload.accumulate
            scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        return float(loss)  # waits for the GPU

    def run() -> tuple[int, float]:
        start = time.perf_counter()
        step()
        return 1, time.perf_counter() - start

    return run
