"""The options of `gpt2-helpers bench`."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.fields import ValidatedConfig, option

SECONDS, QUICK_SECONDS = 570, 110  # for everything, once the model is ready


@dataclass(frozen=True)
class BenchConfig(ValidatedConfig):
    """What `gpt2-helpers bench` measures."""

    quick: bool = option(False, "take two minutes instead of ten, with fewer rounds")
    json: bool = option(False, "print the results as JSON, with every round")

    @property
    def seconds(self) -> int:
        """How long the measurements may take together."""
        return QUICK_SECONDS if self.quick else SECONDS
