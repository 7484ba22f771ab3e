"""Replaces a model's vocabulary with one trained on the user's text, and keeps everything else.

The Transformer layers and position embeddings stay. A token that the old vocabulary also has keeps
its embedding, and a new token starts from the mean embedding of the old tokens that spell it. The
result is a model to finetune: in a language that the old vocabulary splits into many small tokens,
a sequence then holds more text, and training and generation are faster by as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.config import DatasetConfig, ModelConfig
from gpt2_helpers.data.find_files import find_training_files
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.training.vocabulary import text_chunks, train_tokenizer
from gpt2_helpers.types import DatasetPath

_SAMPLE_CHARACTERS = 200_000


@dataclass(frozen=True)
class AdaptedVocabulary:
    """What `adapt_vocabulary` made.

    Attributes:
        folder: The new model's folder.
        n_vocab: Size of the new vocabulary.
        shared: How many of its tokens the old one has too.
        tokens_before: Tokens per character of the text with the old vocabulary.
        tokens_after: Tokens per character with the new one.
    """

    folder: Path
    n_vocab: int
    shared: int
    tokens_before: float
    tokens_after: float

    def __str__(self) -> str:
        """The numbers as a sentence.

        >>> print(AdaptedVocabulary(Path("models/new"), 4096, 812, 0.61, 0.3))
        models/new: 4,096 tokens, 812 of them from the old vocabulary; 0.30 tokens per character \
instead of 0.61
        """
        return (
            f"{self.folder}: {self.n_vocab:,} tokens, {self.shared:,} of them from the old "
            f"vocabulary; {self.tokens_after:.2f} tokens per character instead of "
            f"{self.tokens_before:.2f}"
        )


def adapt_vocabulary(
    texts: DatasetPath,
    out: str | Path,
    model_name: str = "124M",
    model_dir: str | Path = "models",
    vocab_size: int | None = None,
    data: DatasetConfig | None = None,
    validation_data: DatasetPath | None = None,
) -> AdaptedVocabulary:
    """Make a model with a vocabulary trained on the given texts.

    Args:
        texts (DatasetPath): File or folder of texts, the ones to finetune on or more of the same
            kind.
        out (str | Path): Folder for the new model.
        model_name (str): Model whose layers are kept, by its name or folder. Defaults to '124M'.
        model_dir (str | Path): Where models are kept, each under its name. Defaults to 'models'.
        vocab_size (int | None): Number of tokens. Defaults to None (as many as the old vocabulary).
        data (DatasetConfig | None): How to read the texts. Defaults to None (the defaults of
            `DatasetConfig`).
        validation_data (DatasetPath | None): Files that are left out, even inside `texts`. Defaults
            to None.

    Returns:
        The new model's folder, and how well the new vocabulary fits the texts.

    Raises:
        DatasetError: The texts cannot be read or are too short for the vocabulary.
        CheckpointError: The model is missing, or `out` contains one.
        OptionError: An argument is invalid.

    Example:
        print(adapt_vocabulary("novella.txt", "models/german", "tiny", vocab_size=2000))
    """
    out, data = user_path(out, "out"), data or DatasetConfig()
    if (out / "hparams.json").exists() or any(out.glob("model*.index")):
        raise CheckpointError(f"{out} already contains a model: use another folder")
    base = model_folder(model_name, model_dir)
    old = Tokenizer.load(base)
    files = find_training_files(texts, validation_data, ReadReport(), data)
    new = train_tokenizer(text_chunks(files, data), vocab_size or old.n_vocab)
    model = load_model(base)
    out.mkdir(parents=True, exist_ok=True)
    new.save(out)
    save_model(with_vocabulary(model, old, new), out)
    sample = next(text_chunks(files, data))[:_SAMPLE_CHARACTERS]
    return AdaptedVocabulary(
        folder=out,
        n_vocab=new.n_vocab,
        shared=len(old.vocabulary.keys() & new.vocabulary.keys()),
        tokens_before=len(old.encode(sample)) / max(1, len(sample)),
        tokens_after=len(new.encode(sample)) / max(1, len(sample)),
    )


def with_vocabulary(model: GPT2, old: Tokenizer, new: Tokenizer) -> GPT2:
    """A model of the same layers whose embeddings are those of another vocabulary.

    Args:
        model: The model.
        old: Its tokenizer.
        new: The tokenizer of the new model.
    """
    shape = model.config
    weights = {name: variable.numpy() for name, variable in model.variables.items()}
    weights["model/wte"] = new_embeddings(weights["model/wte"], old, new)
    config = ModelConfig(new.n_vocab, shape.n_ctx, shape.n_embd, shape.n_head, shape.n_layer)
    return GPT2(config, weights, model.precision)


def new_embeddings(embeddings: np.ndarray, old: Tokenizer, new: Tokenizer) -> np.ndarray:
    """The start values of the embeddings of a new vocabulary.

    Args:
        embeddings: Embeddings of the old vocabulary (n_vocab, n_embd).
        old: Its tokenizer.
        new: The tokenizer of the new vocabulary.

    Returns:
        Embeddings of the new vocabulary (new n_vocab, n_embd): the old one of a token that both
        have, otherwise the mean of the old tokens that spell it.
    """
    result = np.empty((new.n_vocab, embeddings.shape[1]), embeddings.dtype)
    for token, index in new.vocabulary.items():
        if token == END_OF_TEXT:
            result[index] = embeddings[old.end_of_text]
        elif token in old.vocabulary:
            result[index] = embeddings[old.vocabulary[token]]
        else:
            result[index] = embeddings[old.encode_bytes(new.decode_bytes([index]))].mean(axis=0)
    return result
