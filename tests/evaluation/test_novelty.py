"""Generated texts that are left out because they are duplicates or copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.config import NoveltyConfig
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation.novelty import NoveltyFilter

TITLES = ["Why is the sky so blue in the morning?", "What did you dream of last night?"]


@pytest.fixture
def titles(tmp_path: Path) -> str:
    path = tmp_path / "titles.csv"
    path.write_text("title,score\n" + "".join(f"{title},1\n" for title in TITLES))
    return str(path)


def test_copies_and_near_copies_of_the_training_text(titles: str) -> None:
    config = NoveltyConfig(novel_against=titles, novel_column="title")
    novelty = NoveltyFilter.from_config(config)
    assert novelty.is_copy("why is the sky so blue in the morning")
    assert novelty.is_copy("Why is the sky so blue in the mornings?")
    assert not novelty.is_copy("Why do people never sleep?")
    assert novelty.n_copies == 2
    novelty.accept("Who are you?")
    assert not novelty.is_duplicate("Who are you?"), "only with unique"


def test_duplicates_of_this_call_and_of_an_earlier_one() -> None:
    first = NoveltyFilter(unique=True)
    first.accept("Who are you?")
    assert first.is_duplicate("WHO  are you")
    assert not first.is_duplicate("Who are we?")
    assert not first.is_copy("Who are you?")
    resumed = NoveltyFilter(unique=True)
    resumed.restore([first.key("Who are you?")])
    assert resumed.is_duplicate("Who are you?")
    assert resumed.n_duplicates == 1


def test_a_missing_training_text_is_an_error(tmp_path: Path) -> None:
    config = NoveltyConfig(novel_against=str(tmp_path / "missing.csv"))
    with pytest.raises(DatasetError, match=r"missing\.csv"):
        NoveltyFilter.from_config(config)


def test_the_summary_counts_what_was_left_out(titles: str) -> None:
    novelty = NoveltyFilter.from_config(
        NoveltyConfig(unique=True, novel_against=titles, novel_column="title")
    )
    assert novelty.summary(0, 5, 10) == []
    novelty.accept("Who?")
    assert novelty.is_duplicate("Who?")
    assert novelty.is_copy(TITLES[0])
    assert novelty.is_copy(TITLES[1])
    assert novelty.summary(1, 5, 10) == [
        "generated others in place of 2 copies of the training text and 1 duplicate",
        "got 4 of 5 texts: for the others, none of 10 tries gave a new text",
    ]
    assert novelty.summary(0, 5, 10) == [], "those were in the last summary"
