"""Generates texts on Beam: a transform, and the job of `gpt2-helpers beam-generate`."""

from __future__ import annotations

from dataclasses import replace

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from gpt2_helpers.beam.models import ModelSource, TextModelHandler, require_seed
from gpt2_helpers.beam.text_inputs import TextInput
from gpt2_helpers.beam.text_jobs import TextJob, WriteTexts
from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.config import BeamOutputConfig, SamplingConfig
from gpt2_helpers.generation.output_formats import generation_options


class GenerateTexts(beam.PTransform):
    """Generates texts for prompts.

    Takes pairs of a number and a prompt. Each number occurs once in a job. Returns a dictionary
    for each text with the fields that `gpt2-helpers generate` writes to JSON Lines: index, prompt,
    text, seed, tokens, finish_reason, logprob, model and step. The index of a text is its prompt's
    number times `nsamples`, plus its number among the texts of that prompt; it and the seed
    determine the text.

    Args:
        model: Where the model is.
        config: The sampling options; `nsamples` texts are generated for each prompt, and up to
            `batch_size` texts at the same time. The seed must be set.
        share_model: Whether all processes of a machine use one model. Defaults to False.

    Raises:
        OptionError: `config` has no seed.

    Example:
        config = SamplingConfig(length=40, batch_size=20, seed=1)
        prompts | GenerateTexts(ModelSource(run_name="titles"), config)
    """

    def __init__(
        self, model: ModelSource, config: SamplingConfig, share_model: bool = False
    ) -> None:
        super().__init__()
        require_seed(config)
        prompts = max(1, config.batch_size // config.n_candidates)
        # Several batches, so that a sequence that ends makes room for the next one.
        self._handler = TextModelHandler(model, config, 4 * prompts, share_model)

    def expand(self, prompts: beam.PCollection) -> beam.PCollection:
        return (
            prompts
            | "AsList" >> beam.Map(lambda prompt: [prompt])
            | RunInference(self._handler)
            | "Texts" >> beam.FlatMap(lambda result: result.inference)
        )


def plan_generation(
    source: TextInput, model: ModelSource, config: SamplingConfig, output: BeamOutputConfig
) -> tuple[TextJob, WriteTexts]:
    """The job that generates texts for prompts, and the transform that runs it.

    The rows of all files in order are those that `gpt2-helpers generate` writes to one file.

    Args:
        source: The prompts.
        model: Where the model is.
        config: The sampling options, with a seed.
        output: Where the texts are written.

    Example:
        job, transform = plan_generation(TextInput(("Why",)), model, config, BeamOutputConfig())
        pipeline | beam.Create([job]) | transform
    """
    settings = {
        "model": model.model_name or model.run_name,
        "version": model.version(),
        "checkpoint": model.checkpoint,
        "precision": model.precision,
        "gpt2_helpers": installed_versions()["gpt2-helpers"],
        "seed": config.seed,
        "options": generation_options(config),
    }
    repeats = 1
    if not config.best_of:  # else the candidates of a prompt are compared with each other
        repeats, config = config.nsamples, replace(config, nsamples=1)
    job = TextJob(
        *(source, output.index, settings, output.output_format, output.destination_table),
        *(output.shard_size, repeats),
    )
    return job, WriteTexts(TextModelHandler(model, config, share_model=output.share_model))
