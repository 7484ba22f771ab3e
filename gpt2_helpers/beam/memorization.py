"""The Beam transform that compares generated texts with training text."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from gpt2_helpers.beam.models import MemorizationHandler
from gpt2_helpers.evaluation.training_text import TrainingData


class CheckMemorization(beam.PTransform):
    """Compares generated texts with training text, with the definitions of `gpt2-helpers check`.

    Takes pairs of a number and a text. Returns a dictionary for each text: index (its number),
    text, kind (copy, near copy or novel), similarity, nearest (the training text), longest_run (the
    words of the longest run in common) and run (that run).

    Args:
        data: The training text, at paths or URLs that all workers can read. It is read once for
            each batch.
        batch_size: Texts that are compared at a time. Defaults to 5,000.
        threads: Threads of each process. Default: one per core, at most four.

    Example:
        texts | CheckMemorization(TrainingData([("gs://bucket/titles.csv", "title")]))
    """

    def __init__(
        self, data: TrainingData, batch_size: int = 5_000, threads: int | None = None
    ) -> None:
        super().__init__()
        self._handler = MemorizationHandler(data, batch_size, threads)

    def expand(self, texts: beam.PCollection) -> beam.PCollection:
        return (
            texts
            | "AsList" >> beam.Map(lambda text: [text])
            | RunInference(self._handler)
            | "Matches" >> beam.FlatMap(lambda result: result.inference)
        )
