"""The model card of a run, and the sentence under its texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.run_card import CARD_FILE, disclosure, run_card, write_card
from gpt2_helpers.checkpoint.run_record import RunRecord

RECORD = RunRecord(
    dataset="/home/me/titles.csv",
    earlier_datasets=[("old/stories.txt", None, 300)],
    base_model="124M",
    parameters={"column": "title", "optimizer": "adam", "learning_rate": 0.0001, "dropout": 0.0},
    versions={"tensorflow": "2.21.0"},
    losses=[(1, 3.5), (500, 2.25)],
    validation_losses=[(step, 3 - step / 1000) for step in range(25, 501, 25)],
    dataset_tokens=20_000,
    tokens_per_step=5_000,
    windows="documents",
    device="Tesla T4",
)


def test_the_card_says_what_happened() -> None:
    card = run_card("run1", RECORD, 500)
    for line in (
        "# run1",
        "- until step 300: stories.txt",
        "- titles.csv, column title, 20,000 tokens",
        "- seen 50 times in training",
        "| base model | 124M |",
        "| steps | 500 |",
        "| tokens per step | 5,000 |",
        "| optimizer | adam |",
        "| windows | documents |",
        "| device | Tesla T4 |",
        "| tensorflow | 2.21.0 |",
        "Training loss at step 500: 2.250 nats per token.",
        "| 500 | 2.500 |",
        "| 50 | 2.950 |",
    ):
        assert line in card.splitlines()
    assert "dropout" not in card
    table = card.partition("| step | validation loss |")[2]
    assert table.count("| 2.") == 10  # thinned out
    assert "/home/me" not in card


def test_a_run_of_gpt_2_simple_has_a_card_too() -> None:
    card = run_card("run1", RunRecord(), 10)
    assert "- not recorded" in card
    assert "| steps | 10 |" in card
    assert "validation" not in card


def test_the_card_says_how_the_data_was_prepared() -> None:
    options: dict[str, Any] = {
        "deduplicate": True,
        "unwrap": False,
        "validation_split": 0.05,
        "warmup_steps": 20,
    }
    card = run_card("run1", dataclasses.replace(RECORD, parameters=options), 500).splitlines()
    assert "- copies and near copies left out" in card
    assert "- validation data: 5% of the data, not trained on" in card
    assert "| warmup_steps | 20 |" in card
    assert not any("lines joined" in line for line in card)
    options = {"validation_data": "/home/me/held-out.txt", "prompt_column": "question"}
    card = run_card("run1", dataclasses.replace(RECORD, parameters=options), 500).splitlines()
    assert "- validation data: held-out.txt" in card
    assert "- prompts: column question" in card


def test_an_imported_model_is_not_called_finetuned() -> None:
    record = RunRecord(base_model="german-gpt2")
    assert disclosure("run1", record, 0) == (
        "Written by the language model run1 (GPT-2 german-gpt2)."
    )
    assert "- imported, and not trained since" in run_card("run1", record, 0)


def test_the_sentence() -> None:
    assert disclosure("run1", RECORD, 1500) == (
        "Written by the language model run1 (GPT-2 124M, finetuned for 1,500 steps on titles.csv)."
    )
    assert disclosure("x", RunRecord(), 1) == (
        "Written by the language model x (a GPT-2, finetuned for 1 step)."
    )
    several = RunRecord(dataset='["a/one.txt", "b/two.txt"]', base_model="models/mine")
    assert "GPT-2 mine, finetuned for 2 steps on one.txt, two.txt" in disclosure("x", several, 2)


def test_a_card_that_was_edited_is_kept(tmp_path: Path) -> None:
    write_card(tmp_path, "run1", RECORD, 500)
    path = tmp_path / CARD_FILE
    assert path.read_text() == run_card("run1", RECORD, 500)
    write_card(tmp_path, "run1", RECORD, 600)
    assert "| steps | 600 |" in path.read_text()
    path.write_text("My own words")
    write_card(tmp_path, "run1", RECORD, 700)
    assert path.read_text() == "My own words"


def test_names_cannot_add_lines_or_control_characters(tmp_path: Path) -> None:
    options = {"column": "a\n# b\x1b[2J", "prompt_column": "\u202e", "validation_data": "c\r"}
    record = dataclasses.replace(RECORD, dataset="\udcff\n.txt", parameters=options)
    write_card(tmp_path, "run1", record, 500)
    card = (tmp_path / CARD_FILE).read_text(encoding="utf-8")
    assert r"- \udcff\n.txt, column a\n# b\x1b[2J, 20,000 tokens" in card.splitlines()
    assert card.replace("\n", "").isprintable()
    assert disclosure("run1", record, 1).isprintable()
