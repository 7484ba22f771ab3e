"""Bits per byte: how well a model predicts a text.

Unlike perplexity per token, the measure allows comparing models with different vocabularies.
"""

from __future__ import annotations

from pathlib import Path

from gpt2_helpers.checkpoint.model_files import load_for_inference
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import Scorer
from gpt2_helpers.generation.decoder import Model
from gpt2_helpers.generation.decoders import DecoderPool, runs_on_tflite
from gpt2_helpers.tokenizer import Tokenizer


def bits_per_byte(
    model: Model, tokenizer: Tokenizer, text: str, stride: int | None = None
) -> float:
    """Compute the cross-entropy of a text in bits per UTF-8 byte, in fp32; lower is better.

    Args:
        model: The model.
        tokenizer: The tokenizer that belongs to it.
        text: The text to predict, not empty.
        stride: Tokens that the window moves by, from 1 to `n_ctx`; half of `n_ctx` by default.
            Lower is more exact and slower. See `scoring`.

    Returns:
        Bits per byte.

    Raises:
        DatasetError: The text is empty.
        OptionError: The stride is out of range.
    """
    scorer = Scorer(DecoderPool(model), tokenizer, ScoreConfig(stride=stride))
    (score,) = scorer.score([text])
    return score.bits_per_byte


def measure(folder: str | Path, text: str) -> float:
    """Bits per byte of `text` for the newest checkpoint in a model or run folder, in fp32.

    measure("models/124M", Path("book.txt").read_text())
    """
    loaded = load_for_inference(folder, "float32", "float32")
    model: Model = loaded if runs_on_tflite("float32") else loaded.to_tensorflow()
    return bits_per_byte(model, Tokenizer.load(folder), text)
