"""Runs Beam pipelines in this process and returns what they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_found: list[Any] = []  # the local runner has its workers in this process


def keep(element: Any) -> None:
    """Remember an element of a pipeline."""
    _found.append(element)


def collect(build: Callable[[Any], Any]) -> list[Any]:
    """The elements of the last step of a pipeline.

    Args:
        build: Called with the pipeline; returns the last step.
    """
    import apache_beam

    from gpt2_helpers.beam.runner import make_options, run_pipeline

    _found.clear()
    run_pipeline(make_options([]), lambda p: build(p) | "Keep" >> apache_beam.Map(keep))
    return list(_found)
