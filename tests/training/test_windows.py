"""The choice of training windows, and training on whole documents."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.data.documents import wrap_pair
from gpt2_helpers.data.packing import DocumentWindows, find_documents
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.training.trainer import Trainer
from gpt2_helpers.training.windows import (
    as_window_source,
    choose_windows,
    has_prompts,
    make_windows,
    n_targets,
)
from toy import TOY, toy_model, toy_tokenizer
from toy_runs import RUN1, open_run, train, write_model, write_text

END = 0
TEXTS = [[5, 6, 7, 8], [9, 9], [10], [11, 12, 13, 14, 15, 16], [17, 18, 19]]
TABLE = "title\n" + "".join(f"What is the best thing to have {n}?\n" for n in range(60))


def packed(texts: list[list[int]], n_ctx: int = TOY.n_ctx) -> DocumentWindows:
    """Windows of texts that an end of text follows."""
    tokens = np.array([i for text in texts for i in [*text, END]])
    return DocumentWindows(find_documents(tokens, END), n_ctx)


@pytest.mark.parametrize(
    ("windows", "recorded", "is_table", "chosen"),
    [
        ("auto", None, True, "documents"),
        ("auto", None, False, "stream"),
        ("auto", "stream", True, "stream"),  # a run keeps what it was trained with
        ("auto", "documents", False, "documents"),
        ("stream", "documents", True, "stream"),
        ("documents", "stream", False, "documents"),
    ],
)
def test_the_option_decides_then_the_run_then_the_data(
    windows: str, recorded: str | None, is_table: bool, chosen: str
) -> None:
    assert choose_windows(windows, recorded, is_table, legacy_tokens=False) == chosen


def test_documents_need_the_end_of_text_as_a_token() -> None:
    with pytest.raises(OptionError, match="use windows='stream'"):
        choose_windows("documents", None, is_table=True, legacy_tokens=True)
    assert choose_windows("auto", None, is_table=True, legacy_tokens=True) == "stream"


def test_rows_of_a_table_are_predicted_from_their_marker() -> None:
    tokenizer = toy_tokenizer()
    text = "".join(f"<|startoftext|>{row}<|endoftext|>\n" for row in ("What is it?", "How"))
    tokens = np.array(tokenizer.encode(text, True))
    source = make_windows("documents", tokens, tokenizer, 100, has_start_marker=True)
    (window,) = source.validation(9)
    first = window[:, (window[2] == 0) & (window[1] >= 0)]
    assert tokenizer.decode(first[0]) == "<|startoftext|>What is it?"
    assert tokenizer.decode(first[1]) == "|startoftext|>What is it?<|endoftext|>"


def test_targets_are_counted() -> None:
    assert n_targets(np.arange(9, dtype=np.int32)) == 8
    assert n_targets(packed([[5, 6], [7]], 8).validation(9)[0]) == 5


def test_ids_outside_the_vocabulary_are_rejected() -> None:
    with pytest.raises(DatasetError, match=f"token id {TOY.n_vocab} is outside"):
        as_window_source(packed([[5, TOY.n_vocab]]), toy_model())


@pytest.mark.parametrize("recompute", [False, True])
def test_packing_equals_training_each_document_alone(recompute: bool) -> None:
    """The loss and all gradients, weighted by the number of targets."""
    model = toy_model()
    variables = list(model.variables.values())

    @tf.function(autograph=False)
    def loss_and_gradients(windows: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = model.loss(windows, recompute=recompute)
        gradients = tape.gradient(loss, variables)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    (window,) = packed(TEXTS[:3]).validation(9)
    together = loss_and_gradients(tf.constant(window[None]))
    count = sum(len(text) + 1 for text in TEXTS[:3])
    loss, gradients = 0.0, [np.zeros(variable.shape) for variable in variables]
    for text in TEXTS[:3]:
        alone, own = loss_and_gradients(tf.constant([[END, *text, END]]))
        share = (len(text) + 1) / count
        loss += float(alone) * share
        gradients = [a + b.numpy() * share for a, b in zip(gradients, own, strict=True)]
    assert float(together[0]) == pytest.approx(loss, abs=1e-5)
    for found, expected in zip(together[1], gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_attention_in_one_block_sees_only_the_own_document() -> None:
    """With dropout, attention is not computed in blocks; a dropout of nearly 0 changes nothing."""
    model = toy_model(dataclasses.replace(TOY, n_ctx=24))
    windows = tf.constant(packed(TEXTS, 24).validation(9)[0][None])
    in_blocks = float(model.loss(windows))
    in_one = float(model.loss(windows, dropout=1e-9, seed=tf.constant([1, 2, 0])))
    assert in_one == pytest.approx(in_blocks, abs=1e-5)


def test_every_target_of_a_step_weighs_the_same() -> None:
    """Two micro-batches of one window each train like one micro-batch of two."""
    windows = packed(TEXTS)
    counts = [n_targets(window) for window in windows.validation(9)]
    assert len(counts) == 2  # both are in each step
    assert counts[0] != counts[1]
    losses, weights = [], []
    for accumulate, batch in ((2, 1), (1, 2)):
        model = toy_model()
        config = FinetuneConfig(
            steps=2, optimizer="sgd", learning_rate=0.1, seed=1,
            accumulate_gradients=accumulate, batch_size=batch,
        )  # fmt: skip
        losses.append([step.loss for step in Trainer(model, windows, config)])
        weights.append([variable.numpy() for variable in model.variables.values()])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_the_validation_loss_weighs_every_target_the_same() -> None:
    model = toy_model()
    config = FinetuneConfig(steps=1, optimizer="sgd", accumulate_gradients=1)
    windows = packed(TEXTS)
    trainer = Trainer(model, windows, config, windows)
    total = sum(
        float(model.loss(tf.constant([[END, *text, END]]))) * (len(text) + 1) for text in TEXTS
    )
    assert trainer.validation_loss() == pytest.approx(total / 21, abs=1e-5)


@pytest.mark.usefixtures("workplace", "eager")
def test_a_table_is_trained_as_documents_and_resumed_so() -> None:
    write_text("titles.csv", TABLE)
    whole, steps = train("titles.csv", steps=4)
    assert json.loads((RUN1 / "run.json").read_text())["windows"] == "documents"
    train("titles.csv", steps=2, run_name="parts")
    parts, more = train("titles.csv", steps=2, run_name="parts")
    assert [step.loss for step in steps[2:]] == [step.loss for step in more]
    for name, variable in whole.model.variables.items():
        np.testing.assert_array_equal(variable, parts.model.variables[name])


@pytest.mark.usefixtures("workplace", "eager")
def test_a_run_of_an_earlier_version_keeps_its_windows() -> None:
    write_text("titles.csv", TABLE)
    train("titles.csv", steps=1, windows="stream")
    path = RUN1 / "run.json"
    record = json.loads(path.read_text())
    del record["windows"]
    path.write_text(json.dumps(record))
    assert open_run("titles.csv", steps=1).record.windows == "stream"


@pytest.mark.usefixtures("workplace", "eager")
def test_texts_that_are_cut_are_reported() -> None:
    write_text("titles.csv", TABLE + "What is the best thing " * 20 + "\n")
    notes = open_run("titles.csv", steps=1, windows="documents").notes
    (note,) = (note for note in notes if note.startswith("each sequence is filled with"))
    assert "whole texts: 61 in " in note
    assert note.endswith("1 of them is longer than 32 tokens and cut")


def test_prompts_need_whole_documents() -> None:
    given: dict[str, Any] = {"is_table": True, "legacy_tokens": False, "has_prompts": True}
    assert choose_windows("auto", "stream", **given) == "documents"
    with pytest.raises(OptionError, match="cuts prompts from their completions"):
        choose_windows("stream", None, **given)
    with pytest.raises(OptionError, match="legacy_tokens"):
        choose_windows("auto", None, **(given | {"legacy_tokens": True}))


def test_prompts_are_recognized_and_not_predicted() -> None:
    tokenizer = toy_tokenizer()
    text = wrap_pair("What is best?", "The best thing!") + wrap_pair("", " a (what) ")
    tokens = np.array(tokenizer.encode(text, True))
    assert has_prompts(tokens, tokenizer)
    assert not has_prompts(tokens[:5], tokenizer)
    (window,) = make_windows("documents", tokens, tokenizer, 500, True, True).validation(9)
    targets = [int(index) for index in window[1] if index >= 0]
    ends = "<|endoftext|>"
    texts = {f"The best thing!{ends}", f"a (what){ends}"}
    assert {*tokenizer.decode(targets).split(ends)} == {*"".join(texts).split(ends)}


def test_the_loss_of_a_run_is_that_of_completions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    pairs = [(f"What is {n}?", f"The best thing {n}.") for n in range(40)]
    write_text("a.csv", "q,a\n" + "".join(f"{q},{a}\n" for q, a in pairs))
    lines = (json.dumps({"prompt": q, "completion": a}) + "\n" for q, a in pairs)
    write_text("a.jsonl", "".join(lines))
    table = open_run("a.csv", prompt_column="q", column="a", validation_split=0.2)
    run, (*_, last) = train("a.jsonl", validation_split=0.2, eval_every=4)
    assert run.dataset.tokens.tolist() == table.dataset.tokens.tolist()
    assert "the loss is that of the completions, not of their prompts" in run.notes
    record = run.folder.read().record
    assert (record.has_prompts, record.windows) == (True, "documents")
    assert record.example_prompts == [q for q, _ in pairs[:5]]
    assert last.validation_loss == pytest.approx(run.trainer.validation_loss())
    # Validation windows predict the tokens of completions alone.
    tokenizer = run.tokenizer
    assert run.validation is not None
    source = make_windows("documents", run.validation.tokens, tokenizer, 32, True, True)
    predicted = sum(n_targets(window) for window in source.validation(10**6))
    held_out = pairs[-run.validation.documents :]
    expected = [len(tokenizer.encode(f"{a}<|endoftext|>", True)) for _, a in held_out]
    assert predicted == sum(expected)


def test_samples_of_a_run_continue_prompts_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text("a.jsonl", '{"prompt": "What is best?", "completion": "The thing"}\n' * 20)
    _, progress = train("a.jsonl", steps=1, sample_every=1, sample_length=8)
    (sample,) = progress[0].samples
    assert sample.startswith("<|startoftext|>What is best?\n<|completion|>\n")
