"""Training on sharded token files: the shuffle is that of one file, and resumes exactly."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sharded_tokens import write_shards
from toy import toy_tokenizer
from toy_runs import (
    ONE_LAYER,
    TEXT,
    assert_same,
    open_run,
    saved_weights,
    train,
    write_model,
    write_text,
)

pytestmark = pytest.mark.usefixtures("workplace", "eager")


def test_interrupted_training_on_shards_ends_as_training_on_the_text() -> None:
    write_model("small", shape=ONE_LAYER)
    ids = toy_tokenizer().encode(write_text(text=TEXT).read_text(encoding="utf-8"), special=True)
    shards = write_shards(
        Path(), [ids[:100], ids[103:200], ids[200:-1]], tuple(ids[100:103]), (ids[-1],)
    )
    options = {"model_name": "small", "steps": 4}
    train("text.txt", run_name="text", **options)
    for step in open_run(shards, **options):
        if step.step == 2:
            signal.raise_signal(signal.SIGINT)
    train(shards, **{**options, "steps": 2, "seed": None})
    assert_same(saved_weights("text"), saved_weights())
