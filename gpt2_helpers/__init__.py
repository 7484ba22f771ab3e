"""Finetune GPT-2 on your own text and generate from it.

import gpt2_helpers as gpt2

sess = gpt2.start_tf_sess()
gpt2.finetune(sess, "data/titles.csv", model_name="tiny", steps=200)
gpt2.generate(sess, nsamples=5)

TensorFlow is imported when a function needs it.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt2_helpers.api import (
        check_memorization,
        copy_checkpoint_from_gdrive,
        copy_checkpoint_to_gdrive,
        copy_file_from_gdrive,
        copy_file_to_gdrive,
        download_gpt2,
        encode_csv,
        encode_dataset,
        export_gpt2,
        finetune,
        finish_upload,
        generate,
        generate_to_file,
        get_available_gpus,
        import_gpt2,
        is_gpt2_downloaded,
        is_mounted,
        load_adapter,
        load_gpt2,
        mount_gdrive,
        plot_loss,
        reset_session,
        score,
        serve,
        start_tf_sess,
        use_adapter,
    )
    from gpt2_helpers.errors import Gpt2Error
    from gpt2_helpers.session import Session
    from gpt2_helpers.training.adapt_vocabulary import adapt_vocabulary

# oneDNN multiplies matrices on x86 a fifth faster than TensorFlow's own code. By default TensorFlow
# uses it only on processors with 8- or 16-bit instructions; it reads this variable on import.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_MODULES = {
    "Gpt2Error": "errors",
    "Session": "session",
    "adapt_vocabulary": "training.adapt_vocabulary",
}

__version__ = "0.1.0"
__all__ = [
    "Gpt2Error",
    "Session",
    "adapt_vocabulary",
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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"gpt2_helpers.{_MODULES.get(name, 'api')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
