"""The public functions: those of gpt-2-simple, with the same names and parameters.

New parameters are keyword-only and come last. The `Args:` sections are completed from the config
fields at the end of this module.
"""

from __future__ import annotations

from gpt2_helpers.api.drive import (
    copy_checkpoint_from_gdrive,
    copy_checkpoint_to_gdrive,
    copy_file_from_gdrive,
    copy_file_to_gdrive,
    finish_upload,
    is_mounted,
    mount_gdrive,
)
from gpt2_helpers.api.finetuning import finetune
from gpt2_helpers.api.generation import generate, generate_to_file
from gpt2_helpers.api.memorization import check_memorization
from gpt2_helpers.api.scoring import score
from gpt2_helpers.api.setup import (
    download_gpt2,
    encode_csv,
    encode_dataset,
    export_gpt2,
    get_available_gpus,
    import_gpt2,
    is_gpt2_downloaded,
    load_adapter,
    load_gpt2,
    reset_session,
    start_tf_sess,
    use_adapter,
)
from gpt2_helpers.config import (
    BulkConfig,
    DatasetConfig,
    FinetuneConfig,
    LoadConfig,
    NoveltyConfig,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.docstrings import document
from gpt2_helpers.evaluation.config import CheckConfig, ScoreConfig
from gpt2_helpers.evaluation.loss_plot import plot_loss
from gpt2_helpers.exchange.export_config import ExportConfig
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.notebook import serve

__all__ = [
    "check_memorization",
    "copy_checkpoint_from_gdrive",
    "copy_checkpoint_to_gdrive",
    "copy_file_from_gdrive",
    "copy_file_to_gdrive",
    "download_gpt2",
    "encode_csv",
    "encode_dataset",
    "export_gpt2",
    "finetune",
    "finish_upload",
    "generate",
    "generate_to_file",
    "get_available_gpus",
    "import_gpt2",
    "is_gpt2_downloaded",
    "is_mounted",
    "load_adapter",
    "load_gpt2",
    "mount_gdrive",
    "plot_loss",
    "reset_session",
    "score",
    "serve",
    "start_tf_sess",
    "use_adapter",
]

_OPTIONS: dict[str, tuple[type, ...]] = {
    "check_memorization": (DatasetConfig, CheckConfig),
    "finetune": (FinetuneConfig, RunConfig, DatasetConfig),
    "load_gpt2": (LoadConfig, RunConfig),
    "export_gpt2": (RunConfig, ExportConfig),
    "generate": (SamplingConfig, BulkConfig, NoveltyConfig, RunConfig),
    "generate_to_file": (SamplingConfig, BulkConfig, NoveltyConfig, RunConfig),
    "score": (ScoreConfig, RunConfig),
}
for _name in __all__:
    document(
        globals()[_name], *_OPTIONS.get(_name, (RunConfig, DatasetConfig)), keywords=ServeConfig
    )
