"""The options of pretraining: the new model's shape and the defaults."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.training.pretrain_config import PRETRAIN_FINETUNE, PRETRAIN_RUN, PretrainConfig


def test_the_shape_of_the_new_model() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=16, n_embd=32, n_head=4, n_layer=2)
    expected = ModelConfig(n_vocab=300, n_ctx=16, n_embd=32, n_head=4, n_layer=2)
    assert config.model_config() == expected


def test_an_embedding_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(OptionError, match="n_head"):
        PretrainConfig(n_embd=33, n_head=4)


def test_defaults_hold_out_validation_data_and_decay_the_learning_rate() -> None:
    assert PRETRAIN_RUN.validation_split
    assert PRETRAIN_FINETUNE.lr_schedule == "cosine"
    assert PRETRAIN_FINETUNE.warmup_steps < PRETRAIN_FINETUNE.steps
