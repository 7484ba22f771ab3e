"""Copies and near copies are told from a model's own texts, and advice comes from numbers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint.run_folder import RunFolder, RunRecord
from gpt2_helpers.data.samples import sample_path
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation import memorization
from gpt2_helpers.evaluation.memorization import Originality, OverlapReport, advice, for_run
from gpt2_helpers.evaluation.similarity import Match

TITLES = ["Why is the sky blue?", "What did you dream of last night?", "Who are you?"]
STORY = (
    "The lamp on the headland had burned for forty years before anyone thought to ask who paid for "
    "the oil. When they did ask, the keeper laughed, shut the door, and put out the light.\n"
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(*titles: str, name: str = "titles.csv") -> Path:
    path = Path(name)
    path.write_text("title\n" + "".join(f'"{title}"\n' for title in titles), encoding="utf-8")
    return path


# --- Short texts


@pytest.mark.parametrize(
    ("text", "kind", "nearest"),
    [
        ("Why is the sky blue?", "copy", TITLES[0]),
        ("  why IS the\nsky blue...", "copy", TITLES[0]),
        ("<|startoftext|>Who are you?<|endoftext|>", "copy", TITLES[2]),
        ("What did you dream about last night?", "near copy", TITLES[1]),
        ("Why is the grass green?", "own", TITLES[0]),
        ("", "own", ""),
    ],
)
def test_a_title_is_compared_with_the_nearest_one(text: str, kind: str, nearest: str) -> None:
    match = Originality.of_dataset(table(*TITLES)).compare(text)
    assert (match.kind, match.nearest) == (kind, nearest)
    assert match.similarity == pytest.approx({"copy": 1.0}.get(kind, match.similarity))
    assert (match.similarity >= 0.8) == (kind != "own")


def test_texts_made_of_the_same_pieces_are_no_copies() -> None:
    laughs = Originality(["ha ha", "ha ha ha ha"])
    assert laughs.compare("Ha ha ha ha!").nearest == "ha ha ha ha"
    assert laughs.compare("Ha ha ha ha!").kind == "copy"
    assert laughs.compare("Ha ha ha!").kind == "near copy"


def test_every_row_of_the_bundled_titles_is_found_and_a_changed_one_nearly() -> None:
    titles = Originality.of_dataset(sample_path("titles.csv"))
    asked = "What's the strangest part of adopting a dog?"
    assert titles.compare(asked).kind == "copy"
    assert titles.compare(asked.replace("dog", "cat")).kind == "near copy"
    assert titles.compare("Ships at night pass quietly beyond Gannet Head.").kind == "own"


def test_many_rows_are_looked_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2_helpers.evaluation.similarity._CHUNK", 100)
    many = [f"What would you do with {count} old shoes?" for count in range(200)]
    found = Originality(many)
    assert [found.compare(text).nearest for text in many] == many
    assert found.compare("What would you do with 1000 old shoes?").kind == "near copy"


def test_the_column_that_was_trained_on_is_the_one_compared_with() -> None:
    Path("posts.csv").write_text("title,score\nWhy is it so?,10\nWho is it?,20\n", encoding="utf-8")
    assert Originality.of_dataset("posts.csv", "title").compare("Who is it?").kind == "copy"
    assert Originality.of_dataset("posts.csv", "score").compare("Who is it?").kind == "own"


def test_a_text_file_of_marked_texts_is_read_as_a_table() -> None:
    marked = "".join(f"<|startoftext|>{title}<|endoftext|>\n" for title in TITLES)
    Path("titles.txt").write_text(marked, encoding="utf-8")
    match = Originality.of_dataset("titles.txt").compare("What did you dream about last night?")
    assert (match.kind, match.nearest) == ("near copy", TITLES[1])


# --- Long texts


def test_a_passage_of_a_long_text_is_a_copy_wherever_it_ends() -> None:
    Path("story.txt").write_text(STORY * 3, encoding="utf-8")
    story = Originality.of_dataset("story.txt")
    passage = STORY[4:120].replace("forty", "FORTY")  # the last word is cut off
    assert story.compare(passage).kind == "copy"
    assert story.compare("THE").kind == "own"  # such a text stands in any
    assert story.compare("put out the light").kind == "own"
    assert story.compare("put out the fire").kind == "own"


def test_half_of_the_runs_of_eight_words_make_a_near_copy() -> None:
    story = Originality(long=[STORY])
    words = STORY.split()[:20]  # 13 runs; one wrong word at place n spoils those around it
    changed = story.compare(" ".join([*words[:17], "never", *words[18:]]))
    assert changed == Match("near copy", " ".join(words[:17]), 10 / 13)
    mixed = story.compare(" ".join([*words[:9], "never", *words[10:]]))
    assert mixed == Match("own", " ".join(words[10:]).rstrip("."), 5 / 13)
    assert story.compare("A text of its own that has nothing to do with it.").similarity == 0.0


def test_no_passage_runs_from_one_text_into_the_next() -> None:
    two = Originality(long=["one two three four five six", "seven eight nine ten"])
    assert two.compare("four five six seven eight").kind == "own"
    assert two.compare("two three four five six").kind == "copy"


def test_runs_are_found_across_the_pieces_that_a_text_is_read_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gpt2_helpers.evaluation.similarity._CHUNK", 30)
    words = STORY.split()
    match = Originality(long=[STORY]).compare(" ".join([*words, "and", "more"]))
    assert match.similarity == pytest.approx((len(words) - 7) / (len(words) - 5))


def test_characters_count_as_words_where_no_spaces_stand_between() -> None:
    text = "我们今天去公园散步，天气很好，大家都很高兴。"
    match = Originality(long=[text]).compare("他说：我们今天去公园散步，天气很好。")
    assert match.kind == "near copy"
    assert match.nearest == "我们今天去公园散步，天气很好"


def test_a_long_row_is_compared_as_a_long_text() -> None:
    path = table("Short one", STORY.replace("\n", " ") * 8)
    match = Originality.of_dataset(path).compare(STORY[:100])
    assert match.kind == "copy"


# --- What cannot be compared, or not whole


def test_ids_cannot_be_compared_with() -> None:
    np.savez("titles.npz", np.arange(3))
    with pytest.raises(DatasetError, match="holds ids and no text"):
        Originality.of_dataset("titles.npz")


def test_ids_among_texts_are_left_out_with_a_word() -> None:
    Path("data").mkdir()
    np.savez("data/a.npz", np.arange(3))
    table(*TITLES, name="data/b.csv")
    found = Originality.of_dataset("data")
    assert found.notes == ("1 of 2 files hold ids: left out",)
    assert found.compare(TITLES[0]).kind == "copy"


def test_of_too_much_text_the_first_part_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorization, "MOST", 60)
    found = Originality.of_dataset(table(*TITLES, "And this one comes too late"))
    assert found.notes == ("compared with the first 60 characters only",)
    assert found.compare(TITLES[0]).kind == "copy"
    assert found.compare("And this one comes too late").kind == "own"


# --- The training text of a run


def run_of(dataset: str, parameters: dict[str, Any] | None = None) -> RunFolder:
    folder = RunFolder("checkpoint", "run1")
    folder.path.mkdir(parents=True)
    folder._write_record(RunRecord(dataset=dataset, parameters=parameters or {}))
    return folder


def test_a_run_leads_to_its_training_text() -> None:
    Path("posts.csv").write_text("title,score\nWhy is it so?,10\nWho is it?,20\n", encoding="utf-8")
    assert for_run(run_of("posts.csv", {"column": "title"})).compare("who is it").kind == "copy"


def test_it_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(*TITLES)
    run_of("titles.csv")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    assert for_run(RunFolder(tmp_path / "checkpoint", "run1")).compare(TITLES[0]).kind == "copy"


@pytest.mark.parametrize(
    ("dataset", "reason"), [("gone.csv", "gone.csv, on which the run run1"), ("", "does not say")]
)
def test_a_run_whose_text_is_not_known_or_gone_says_so(dataset: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        for_run(run_of(dataset))


# --- Counting


def test_tally_counts_kinds_and_repeats_and_names_examples() -> None:
    own = "Ships at night are quiet"
    near, nearer = "What did you dream about last night?", "What did you dream of last nights?"
    texts = [TITLES[0], near, own, own.upper() + "!", nearer]
    tally = Originality(TITLES).tally(texts)
    assert (tally.copies, tally.near_copies, tally.own, tally.total) == (1, 2, 2, 5)
    assert tally.repeated_among_themselves == 1
    examples = tally.best_examples()
    assert [text for text, _ in examples] == [nearer, near, TITLES[0]]
    assert {match.nearest for _, match in examples[:2]} == {TITLES[1]}
    assert len(tally.best_examples(1)) == 1
    assert str(tally) == (
        "Of 5 texts, 1 is a copy of the training text, 2 near copies, and 2 the model's own."
    )


# --- Advice

FALLING = [(step, 5.0 - step / 100) for step in range(1, 301)]  # 2.0 at the end


def record(*validation: float, **more: Any) -> RunRecord:
    """300 steps of training, with validation losses at even distances."""
    distance = 300 // max(1, len(validation))
    measured = [(distance * order, loss) for order, loss in enumerate(validation, 1)]
    return RunRecord(losses=FALLING, validation_losses=measured, **more)


GOOD = OverlapReport(copies=0, near_copies=2, own=98)
BAD = OverlapReport(copies=12, near_copies=3, own=85)


@pytest.mark.parametrize("tally", [None, GOOD, OverlapReport(0, 0, 0)])
def test_there_is_no_advice_without_numbers_for_it(tally: OverlapReport | None) -> None:
    assert advice(RunRecord(), tally, epochs=50) == []
    assert advice(record(), tally) == []
    assert advice(record(2.2), tally) == []  # one measurement shows no way
    assert advice(record(3.0, 2.4, 2.395), tally) == []  # no longer falls, and training stays near


def test_copies_are_told_and_a_validation_recommended_where_there_was_none() -> None:
    told, set_aside = advice(record(), BAD)
    assert told.startswith("Of 100 texts, 12 are copies of the training text, 3 near copies")
    assert "validation_split=0.05" in set_aside
    assert advice(record(3.0, 2.4, 2.395), BAD) == [told]


def test_how_often_the_text_was_seen_is_told_beside_many_copies() -> None:
    assert any("saw the text 40 times" in line for line in advice(record(), BAD, epochs=40))
    assert not any("saw the text" in line for line in advice(record(), BAD, epochs=3))


def test_a_validation_loss_that_rose_tells_the_best_step() -> None:
    (line,) = advice(record(3.2, 2.8, 3.1), GOOD)
    assert line == (
        "The training loss is 0.60 under the validation loss, and the validation loss was best at "
        "step 200 of 300 (2.80, now 3.10): train for about 200 steps, or give "
        "early_stopping_patience=3, which keeps the best."
    )
    (line,) = advice(RunRecord(validation_losses=record(3.2, 2.8, 3.1).validation_losses))
    assert line.startswith("The validation loss was best at step 200 of 300")


def test_a_run_that_went_back_to_its_best_gets_no_such_advice() -> None:
    assert advice(record(3.2, 2.8, 3.1, checkpoints=[100, 200]), GOOD) == []


def test_a_validation_loss_that_still_falls_advises_more_steps() -> None:
    (line,) = advice(record(3.2, 2.8, 2.6), GOOD)
    assert line == (
        "The validation loss was still falling at step 300 (2.80 to 2.60): more steps would teach "
        "the model more."
    )


def test_a_gap_between_losses_is_told_where_validation_no_longer_falls() -> None:
    (line,) = advice(record(3.2, 2.9, 2.895), GOOD)
    assert line.startswith("The training loss is 0.40 under the validation loss, which no longer")


def test_repeats_advise_more_variety() -> None:
    (line,) = advice(RunRecord(), OverlapReport(0, 0, 100, repeated_among_themselves=8))
    assert line.startswith("8 of 100 texts repeat another of them")
    assert advice(RunRecord(), OverlapReport(0, 0, 100, repeated_among_themselves=2)) == []
