"""Memorization check: copies, near copies and novel texts, and the advice based on them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.data.samples import sample_path
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation import memorization, training_text
from gpt2_helpers.evaluation.memorization import TrainingTextIndex, advice, load_training_text
from gpt2_helpers.evaluation.overlap_report import OverlapReport
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
        ("Why is the grass green?", "novel", TITLES[0]),
        ("", "novel", ""),
    ],
)
def test_a_title_is_compared_with_the_most_similar_one(text: str, kind: str, nearest: str) -> None:
    match = TrainingTextIndex.from_dataset(table(*TITLES)).compare(text)
    assert (match.kind, match.nearest) == (kind, nearest)
    assert match.similarity == pytest.approx({"copy": 1.0}.get(kind, match.similarity))
    assert (match.similarity >= 0.8) == (kind != "novel")


def test_a_bundled_title_is_a_copy_and_a_changed_one_a_near_copy() -> None:
    titles = TrainingTextIndex.from_dataset(sample_path("titles.csv"))
    title = "What's the strangest part of adopting a dog?"
    assert titles.compare(title).kind == "copy"
    assert titles.compare(title.replace("dog", "cat")).kind == "near copy"
    assert titles.compare("Ships at night pass quietly beyond Gannet Head.").kind == "novel"


def test_only_the_training_column_is_compared() -> None:
    Path("posts.csv").write_text("title,score\nWhy is it so?,10\nWho is it?,20\n", encoding="utf-8")
    assert TrainingTextIndex.from_dataset("posts.csv", "title").compare("Who is it?").kind == "copy"
    assert (
        TrainingTextIndex.from_dataset("posts.csv", "score").compare("Who is it?").kind == "novel"
    )


def test_a_text_file_with_markers_is_read_like_a_table() -> None:
    marked = "".join(f"<|startoftext|>{title}<|endoftext|>\n" for title in TITLES)
    Path("titles.txt").write_text(marked, encoding="utf-8")
    match = TrainingTextIndex.from_dataset("titles.txt").compare(
        "What did you dream about last night?"
    )
    assert (match.kind, match.nearest) == ("near copy", TITLES[1])


def test_similarity_of_short_texts_is_dice_coefficient_of_trigrams() -> None:
    index = TrainingTextIndex(["abcd ab", "ha ha ha ha", "ha ha"])
    assert index.compare("abcd") == Match("near copy", "abcd ab", 0.8)
    assert index.compare("ABCD ab!") == Match("copy", "abcd ab", 1.0)
    assert index.compare("xyz") == Match("novel", "", 0.0)
    # Different texts may have the same trigrams.
    assert index.compare("Ha ha ha ha!") == Match("copy", "ha ha ha ha", 1.0)
    assert index.compare("Ha ha ha!") == Match("near copy", "ha ha ha ha", 1.0)


def test_texts_of_more_than_twice_the_length_of_a_short_one_are_not_compared_with_it() -> None:
    title = "abcdefghij " * 90
    index = TrainingTextIndex([title])
    assert index.compare(title + "klm").kind == "near copy"
    assert index.compare(title + " ".join(map(str, range(400)))).kind == "novel"


def test_an_empty_index_finds_nothing() -> None:
    assert TrainingTextIndex().compare(STORY) == Match("novel", "", 0.0)
    assert TrainingTextIndex(["", "?"], [""]).compare("") == Match("novel", "", 0.0)


# --- Long texts


def test_a_passage_of_a_long_text_is_a_copy() -> None:
    Path("story.txt").write_text(STORY * 3, encoding="utf-8")
    story = TrainingTextIndex.from_dataset("story.txt")
    passage = STORY[4:120].replace("forty", "FORTY")  # the last word is truncated
    assert story.compare(passage).kind == "copy"
    assert story.compare("THE").kind == "novel"  # too short: it occurs in any text
    assert story.compare("put out the light").kind == "novel"
    assert story.compare("put out the fire").kind == "novel"


def test_half_of_the_shingles_make_a_near_copy() -> None:
    index = TrainingTextIndex(long=[STORY])
    words = STORY.split()[:20]  # 13 shingles; a wrong word changes the shingles around it
    changed = index.compare(" ".join([*words[:17], "never", *words[18:]]))
    assert changed == Match("near copy", " ".join(words[:17]), 10 / 13)
    mixed = index.compare(" ".join([*words[:9], "never", *words[10:]]))
    assert mixed == Match("novel", " ".join(words[10:]).rstrip("."), 5 / 13)
    assert (mixed.run, mixed.run_start) == (10, 10)


def test_a_passage_does_not_cross_from_one_text_into_the_next() -> None:
    index = TrainingTextIndex(long=["one two three four five six", "seven eight nine ten"])
    assert index.compare("four five six seven eight.").kind == "novel"
    assert index.compare("two three four five six.").kind == "copy"


def test_characters_of_scripts_without_spaces_count_as_words() -> None:
    text = "我们今天去公园散步，天气很好，大家都很高兴。"
    match = TrainingTextIndex(long=[text]).compare("他说：我们今天去公园散步，天气很好。")
    assert match.kind == "near copy"
    assert match.nearest == "我们今天去公园散步，天气很好"


def test_a_long_row_is_indexed_as_a_long_text() -> None:
    path = table("Short one", STORY.replace("\n", " ") * 8)
    match = TrainingTextIndex.from_dataset(path).compare(STORY[:100])
    assert match.kind == "copy"


# --- Data that cannot be compared, or only partly


def test_token_ids_cannot_be_compared() -> None:
    np.savez("titles.npz", np.arange(3))
    with pytest.raises(DatasetError, match="contains token ids and no text"):
        TrainingTextIndex.from_dataset("titles.npz")


def test_token_ids_beside_text_files_are_skipped_with_a_note() -> None:
    Path("data").mkdir()
    np.savez("data/a.npz", np.arange(3))
    table(*TITLES, name="data/b.csv")
    found = TrainingTextIndex.from_dataset("data")
    assert found.notes == ("skipped 1 of 2 files, which contain token ids",)
    assert found.compare(TITLES[0]).kind == "copy"


def test_only_the_first_part_of_a_huge_text_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorization, "MAX_CHARACTERS", 60)
    found = TrainingTextIndex.from_dataset(table(*TITLES, "And this one comes too late"))
    assert found.notes == ("compared with the first 60 characters only",)
    assert found.compare(TITLES[0]).kind == "copy"
    assert found.compare("And this one comes too late").kind == "novel"


# --- The training text of a run


def run_of(dataset: str, parameters: dict[str, Any] | None = None) -> RunFolder:
    folder = RunFolder("checkpoint", "run1")
    folder.path.mkdir(parents=True)
    RunRecord(dataset=dataset, parameters=parameters or {}).save(folder.path)
    return folder


def test_the_training_text_of_a_run_is_loaded() -> None:
    Path("posts.csv").write_text("title,score\nWhy is it so?,10\nWho is it?,20\n", encoding="utf-8")
    assert (
        load_training_text(run_of("posts.csv", {"column": "title"})).compare("who is it").kind
        == "copy"
    )


def test_copies_of_an_earlier_dataset_are_found() -> None:
    table(*TITLES[:2])
    table(TITLES[2], name="old.csv")
    folder = run_of("titles.csv")
    record = folder.read().record
    record.earlier_datasets = [("old.csv", None, 5), ("gone.txt", None, 9)]
    record.save(folder.path)
    index = load_training_text(folder)
    assert [index.compare(title).kind for title in TITLES] == ["copy"] * 3
    assert index.notes == ("copies of gone.txt, an earlier dataset, are not found: it is missing",)


def test_the_training_text_is_found_from_another_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(*TITLES)
    run_of("titles.csv")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    assert (
        load_training_text(RunFolder(tmp_path / "checkpoint", "run1")).compare(TITLES[0]).kind
        == "copy"
    )


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("gone.csv", "cannot find gone.csv, the dataset of the run run1"),
        ("", "does not record"),
        # A run from somebody else must not make this machine send requests.
        (
            "http://127.0.0.1:9/x.csv",
            "cannot find http://127.0.0.1:9/x.csv, the dataset of the run",
        ),
    ],
)
def test_an_unknown_or_missing_training_text_is_an_error(dataset: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        load_training_text(run_of(dataset))


# --- Counting


@pytest.mark.parametrize("dataset", ["/", "/**/*.txt", "~", "books", '["titles.csv", "/"]'])
def test_the_disk_is_not_searched_for_the_dataset_of_a_run_from_somebody_else(
    dataset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table("Why is the sky blue?")
    for folder in (Path("books"), tmp_path / "home"):
        folder.mkdir()
        for number in range(20):
            (folder / f"{number}.txt").write_text("text", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(training_text, "MAX_ENTRIES", 10)
    with pytest.raises(DatasetError, match="has more than 10 files and folders: pass the files"):
        load_training_text(run_of(dataset))


def test_report_counts_kinds_and_duplicates_and_returns_examples() -> None:
    novel = "Ships at night are quiet"
    near, nearer = "What did you dream about last night?", "What did you dream of last nights?"
    texts = [TITLES[0], near, novel, novel.upper() + "!", nearer]
    report = TrainingTextIndex(TITLES).report(texts)
    assert (report.copies, report.near_copies, report.novel, report.total) == (1, 2, 2, 5)
    assert report.duplicates == 1
    examples = report.closest_examples()
    assert [text for text, _ in examples] == [nearer, near, TITLES[0]]
    assert {match.nearest for _, match in examples[:2]} == {TITLES[1]}
    assert len(report.closest_examples(1)) == 1
    assert str(report) == (
        "Of 5 texts, 1 is a copy of the training text, 2 are near copies and 2 are novel."
    )


# --- Advice

FALLING = [(step, 5.0 - step / 100) for step in range(1, 301)]  # 2.0 at the end


FLAT = [(step, 2.0 + 0.1 * (step % 5)) for step in range(1, 301)]


def record(*validation: float, **more: Any) -> RunRecord:
    """300 steps of training, with validation losses at equal intervals."""
    distance = 300 // max(1, len(validation))
    measured = [(distance * order, loss) for order, loss in enumerate(validation, 1)]
    return RunRecord(losses=FALLING, validation_losses=measured, **more)


GOOD = OverlapReport(copies=0, near_copies=2, novel=98)
BAD = OverlapReport(copies=12, near_copies=3, novel=85)


@pytest.mark.parametrize("report", [None, GOOD, OverlapReport(0, 0, 0)])
def test_no_advice_without_a_reason(report: OverlapReport | None) -> None:
    assert advice(RunRecord(), report, epochs=50) == []
    assert advice(RunRecord(losses=FLAT), report) == []
    assert advice(RunRecord(losses=FLAT), report, epochs=1) == []
    assert advice(record(3.0, 2.4, 2.395), report) == []  # flat, and close to the training loss


def test_many_copies_are_reported_and_validation_is_recommended() -> None:
    copies, validation = advice(record(), BAD)
    assert copies.startswith("Of 100 texts, 12 are copies of the training text, 3 are near copies")
    assert "validation_split=0.05" in validation
    assert advice(record(3.0, 2.4, 2.395), BAD) == [copies]


def test_many_epochs_are_mentioned_if_there_are_copies() -> None:
    assert any("the text is seen 40 times" in line for line in advice(record(), BAD, epochs=40))
    assert not any("the text is seen" in line for line in advice(record(), BAD, epochs=3))


def test_a_rising_validation_loss_gives_the_best_step() -> None:
    (line,) = advice(record(3.2, 2.8, 3.1), GOOD)
    assert line == (
        "The training loss is 0.60 below the validation loss, and the validation loss was best at "
        "step 200 of 300 (2.80, now 3.10): train for about 200 steps, or set "
        "early_stopping_patience=3 to keep the best checkpoint."
    )
    (line,) = advice(RunRecord(validation_losses=record(3.2, 2.8, 3.1).validation_losses))
    assert line.startswith("The validation loss was best at step 200 of 300")


def test_no_such_advice_if_the_best_checkpoint_was_restored() -> None:
    assert advice(record(3.2, 2.8, 3.1, checkpoints=[100, 200]), GOOD) == []


def test_a_falling_validation_loss_recommends_more_steps() -> None:
    (line,) = advice(record(3.2, 2.8, 2.6), GOOD)
    assert line == (
        "The validation loss was still falling at step 300 (2.80 to 2.60): train for more steps."
    )


def test_a_gap_between_losses_is_reported_if_validation_stopped_falling() -> None:
    (line,) = advice(record(3.2, 2.9, 2.895), GOOD)
    assert line.startswith("The training loss is 0.40 below the validation loss, which has stopped")


def test_copies_are_no_reason_to_train_longer() -> None:
    assert not any("more steps" in line for line in advice(record(), BAD, epochs=0.5))


def test_noise_is_not_praised_as_novel() -> None:
    index = TrainingTextIndex(TITLES * 20)
    noise = [f"Whe blur {word}ing of skyt you night?" for word in ("a", "b", "c") * 10]
    report = index.report(noise)
    assert report.novel == 30
    assert report.words
    assert report.words.looks_like_noise
    assert "Only 43% of their words occur in the training text" in str(report)
    (line,) = advice(RunRecord(), dataclasses.replace(report, duplicates=0))
    assert "train for more steps" in line
    real = index.report(["Why did you dream of the sky?"] * 10)
    assert str(real).endswith("100% of their words occur in the training text.")


def test_duplicates_recommend_more_variety() -> None:
    (line,) = advice(RunRecord(), OverlapReport(0, 0, 100, duplicates=8))
    assert line.startswith("8 of 100 texts repeat another one")
    assert advice(RunRecord(), OverlapReport(0, 0, 100, duplicates=2)) == []
