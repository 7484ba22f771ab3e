"""The model that is measured: the one in the models folder, or random weights of its shape."""

from __future__ import annotations

import shutil
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import open_weights, save_weights
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.config import BUNDLED_FOLDER, PRETRAINED_CONFIGS, RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange import model_folder as hugging_face
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.tokenizer import Tokenizer

TOKENIZER_FILES = ("encoder.json", "vocab.bpe")
# Read as a prompt: English prose of the project's own, repeated until it is long enough.
PROMPT_TEXT = (
    "The lighthouse keeper counted the steps every evening, although the number had never changed. "
    "There were one hundred and twelve of them, and on the last one somebody had scratched a name "
    "that the salt had made unreadable. He liked to think that it had been a short one. Below, the "
    "harbor was already dark; two boats were late, and the baker's daughter stood at the end of "
    "the pier with a lamp, as she did whenever the wind came from the north. "
)


def bench_folder(run: RunConfig, temporary: Path, for_transformers: bool) -> Path:
    """Prepare a folder with the model and a text, for the worker processes.

    Args:
        run: The options `model_name` and `model_dir`.
        temporary: Where the folder is made.
        for_transformers: Whether to write the model in Hugging Face's layout as well, next to it.

    Returns:
        The folder, in OpenAI's layout.

    Raises:
        CheckpointError: The model does not exist, and its name is not that of a known shape.
    """
    folder = temporary / "model"
    folder.mkdir()
    try:
        source = model_folder(run.model_name, run.model_dir)
    except CheckpointError:
        if run.model_name not in PRETRAINED_CONFIGS:
            raise
        source = BUNDLED_FOLDER  # for its tokenizer
        config = PRETRAINED_CONFIGS[run.model_name]
        save_weights(folder, "model.ckpt", config, random_weights(config))
    else:
        config, stored = open_weights(source, None)
        save_weights(folder, "model.ckpt", config, stored)
    for name in TOKENIZER_FILES:
        shutil.copyfile(source / name, folder / name)
    text = PROMPT_TEXT * (config.n_ctx // 50 + 1)
    (folder / "text.txt").write_text(text, encoding="utf-8")
    if for_transformers:
        tokenizer = Tokenizer.load(folder)
        _, weights = open_weights(folder, None)
        path = folder.with_name("model-transformers")
        hugging_face.write_model(path, config, tokenizer, weights, "")
    return folder
