"""Sampling options, which must have the same effect in every user interface."""

from __future__ import annotations

from typing import Any

SAMPLER_OPTIONS: list[dict[str, Any]] = [
    {
        "min_p": 0.02,
        "typical_p": 0.9,
        "repetition_penalty": 1.3,
        "presence_penalty": 0.4,
        "frequency_penalty": 0.3,
        "no_repeat_ngram_size": 2,
        "banned_words": ("e", " an"),
        "logit_bias": {"i": 2.0, "5": -50.0},
        "truncate": (".", "?"),
    },
    {"best_of": 3, "best_of_by": "total"},
    {"choices": (" yes", " no", " never")},
    {"regex": " [a-z]{3}"},
]
