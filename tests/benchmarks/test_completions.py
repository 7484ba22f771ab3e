"""The benchmark of training on completions, without training."""

from __future__ import annotations

import numpy as np

import completions
from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.windows import n_targets


def test_both_see_the_same_ids_and_are_measured_on_completions() -> None:
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    masked, held_out = completions.windows(tokenizer, 256, True)
    whole, same = completions.windows(tokenizer, 256, False)
    first, second = masked.batch(1, 0, 4), whole.batch(1, 0, 4)
    assert np.array_equal(first[:, 0], second[:, 0])
    assert sum(map(n_targets, first)) < sum(map(n_targets, second))
    assert np.array_equal(held_out.validation(1)[0], same.validation(1)[0])
    (window,) = held_out.validation(1)
    predicted = tokenizer.decode([int(index) for index in window[1] if index >= 0])
    assert "on a bed of" in predicted
    assert "<|startoftext|>" not in predicted
