"""Texts without duplicates and copies of the training text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.config import NoveltyConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.similarity import normalize
from gpt2_helpers.novel_generation import NovelGeneration
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import ignore

PROMPTS = ["It was", "The old"]


@pytest.fixture(scope="module")
def tiny() -> Session:
    session = Session()
    session.load_pretrained("tiny")
    return session


def generate(
    session: Session, messages: list[str] | None = None, batch_size: int = 4, **options: Any
) -> list[tuple[int, str, int | None]]:
    """The number, text and seed of each text."""
    names = NoveltyConfig.__dataclass_fields__.keys() & options.keys()
    novelty = NoveltyConfig(**{name: options.pop(name) for name in names})
    # Few tokens and a low temperature, so that many texts are equal.
    defaults = {"length": 6, "temperature": 0.3, "nsamples": 10, "seed": 1}
    sampling = SamplingConfig(batch_size=batch_size, **{**defaults, **options})
    report = ignore if messages is None else messages.append
    texts = NovelGeneration(session, novelty, report)
    return [(r.index, r.text, r.seed) for r in texts.results(PROMPTS, sampling)]


def test_duplicates_are_replaced_by_texts_of_other_seeds(tiny: Session) -> None:
    plain, messages = generate(tiny), list[str]()
    assert len({normalize(text) for _, text, _ in plain}) < 20, "take another temperature"
    found = generate(tiny, messages, unique=True, max_tries=100)
    assert [index for index, _, _ in found] == [*range(20)]
    assert len({normalize(text) for _, text, _ in found}) == 20
    kept = {index: text for index, text, seed in found if seed == 1}
    assert 2 < len(kept) < 20
    assert kept.items() <= {index: text for index, text, _ in plain}.items()
    assert [line.partition(" in ")[0] for line in messages] == ["generated others"]
    # The seed and the number of a text give it again.
    index, text, seed = next(text for text in found if text[2] != 1)
    assert (index, text) in [(index, text) for index, text, _ in generate(tiny, seed=seed)]


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_the_batch_size_changes_nothing(tiny: Session, batch_size: int) -> None:
    options: dict[str, Any] = {"unique": True, "max_tries": 3, "temperature": 0.15}
    expected = generate(tiny, **options)
    assert generate(tiny, batch_size=batch_size, **options) == expected
    assert 2 < len(expected) < 20


def test_it_says_how_many_texts_there_are(tiny: Session) -> None:
    messages: list[str] = []
    found = generate(tiny, messages, unique=True, max_tries=4, temperature=0.0)
    assert [index for index, _, _ in found] == [0, 10]  # one for each prompt
    assert messages == [
        "generated others in place of 0 copies of the training text and 72 duplicates",
        "got 2 of 20 texts: for the others, none of 4 tries gave a new text",
    ]


def test_copies_of_a_training_text_are_replaced(tiny: Session, tmp_path: Path) -> None:
    plain = generate(tiny, nsamples=3)
    path = tmp_path / "training.csv"
    path.write_text("text\n" + "".join(f'"{text}"\n' for _, text, _ in plain[:4]))
    messages: list[str] = []
    found = generate(tiny, messages, nsamples=3, novel_against=str(path), max_tries=50)
    assert [index for index, _, _ in found] == [*range(6)]
    assert not {text for _, text, _ in plain[:4]} & {text for _, text, _ in found}
    assert "copies of the training text and 0 duplicates" in messages[0]


def test_two_calls_have_no_text_in_common(tiny: Session) -> None:
    sampling = SamplingConfig(length=6, temperature=0.6, nsamples=5, batch_size=5, seed=1)
    texts = NovelGeneration(tiny, NoveltyConfig(unique=True, max_tries=100))
    found = [normalize(r.text) for _ in range(2) for r in texts.results(PROMPTS, sampling)]
    assert len(set(found)) == len(found) == 20


def test_the_best_of_several_texts_is_not_replaced(tiny: Session) -> None:
    with pytest.raises(OptionError, match="best_of=12 cannot be combined with unique"):
        generate(tiny, unique=True, best_of=12)
