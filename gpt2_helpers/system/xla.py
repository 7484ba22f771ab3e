"""Whether programs are compiled by XLA, and for which of them a graph is being traced.

XLA compiles training and decode steps on a GPU. Where it cannot, such as without CUDA's libdevice
or ptxas, TensorFlow runs the same steps as graphs. That is decided once for the process. On a CPU
nothing is compiled, since it would not be faster.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gpt2_helpers.errors import brief
from gpt2_helpers.system import device

VARIABLE = "GPT2_XLA"  # environment variable: 0 compiles nothing, 1 compiles on a CPU too

_failed: list[bool] = []  # True after give_up
_tracing: ContextVar[bool] = ContextVar("tracing", default=False)


def is_enabled() -> bool:
    """Whether to compile: on a GPU, unless that failed before or `GPT2_XLA=0` is set."""
    chosen = os.environ.get(VARIABLE, "").strip()
    return not _failed and (chosen == "1" or (chosen != "0" and bool(device.gpus())))


def give_up(error: Exception) -> None:
    """Compile nothing from now on, and warn with the reason. The first call counts.

    Args:
        error: What compiling raised.
    """
    if _failed:
        return
    _failed.append(True)
    warnings.warn(
        f"XLA cannot compile here ({brief(error)}): training and generation run without it, which "
        'is slower; `pip install "tensorflow[and-cuda]"` installs what it needs, and '
        f"{VARIABLE}=0 turns it off",
        stacklevel=2,
    )


@contextmanager
def tracing(compiled: bool = True) -> Iterator[None]:
    """Trace the graphs inside for XLA: operations that it cannot compile have another variant."""
    token = _tracing.set(compiled)
    try:
        yield
    finally:
        _tracing.reset(token)


def is_tracing() -> bool:
    """Whether the graph that is being traced will be compiled by XLA."""
    return _tracing.get()
