"""What is measured: the kinds of work, and those of `gpt2-helpers bench`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpt2_helpers.config import ModelConfig

# Of the end token at each position, in the workload with texts of varying length.
END_PROBABILITY = 1 / 20
# Texts generated per round in that workload. Other libraries generate batch after batch, each as
# long as its longest text, so a few batches show their rate; ours refills the places of finished
# texts.
OUR_TEXTS, BASELINE_TEXTS = 400, 60
# Positions that are compared in the workload "agreement".
COMPARED = 64


@dataclass(frozen=True)
class Workload:
    """What is measured.

    Attributes:
        name: A short name.
        title: Its row of a table.
        kind: generate, texts, prompt, finetune, memory, cold start, first step, tokenize, most
            likely or agreement. `memory` is finetuning with recomputed activations; `first step`
            is finetuning from the start of the process until a step is done.
        unit: The unit of its values: seconds or GB if `lower_is_better`, otherwise a rate.
        targets: How many times as fast (or as small) as another library this project aims to be.
        batch: Texts, or windows of training text, at a time.
        length: Tokens to generate, or in a window of training text.
        prompt: Tokens of the prompt.
        keystrokes: Prompts of a round, each a letter longer than the one before.
        top_k: Sampling option; 0 is off.
        top_p: Sampling option; 0 is off.
        accumulate: Batches per training step.
        rounds: How often it is measured.
        quick: Whether it is part of `make bench-quick`.
        weights: The folder of the weights in `benchmarks/compare.py`.
    """

    name: str
    title: str
    kind: str
    unit: str
    targets: Mapping[str, float] = field(default_factory=dict)
    batch: int = 1
    length: int = 100
    prompt: int = 0
    keystrokes: int = 1
    top_k: int = 0
    top_p: float = 0.0
    accumulate: int = 1
    rounds: int = 5
    quick: bool = field(default=False, kw_only=True)
    weights: str = field(default="124M", kw_only=True)

    @property
    def is_training(self) -> bool:
        """Whether a round is a training step."""
        return self.kind in ("finetune", "memory", "first step")

    @property
    def includes_start(self) -> bool:
        """Whether its value is the time from the start of the process until it has warmed up."""
        return self.kind in ("cold start", "first step")

    @property
    def warms_up(self) -> bool:
        """Whether a round that does not count comes first."""
        return self.kind not in ("tokenize", "most likely", "agreement")

    @property
    def needs_new_process(self) -> bool:
        """Whether each round runs in a new process, because of what is measured or of its size."""
        large = self.kind == "finetune" and self.batch > 1
        return large or self.includes_start or self.kind in ("memory", "tokenize")

    @property
    def lower_is_better(self) -> bool:
        """Whether its values are seconds or GB, not a rate."""
        return self.includes_start or self.kind in ("prompt", "finetune", "memory", "tokenize")


def machine_workloads(model: ModelConfig, quick: bool) -> tuple[Workload, ...]:
    """The workloads of `gpt2-helpers bench`, for a model shape.

    Args:
        model: The shape; lengths fit into its context.
        quick: Fewer workloads and rounds.

    >>> [work.name for work in machine_workloads(ModelConfig(), quick=True)]
    ['generate-1', 'generate-20', 'prompt', 'finetune', 'agreement']
    """
    context = model.n_ctx
    length = min(100, context)
    new = min(50, context // 2)
    prompt = min(900, context - new)
    rounds = 2 if quick else 5
    found = [
        Workload(
            "generate-1",
            f"generate {length} tokens, batch 1",
            "generate",
            "tokens/s",
            length=length,
            top_k=40,
            rounds=rounds,
        ),
        Workload(
            "generate-20",
            f"generate {length} tokens, batch 20",
            "generate",
            "tokens/s",
            batch=20,
            length=length,
            top_k=40,
            rounds=max(1, rounds - 2),
        ),
        Workload(
            "prompt",
            f"read a prompt of {prompt} tokens and generate {new}",
            "prompt",
            "s",
            length=new,
            prompt=prompt,
            top_k=40,
            rounds=max(1, rounds - 2),
        ),
        Workload(
            "finetune",
            f"finetuning step, 1 x {context} tokens",
            "finetune",
            "s/step",
            length=context,
            rounds=max(1, rounds - 2),
        ),
        Workload(
            "finetune-saving",
            f"finetuning step, 1 x {context} tokens, memory-saving gradients",
            "memory",
            "s/step",
            length=context,
            rounds=1,
        ),
        Workload(
            "agreement", "logits compared with fp32 on the processor", "agreement", "", rounds=1
        ),
    ]
    return tuple(work for work in found if not (quick and work.name == "finetune-saving"))
