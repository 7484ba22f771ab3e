"""The public function that scores texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpt2_helpers.api.arguments import CHECKPOINT_DIR, RUN_NAME, config_from, load_if_needed
from gpt2_helpers.data.prompt_files import given_prompts
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.session import Session


def score(
    sess: Session,
    text: str | Sequence[str],
    run_name: str = RUN_NAME,
    checkpoint_dir: str | Path = CHECKPOINT_DIR,
    model_name: str | None = None,
    model_dir: str | Path = "models",
    *,
    stride: int | None = None,
    window: int | None = None,
    prompt_prefix: str | None = None,
    precision: str = "float32",
) -> TextScore | list[TextScore]:
    """Compute how likely a text is: the log-probability of each of its tokens.

    The model is chosen as in `generate`. A text that is longer than the model's context is scored
    with a window that moves over it. The first token follows an `<|endoftext|>`, as in training.

    Args:
        sess: A session from `start_tf_sess`.
        text: The text, or a list of texts, which are computed in batches.
        run_name: Name of the run to use.
        model_name: Pretrained model to use instead of a run.

    Returns:
        A `TextScore`, or a list of them for a list of texts. `tokens`, `ids` and `logprobs` have
        one entry per token: its text, its id, and the natural logarithm of its probability.
        `total` is their sum; `loss` (nats per token), `perplexity` and `bits_per_byte` are those of
        the text.

    Raises:
        OptionError: If an option is invalid, or `text` is not a string or a list of strings.
        DatasetError: If a text is empty.
        CheckpointError: If the run or the model is missing or damaged.

    Example:
        score = gpt2.score(sess, "Once upon a time")
        print(score.perplexity, list(zip(score.tokens, score.logprobs)))
    """
    config = config_from(ScoreConfig, locals())
    texts = given_prompts(text, option="text")
    load_if_needed(sess, run_name, checkpoint_dir, model_name, model_dir)
    scores = list(sess.scorer(config).score(texts))
    return scores[0] if isinstance(text, str) else scores
