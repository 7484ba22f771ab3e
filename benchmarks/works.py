"""The works that this project and its peers are compared at, and what is aimed at. Data alone.

A target is how many times as fast as the peer (or as small) this project means to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LENGTH = 100
END = 50256  # the token that ends a text
END_ODDS = 1 / 20  # of each token, in the work with short texts
# How many texts a round writes. Others write batch after batch, each as long as its longest text,
# so that a few batches tell their rate; ours fills the places of those that have ended.
OUR_TEXTS, THEIR_TEXTS = 400, 60

GPT_2_SIMPLE, TRANSFORMERS, KERAS_HUB = "gpt-2-simple", "transformers", "KerasHub"
CTRANSLATE2, CTRANSLATE2_INT8 = "CTranslate2 fp32", "CTranslate2 int8"
OURS, OURS_FP32 = "gpt2-helpers", "gpt2-helpers fp32"
PEERS = (GPT_2_SIMPLE, TRANSFORMERS, KERAS_HUB, CTRANSLATE2, CTRANSLATE2_INT8)


@dataclass(frozen=True)
class Work:
    """One work: `kind` says what is done, `targets` the aim against each peer that is asked.

    `unit` is what its values are in. Where `less_is_better` they are seconds or GB, else rates.
    """

    name: str
    shown: str
    kind: str  # generate, texts, finetune, memory, cold start, tokenize or likeliest
    unit: str
    targets: dict[str, float]
    batch: int = 1
    length: int = LENGTH
    top_k: int = 0
    top_p: float = 0.0
    accumulate: int = 1
    rounds: int = 5
    short: bool = field(default=False, kw_only=True)  # one of `make bench-quick`

    @property
    def fresh(self) -> bool:
        """Whether each round is a new process: by what is measured, or since two are too large."""
        large = self.kind == "finetune" and self.batch > 1
        return large or self.kind in ("memory", "cold start", "tokenize")

    @property
    def less_is_better(self) -> bool:
        return self.kind in ("finetune", "memory", "cold start", "tokenize")


def _generation(name: str, shown: str, four: tuple[float, ...], **options: object) -> Work:
    targets = dict(zip(PEERS, four, strict=False))
    return Work(name, shown, "generate", "tokens/s", targets, **options)  # type: ignore[arg-type]


WORKS = (
    _generation(
        "generate-1",
        "generate, batch 1, 100 tokens, top-k 40",
        (4, 2, 1.6, 1.0, 1.0),
        top_k=40,
        short=True,
    ),
    _generation(
        "generate-20",
        "generate, batch 20, 100 tokens, top-k 40",
        (3.5, 3.5, 5, 2.8, 1.0),
        batch=20,
        top_k=40,
        rounds=3,
    ),
    Work(
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
    Work(
        "texts",
        "generate, batch 20, texts of varying length (mean 20 tokens)",
        "texts",
        "texts/s",
        {GPT_2_SIMPLE: 12, TRANSFORMERS: 3, KERAS_HUB: 4, CTRANSLATE2: 1.5},
        batch=20,
        rounds=2,
    ),
    Work(
        "finetune-1",
        "finetune, batch 1 x 1024, Adam",
        "finetune",
        "s/step",
        {GPT_2_SIMPLE: 2.5, TRANSFORMERS: 1.7, KERAS_HUB: 1.3},
        length=1024,
        rounds=3,
    ),
    Work(
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
    Work(
        "memory",
        "peak memory of finetuning, batch 1 x 1024, recomputed activations",
        "memory",
        "GB",
        {GPT_2_SIMPLE: 2.2, TRANSFORMERS: 1.1, KERAS_HUB: 1.5},
        length=1024,
        rounds=1,
    ),
    Work(
        "cold-start",
        "cold start: process start until 20 tokens are printed",
        "cold start",
        "s",
        {GPT_2_SIMPLE: 1.5, TRANSFORMERS: 1.2, KERAS_HUB: 1.5},
        length=20,
        top_k=40,
        short=True,
    ),
    Work(
        "tokenize",
        "tokenize a text, one process, cold",
        "tokenize",
        "s",
        {GPT_2_SIMPLE: 2, TRANSFORMERS: 2, KERAS_HUB: 2},
        short=True,
    ),
)

# No work to be timed: what everyone must write alike.
LIKELIEST = Work(
    "likeliest",
    "the likeliest tokens",
    "likeliest",
    "",
    dict.fromkeys(PEERS, 1.0),
    length=20,
    top_k=1,
)
