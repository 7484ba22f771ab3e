"""Options as frozen, validated dataclasses. No TensorFlow and no files.

Each option is defined here once: the command line, the forms, the web API and the docstrings of
the public functions take it from these fields (see `fields`). docs/architecture.md lists what else
a new option needs.
"""

from gpt2_helpers.config.beam import BeamEncodeConfig, BeamOutputConfig
from gpt2_helpers.config.bulk import BulkConfig
from gpt2_helpers.config.data import DatasetConfig
from gpt2_helpers.config.finetune import INFERENCE_PRECISIONS, PRECISIONS, FinetuneConfig
from gpt2_helpers.config.novelty import NoveltyConfig
from gpt2_helpers.config.run import CheckpointConfig, LoadConfig, RunConfig
from gpt2_helpers.config.sampling import PRESET, SamplingConfig
from gpt2_helpers.model_config import (
    BUNDLED_FOLDER,
    BUNDLED_MODEL,
    HUB_NAMES,
    MODEL_ALIASES,
    MODEL_NAMES,
    PRETRAINED_CONFIGS,
    ModelConfig,
    canonical_model_name,
)

__all__ = [
    "BUNDLED_FOLDER",
    "BUNDLED_MODEL",
    "HUB_NAMES",
    "INFERENCE_PRECISIONS",
    "MODEL_NAMES",
    "MODEL_ALIASES",
    "PRECISIONS",
    "PRESET",
    "PRETRAINED_CONFIGS",
    "BeamEncodeConfig",
    "BeamOutputConfig",
    "BulkConfig",
    "CheckpointConfig",
    "DatasetConfig",
    "FinetuneConfig",
    "LoadConfig",
    "ModelConfig",
    "NoveltyConfig",
    "RunConfig",
    "SamplingConfig",
    "canonical_model_name",
]
