"""Options that had other names when older runs were recorded in `run.json`.

Installations from the repository before 0.1.0 recorded these names; their runs must still resume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "gradient_clip": "max_grad_norm",
    "schedule": "lr_schedule",
    "early_stopping": "early_stopping_patience",
    "validate_every": "eval_every",
    "drive_backup": "backup_to_drive",
}


def with_current_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A run's recorded parameters under the current option names.

    >>> with_current_names({"schedule": "cosine", "validation": "0.05"})
    {'lr_schedule': 'cosine', 'validation_split': 0.05, 'validation_data': None}
    """
    current: dict[str, Any] = {}
    for name, value in parameters.items():
        if name == "validation":  # held a fraction or a path
            current |= _split_or_data(value)
        else:
            current[RENAMED.get(name, name)] = value
    return current


def _split_or_data(value: str | float | None) -> dict[str, Any]:
    try:
        return {"validation_split": float(value or 0), "validation_data": None}
    except (ValueError, TypeError, OverflowError):  # a path, or an invalid value
        return {"validation_split": 0.0, "validation_data": value}
