"""Apache Beam: datasets, bulk generation and scoring on many workers.

The transforms can be used in pipelines of your own:

from gpt2_helpers.beam import GenerateTexts, ModelSource

texts = pipeline | beam.Create([(0, "Once upon a time")]) | GenerateTexts(ModelSource("tiny"))

The commands `beam-encode`, `beam-generate` and `beam-score` are pipelines of them that write files.
All of them need the package apache-beam, which is imported with the first of these names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt2_helpers.beam.deduplicate import FindCopies
    from gpt2_helpers.beam.encode import EncodeDataset
    from gpt2_helpers.beam.generate import GenerateTexts
    from gpt2_helpers.beam.memorization import CheckMemorization
    from gpt2_helpers.beam.models import ModelSource
    from gpt2_helpers.beam.score import ScoreTexts

_MODULES = {
    "CheckMemorization": "memorization",
    "EncodeDataset": "encode",
    "FindCopies": "deduplicate",
    "GenerateTexts": "generate",
    "ModelSource": "models",
    "ScoreTexts": "score",
}
__all__ = [
    "CheckMemorization",
    "EncodeDataset",
    "FindCopies",
    "GenerateTexts",
    "ModelSource",
    "ScoreTexts",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
