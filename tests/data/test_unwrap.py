"""Joining hard-wrapped lines: paragraphs are restored; verse, lists and other texts are kept."""

from __future__ import annotations

import random
import textwrap

import pytest

from gpt2_helpers.data.unwrap import Unwrapper, is_hard_wrapped

TEXT = (
    "the a of to and weather keeper rain ledger lamp harbour wrote gave morning evening because "
    "nothing remarkable Margit Fenn stood window looked over shoulder whatever comes tomorrow"
)
WORDS = TEXT.split()
VERSE = """\
The rain came down upon the quay,
The lamp went out at nine,
And no one in the town could see
The harbour or the line.
"""


def paragraphs(count: int, seed: int = 1) -> list[str]:
    """Paragraphs of 20 to 120 words, each on one line."""
    order = random.Random(seed)
    return [
        " ".join(order.choices(WORDS, k=order.randrange(20, 120))).capitalize() + "."
        for _ in range(count)
    ]


def wrap(texts: list[str], width: int = 72) -> str:
    return "\n".join(textwrap.fill(text, width, break_on_hyphens=False) + "\n" for text in texts)


def unwrap(text: str) -> tuple[str, int]:
    unwrapper = Unwrapper()
    joined = "".join(unwrapper.unwrap(text.splitlines(keepends=True)))
    assert unwrapper.joined == text.count("\n") - joined.count("\n")
    return joined, unwrapper.joined


@pytest.mark.parametrize("width", [55, 65, 72, 80, 95])
def test_paragraphs_are_restored(width: int) -> None:
    texts = paragraphs(60)
    wrapped = wrap(texts, width)
    joined, count = unwrap(wrapped)
    assert joined == "".join(f"{text}\n\n" for text in texts)[:-1]
    assert count == wrapped.count("\n") - joined.count("\n") > 200


def test_more_lines_than_are_measured_together() -> None:
    texts = paragraphs(500)
    assert unwrap(wrap(texts))[0].split("\n\n") == [*texts[:-1], texts[-1] + "\n"]


def test_verse_headings_and_lists_inside_a_book_keep_their_lines() -> None:
    texts = wrap(paragraphs(60))
    contents = "CHAPTER I\nCHAPTER II\nCHAPTER III\n"
    indented = textwrap.indent(VERSE, "    ")
    for part in (VERSE, contents, indented):
        joined, _ = unwrap(f"{texts}\n{part}\n{texts}")
        assert f"\n\n{part}\n" in joined


def test_books_with_uneven_lines_are_joined_too() -> None:
    """Some have lines that end several characters before the next word would not have fit."""
    texts = paragraphs(80)
    order = random.Random(3)
    lines = []
    for text in texts:
        rest = text
        while rest:
            line, *_ = textwrap.wrap(rest, order.choice([66, 68, 70, 72, 72]))
            lines.append(line)
            rest = rest[len(line) :].lstrip()
        lines.append("")
    assert unwrap("\n".join(lines))[0] == "".join(f"{text}\n\n" for text in texts)[:-1]


def test_hyphens_and_dashes_at_the_end_of_a_line() -> None:
    texts = wrap(paragraphs(40)) + "\n"
    line = "x" * 60
    for end, joined in [("well-", "well-known"), ("said--", "said--known"), ("so -", "so - known")]:
        assert joined in unwrap(f"{texts}{line} {end}\nknown to all.\n\n{texts}")[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "no line end",
        "\n\n".join(paragraphs(60)),  # one line a paragraph
        "\n".join(paragraphs(60)),
        VERSE * 100,
        "".join(f"def function_{n}(x):\n    return x + {n}\n\n\n" for n in range(200)),
        "".join(f"MARGIT:\nLine {n} of the play, which is short.\n\n" for n in range(200)),
        "".join(
            f"2026-01-01 12:00:00 INFO request {n} took 12 ms, status 200\n" for n in range(200)
        ),
    ],
)
def test_other_texts_are_not_changed(text: str) -> None:
    assert unwrap(text) == (text, 0)
    assert not is_hard_wrapped(text)


@pytest.mark.parametrize(("width", "expected"), [(50, False), (68, True), (76, True), (100, False)])
def test_books_with_lines_of_60_to_80_characters_are_recognized(width: int, expected: bool) -> None:
    assert is_hard_wrapped(wrap(paragraphs(30), width)) == expected
    assert not is_hard_wrapped(wrap(paragraphs(2), width))  # too short to tell


def test_real_books(shared_books: list[str]) -> None:
    for text in shared_books:
        assert is_hard_wrapped(text[:65536])
        joined, count = unwrap(text)
        assert count > text.count("\n") / 4
        assert joined.split() == text.replace("-\n", "-").split() or "-\n" in text


@pytest.fixture
def shared_books() -> list[str]:
    from paths import SHARED

    paths = sorted((SHARED / "corpus" / "books").glob("*.txt"))[:2]
    if not paths:
        pytest.skip("needs the books of ../shared/corpus")
    return [path.read_text(encoding="utf-8") for path in paths]
