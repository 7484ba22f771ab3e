"""What a measurement ran on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from gpt2_helpers.system import device

LIBRARIES = ("gpt2-helpers", "tensorflow", "ai-edge-litert", "numpy", "transformers", "torch")


def describe() -> dict[str, Any]:
    """The name of the machine, its precision and the versions of what is measured.

    >>> sorted(describe())
    ['name', 'precision', 'versions']
    """
    versions = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "name": device.name(),
        "precision": {
            "training": device.choose_precision(),
            "generation": device.choose_decoding_precision(),
        },
        "versions": versions,
    }
