"""Computes how long training takes on GPUs and what it costs, for docs/scaling.md.

    python deploy/training_cost.py            # print the tables
    python deploy/training_cost.py --write    # update them there

Nothing here was measured on a GPU. The arithmetic:

    FLOPs per token   = 6 N + 12 L d T    N parameters, L layers of width d, context of T tokens [1]
    seconds           = tokens x FLOPs per token / (GPUs x peak FLOP/s x utilization)
    bytes exchanged   = 2 (W - 1) / W x 4 N  per worker and optimizer step, of W workers, in fp32
    efficiency        = compute / (compute + exchange), if neither overlaps the other

[1] A. Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gpt2_helpers.config import PRETRAINED_CONFIGS, ModelConfig
from page_section import PageSection

# With GPT-2's vocabulary: the 338,025 tokens in 1.1 MB of English of docs/benchmarks.md.
TOKENS_PER_BYTE = 0.3
# nanoGPT's published training of 124M: 600,000 steps of 491,520 tokens in 4 days on 8 A100, which
# is 29% of their peak. Other GPUs and models are assumed to reach the same.
UTILIZATION = 0.29
TEXT_SIZES = (1, 10, 100)  # GB
WINDOWS_PER_STEP = 40  # of a worker: batch_size 8, accumulate_gradients 5
BYTES_PER_PARAMETER = 16  # weight, gradient and two moments
NETWORKS = ((10, "10 Gbit/s"), (100, "100 Gbit/s"))


@dataclass(frozen=True)
class Gpu:
    """A GPU as Google Cloud rents it.

    Attributes:
        name: Product name.
        teraflops: Published peak of dense matrix multiplications in 16 bits, in TFLOP/s.
        dollars: List price per GPU and hour with its machine, us-central1, on demand.
        gigabytes: Memory.
    """

    name: str
    teraflops: float
    dollars: float
    gigabytes: int


# Peaks from NVIDIA's data sheets. Prices of n1-standard-4 with a T4, g2-standard-4, a2-highgpu-1g
# and a3-highgpu-1g, from public copies of Google's price catalog: the A100 of March 2025, the H100
# of September 2026, the others undated.
GPUS = (
    Gpu("T4", 65, 0.54, 16),
    Gpu("L4", 121, 0.71, 24),
    Gpu("A100", 312, 3.67, 40),
    Gpu("H100", 989, 10.98, 80),
)


def flops_per_token(model: ModelConfig) -> int:
    """Floating-point operations of a training step per token, forward and backward.

    >>> flops_per_token(ModelConfig())
    859885056
    """
    return 6 * model.n_parameters + 12 * model.n_layer * model.n_embd * model.n_ctx


def training_hours(model: ModelConfig, gigabytes: float, gpu: Gpu, gpus: int = 1) -> float:
    """Hours for one epoch over a text of that size.

    >>> round(training_hours(ModelConfig(), 1, GPUS[2]), 2)
    0.79
    """
    tokens = gigabytes * 1e9 * TOKENS_PER_BYTE
    return tokens * flops_per_token(model) / (gpus * gpu.teraflops * 1e12 * UTILIZATION) / 3600


def exchanged_bytes(parameters: int, workers: int) -> float:
    """Bytes that each worker sends per optimizer step, in a ring all-reduce of fp32 gradients.

    >>> exchanged_bytes(1000, 2)
    4000.0
    """
    return 2 * (workers - 1) / workers * 4 * parameters


def efficiency(model: ModelConfig, gpu: Gpu, workers: int, gigabits: float) -> float:
    """Share of the time that workers with one GPU each compute, with WINDOWS_PER_STEP each."""
    tokens = WINDOWS_PER_STEP * model.n_ctx
    compute = tokens * flops_per_token(model) / (gpu.teraflops * 1e12 * UTILIZATION)
    exchange = exchanged_bytes(model.n_parameters, workers) / (gigabits * 1e9 / 8)
    return compute / (compute + exchange)


def fits(model: ModelConfig, gpu: Gpu) -> bool:
    """Whether weights, gradients and Adam's state fit in memory, in fp32, without activations.

    >>> fits(PRETRAINED_CONFIGS["1558M"], GPUS[1]), fits(PRETRAINED_CONFIGS["774M"], GPUS[1])
    (False, True)
    """
    return model.n_parameters * BYTES_PER_PARAMETER < gpu.gigabytes * 1e9


def time_table() -> str:
    """Hours and dollars of an epoch, on one GPU."""
    lines = [
        "| model | text | tokens | " + " | ".join(gpu.name for gpu in GPUS) + " |",
        "|---|---|---|" + "---|" * len(GPUS),
    ]
    for name, model in PRETRAINED_CONFIGS.items():
        for size in TEXT_SIZES:
            tokens = size * 1e9 * TOKENS_PER_BYTE
            cells = [
                f"{_duration(hours)}, ${hours * gpu.dollars:,.0f}{'' if fits(model, gpu) else '*'}"
                for gpu in GPUS
                for hours in [training_hours(model, size, gpu)]
            ]
            lines.append(f"| {name} | {size} GB | {tokens / 1e9:g}B | {' | '.join(cells)} |")
    return "\n".join(lines)


def efficiency_table() -> str:
    """Bytes exchanged per step, and efficiency with 2 and 8 workers of one A100."""
    gpu = GPUS[2]
    heads = [f"{workers} workers, {label}" for _, label in NETWORKS for workers in (2, 8)]
    lines = [
        f"| model | MB per step and worker, 2 / 8 workers | {' | '.join(heads)} |",
        "|---|---|" + "---|" * len(heads),
    ]
    for name, model in PRETRAINED_CONFIGS.items():
        sent = " / ".join(f"{exchanged_bytes(model.n_parameters, w) / 1e6:,.0f}" for w in (2, 8))
        shares = [
            f"{efficiency(model, gpu, workers, gigabits):.0%}"
            for gigabits, _ in NETWORKS
            for workers in (2, 8)
        ]
        lines.append(f"| {name} | {sent} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.0f} days"


def tables() -> str:
    """Both tables."""
    return f"{time_table()}\n\n{efficiency_table()}"


SECTION = PageSection(
    Path(__file__).parent.parent / "docs" / "scaling.md",
    "<!-- times: made by deploy/training_cost.py -->",
    "<!-- end of times -->",
    tables,
)

if __name__ == "__main__":
    SECTION.main(__doc__.partition("\n")[0])
