"""The workloads that all libraries are compared on, and the target of each comparison. Data only.

A target is how many times as fast (or as small) as the other library this project aims to be.
"""

from __future__ import annotations

from gpt2_helpers.bench.workload import Workload

LENGTH = 100
END = 50256  # the end-of-text token
TINY = "tiny"  # the bundled model, under this name in the folder of the weights

GPT_2_SIMPLE, TRANSFORMERS, KERAS_HUB = "gpt-2-simple", "transformers", "KerasHub"
CTRANSLATE2, CTRANSLATE2_INT8 = "CTranslate2 fp32", "CTranslate2 int8"
OURS, OURS_FP32 = "gpt2-helpers", "gpt2-helpers fp32"
ONNXRUNTIME = "onnxruntime"  # with a graph built by hand, for one sequence
BASELINES = (
    GPT_2_SIMPLE,
    TRANSFORMERS,
    KERAS_HUB,
    CTRANSLATE2,
    CTRANSLATE2_INT8,
    ONNXRUNTIME,
)


def _generation(name: str, title: str, targets: tuple[float, ...], **options: object) -> Workload:
    """A generation workload with the targets in the order of BASELINES."""
    by_name = dict(zip(BASELINES, targets, strict=False))
    return Workload(name, title, "generate", "tokens/s", by_name, **options)  # type: ignore[arg-type]


WORKLOADS = (
    _generation(
        "generate-1",
        "generate, batch 1, 100 tokens, top-k 40",
        (4, 2, 1.6, 1.0, 1.0),
        top_k=40,
        quick=True,
    ),
    _generation(
        "generate-20",
        "generate, batch 20, 100 tokens, top-k 40",
        (3.5, 3.5, 5, 2.8, 1.0),
        batch=20,
        top_k=40,
        rounds=3,
    ),
    Workload(
        "generate-1000",
        "generate, batch 1, 1,000 tokens, full vocabulary",
        "generate",
        "tokens/s",
        {GPT_2_SIMPLE: 2.2, TRANSFORMERS: 2, CTRANSLATE2: 1.0},
        length=1000,
        rounds=2,
    ),
    _generation("top-p-1", "generate, batch 1, 100 tokens, top-p 0.9", (3, 2), top_p=0.9),
    _generation(
        "top-p-20",
        "generate, batch 20, 100 tokens, top-p 0.9",
        (3, 2),
        batch=20,
        top_p=0.9,
        rounds=3,
    ),
    _generation("all-1", "generate, batch 1, 100 tokens, full vocabulary", (3, 2)),
    _generation(
        "all-20",
        "generate, batch 20, 100 tokens, full vocabulary",
        (3, 2),
        batch=20,
        rounds=3,
    ),
    Workload(
        "texts",
        "generate, batch 20, texts of varying length (mean 20 tokens)",
        "texts",
        "texts/s",
        {GPT_2_SIMPLE: 12, TRANSFORMERS: 3, KERAS_HUB: 4, CTRANSLATE2: 1.5},
        batch=20,
        rounds=2,
        weights="124M-ends",
    ),
    Workload(
        "prompt-900",
        "prompt of 900 tokens, then 50, top-k 40",
        "prompt",
        "s",
        {TRANSFORMERS: 2, CTRANSLATE2: 1.5, CTRANSLATE2_INT8: 1.5, ONNXRUNTIME: 1.5},
        length=50,
        prompt=900,
        top_k=40,
        rounds=5,
    ),
    Workload(
        "typing",
        "autocomplete: 10 keystrokes after 200 tokens, 8 tokens each, top-k 40",
        "prompt",
        "s",
        {TRANSFORMERS: 2, CTRANSLATE2: 1.5, CTRANSLATE2_INT8: 1.5, ONNXRUNTIME: 1.5},
        length=8,
        prompt=200,
        keystrokes=10,
        top_k=40,
        rounds=3,
    ),
    Workload(
        "finetune-1",
        "finetune, batch 1 x 1024, Adam",
        "finetune",
        "s/step",
        {GPT_2_SIMPLE: 2.5, TRANSFORMERS: 1.7, KERAS_HUB: 1.3},
        length=1024,
        rounds=3,
    ),
    Workload(
        "finetune-4",
        "finetune, batch 4 x 1024, accumulating 2 gradients",
        "finetune",
        "s/step",
        {GPT_2_SIMPLE: 2.5, TRANSFORMERS: 1.7, KERAS_HUB: 1.3},
        batch=4,
        length=1024,
        accumulate=2,
        rounds=1,
    ),
    Workload(
        "memory",
        "peak memory of finetuning, batch 1 x 1024, recomputed activations",
        "memory",
        "GB",
        {GPT_2_SIMPLE: 2.2, TRANSFORMERS: 1.1, KERAS_HUB: 1.5},
        length=1024,
        rounds=1,
    ),
    Workload(
        "cold-start",
        "cold start: process start until 20 tokens are printed",
        "cold start",
        "s",
        {GPT_2_SIMPLE: 1.5, TRANSFORMERS: 1.2, KERAS_HUB: 1.5},
        length=20,
        top_k=40,
        quick=True,
    ),
    Workload(
        "first-step",
        "cold start: process start until the first finetuning step, batch 1 x 1024",
        "first step",
        "s",
        {GPT_2_SIMPLE: 1.5, TRANSFORMERS: 1, KERAS_HUB: 1.5},
        length=1024,
        rounds=3,
    ),
    Workload(
        "generate-1-tiny",
        "bundled model: generate, batch 1, 100 tokens, top-k 40",
        "generate",
        "tokens/s",
        {TRANSFORMERS: 2},
        top_k=40,
        weights=TINY,
    ),
    Workload(
        "generate-20-tiny",
        "bundled model: generate, batch 20, 100 tokens, top-k 40",
        "generate",
        "tokens/s",
        {TRANSFORMERS: 2},
        batch=20,
        top_k=40,
        weights=TINY,
    ),
    Workload(
        "finetune-8-tiny",
        "bundled model: finetune, batch 8 x 256, Adam",
        "finetune",
        "s/step",
        {TRANSFORMERS: 1.1},
        batch=8,
        length=256,
        weights=TINY,
    ),
    Workload(
        "tokenize",
        "tokenize a text, one process, cold",
        "tokenize",
        "s",
        {GPT_2_SIMPLE: 2, TRANSFORMERS: 2, KERAS_HUB: 2},
        quick=True,
    ),
)

# Not timed: every library must generate the same tokens here.
MOST_LIKELY = Workload(
    "most-likely",
    "the most likely tokens",
    "most likely",
    "",
    dict.fromkeys(BASELINES, 1.0),
    length=20,
    top_k=1,
)
