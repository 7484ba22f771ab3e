"""A rough estimate of how long finetuning takes on a CPU, from the number of operations.

Takes shapes and returns seconds; loads no TensorFlow and measures nothing, unlike `step_time`.
"""

from __future__ import annotations

from gpt2_helpers.config import FinetuneConfig, ModelConfig

# Operations per second and core in fp32, from measurements on two cores with AVX2: 124M takes 5.7 s
# per sequence of 1,024 tokens, and tiny reaches a third of its rate, since its matrices are small.
_RATE, _RATE_WIDTH = 67e9, 768
_BFLOAT16_SPEEDUP = 2.6  # measured with tiny on cores with bfloat16 units


def finetuning_seconds(
    model: ModelConfig, finetune: FinetuneConfig, cores: int, precision: str = "float32"
) -> float:
    """Estimate how long all steps of a finetuning take on a CPU.

    Args:
        model: The model's shape.
        finetune: The training options, with 1 step or more.
        cores: Number of cores.
        precision: float32 or bfloat16.

    Returns:
        Seconds. Another CPU may need half as long, or twice.

    Example:
        >>> from gpt2_helpers.config import PRETRAINED_CONFIGS
        >>> round(finetuning_seconds(PRETRAINED_CONFIGS["124M"], FinetuneConfig(), 2) / 3600)
        8
    """
    # In units of the forward pass, which takes two operations per weight and token: the gradients
    # of the activations and of the weights take as long each.
    passes = 1 + 1 + (not finetune.lora_rank) + finetune.use_memory_saving_gradients
    tokens = finetune.steps * finetune.batch_size * finetune.accumulate_gradients * model.n_ctx
    rate = _RATE * min(1.0, model.n_embd / _RATE_WIDTH)
    if precision == "bfloat16":
        rate *= _BFLOAT16_SPEEDUP
    return 2 * passes * model.n_parameters * tokens / (rate * cores)


def in_words(seconds: float) -> str:
    """A duration in its largest unit, for an estimate.

    >>> [in_words(seconds) for seconds in (20, 90 * 60, 5 * 3600, 40 * 3600, 4.4 * 86400)]
    ['about 1 minute', 'about 90 minutes', 'about 5 hours', 'about 40 hours', 'about 4 days']
    """
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or unit == "minute":
            break
    count = max(1, round(seconds / size))
    return f"about {count} {unit}{'s' * (count > 1)}"
