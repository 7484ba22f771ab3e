"""Scores texts on Beam: a transform, and the job of `gpt2-helpers beam-score`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from gpt2_helpers.beam.models import MemorizationHandler, ModelSource, TextModelHandler
from gpt2_helpers.beam.storage import find_inputs, is_web
from gpt2_helpers.beam.text_inputs import TextInput
from gpt2_helpers.beam.text_jobs import TextJob, WriteTexts
from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.config import BeamOutputConfig, DatasetConfig
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.training_text import TrainingData

_BATCH = 64  # texts; the scorer forms its own batches of similar lengths from them


class ScoreTexts(beam.PTransform):
    """Scores how well a model predicts texts.

    Takes pairs of a number and a text, none of them empty. Returns a dictionary for each text:
    index (its number), text, tokens, bytes, loss, perplexity, bits_per_byte, model and step.

    Args:
        model: Where the model is.
        config: Window, stride and precision. Defaults to None: all defaults of `ScoreConfig`.
        share_model: Whether all processes of a machine use one model. Defaults to False.

    Example:
        texts | ScoreTexts(ModelSource(run_name="titles"))
    """

    def __init__(
        self, model: ModelSource, config: ScoreConfig | None = None, share_model: bool = False
    ) -> None:
        super().__init__()
        self._handler = TextModelHandler(model, config or ScoreConfig(), _BATCH, share_model)

    def expand(self, texts: beam.PCollection) -> beam.PCollection:
        return (
            texts
            | "AsList" >> beam.Map(lambda text: [text])
            | RunInference(self._handler)
            | "Scores" >> beam.FlatMap(lambda result: result.inference)
        )


def plan_scoring(
    source: TextInput,
    model: ModelSource,
    config: ScoreConfig,
    output: BeamOutputConfig,
    data: TrainingData | None = None,
) -> tuple[TextJob, WriteTexts]:
    """The job that scores texts, and the transform that runs it.

    Args:
        source: The texts.
        model: Where the model is.
        config: Window, stride and precision.
        output: Where the scores are written.
        data: Training text that the texts are compared with too, once for each shard. Defaults to
            None.

    Example:
        job, transform = plan_scoring(texts, model, ScoreConfig(), BeamOutputConfig())
        pipeline | beam.Create([job]) | transform
    """
    settings = {
        "model": model.model_name or model.run_name,
        "version": model.version(),
        "checkpoint": model.checkpoint,
        "gpt2_helpers": installed_versions()["gpt2-helpers"],
        "options": asdict(config),
        "compared_with": data and _compared_with(data),
    }
    job = TextJob(
        *(source, output.index, settings, output.output_format, output.destination_table),
        output.shard_size,
    )
    check = data and MemorizationHandler(data, threads=model.threads)
    return job, WriteTexts(TextModelHandler(model, config, share_model=output.share_model), check)


def _compared_with(data: TrainingData) -> list[dict[str, Any]]:
    """The training text, for JSON, with the sizes and versions of its files if they are known."""
    found = []
    for dataset, column in data.datasets:
        paths = [dataset] if isinstance(dataset, str | os.PathLike) else list(dataset)
        config = DatasetConfig(column=column, encoding=data.encoding)
        listed = [path for path in paths if not is_web(path)]
        files = find_inputs(listed, ReadReport(), config) if listed else []
        read = {"column": column, "encoding": data.encoding}
        found.append({"paths": [*map(str, paths)], "files": files, **read})
    return found
