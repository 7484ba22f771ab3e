"""The example data: made by the scripts beside it, byte for byte, and fit to be read."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from paths import ROOT

DATA = ROOT / "data"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def titles() -> list[str]:
    with (DATA / "titles.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["title"]
    assert {len(row) for row in rows} == {1}
    return [row[0] for row in rows]


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    """The play, cut at its blank lines: a title, headings of parts, speeches."""
    return (DATA / "stories.txt").read_text(encoding="utf-8").rstrip("\n").split("\n\n")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules of the data folder, importable for the length of one test."""
    monkeypatch.syspath_prepend(str(DATA))
    names = ("grammar", "title_templates", "title_words")
    found = {name: __import__(name) for name in names}
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    return found


@pytest.mark.parametrize(
    ("script", "name"), [("make_titles.py", "titles.csv"), ("make_stories.py", "stories.txt")]
)
def test_a_script_writes_the_committed_bytes(script: str, name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    subprocess.run(
        [sys.executable, "-B", DATA / script, "--out", out], check=True, timeout=60, cwd=tmp_path
    )
    assert out.read_bytes() == (DATA / name).read_bytes()


@pytest.mark.parametrize("script", ["grammar.py", "make_titles.py", "make_stories.py"])
def test_the_examples_in_a_script_are_right(script: str, tmp_path: Path) -> None:
    command = [sys.executable, "-B", "-m", "doctest", str(DATA / script)]
    done = subprocess.run(command, timeout=60, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["titles.csv", "stories.txt"])
def test_files_are_small_plain_utf8(name: str) -> None:
    raw = (DATA / name).read_bytes()
    assert len(raw) < MEGABYTE
    text = raw.decode("utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    assert "\ufeff" not in text
    assert "<|" not in text  # special tokens are the dataset's business
    assert not re.search(r"[{}]|\(n\)|  ", text), "a slot was left open"


def test_two_thousand_titles_that_differ_in_more_than_spelling(titles: list[str]) -> None:
    assert len(titles) == 2000
    assert len({written_out(title).casefold() for title in titles}) == 2000


def test_titles_are_questions_or_prompts(titles: list[str]) -> None:
    for title in titles:
        assert 15 <= len(title) <= 200, title
        assert title == title.strip(), title
        assert title.endswith(("?", ".")), title
        assert re.match(r"(\[Serious\] )?[A-Z]", title), title
        assert title.count('"') % 2 == 0, title


def test_titles_try_a_csv_reader(titles: list[str]) -> None:
    assert sum("," in title for title in titles) > 100
    assert sum('"' in title for title in titles) > 50


def test_articles_suit_the_word_that_follows(titles: list[str]) -> None:
    spoken_otherwise = {"one": "a", "used": "a", "user": "a", "hour": "an"}
    for title in titles:
        for article, word in re.findall(r"\b([Aa]n?) [\"']?([A-Za-z]+)", title):
            by_letter = "an" if word[0] in "aeiouAEIOU" else "a"
            assert article.lower() == spoken_otherwise.get(word.split("-")[0], by_letter), title


def test_no_word_is_doubled(titles: list[str], blocks: list[str]) -> None:
    for text in [*titles, *blocks]:
        doubled = re.search(r"\b([a-z]+) \1\b", text)
        assert doubled is None or doubled.group(1) in ("had", "that"), text


def test_every_title_has_a_template_and_no_template_has_many(
    titles: list[str], scripts: dict[str, ModuleType]
) -> None:
    patterns = [pattern_of(text, scripts) for text in scripts["title_templates"].TEMPLATES]
    assert len(patterns) >= 60
    rows: Counter[int] = Counter()
    for title in titles:
        matching = [n for n, p in enumerate(patterns) if p.fullmatch(written_out(title))]
        assert matching or written_out(title) in scripts["title_templates"].SINGLE, title
        rows.update(matching)
    assert max(rows.values()) <= 0.04 * len(titles)


def test_the_play_is_made_of_parts_and_speeches(blocks: list[str]) -> None:
    assert blocks[0].startswith("THE LAMP ON GANNET HEAD\n")
    headings = [block for block in blocks[1:] if block.startswith("PART ")]
    numbers = re.findall(r"^PART (\d+)\. \S", "\n".join(headings), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 49)]
    for block in blocks[1:]:
        assert block in headings or re.fullmatch(r"[A-Z]+:\n(.+\n?)+", block), block


def test_the_play_is_long_and_seldom_repeats_itself(blocks: list[str]) -> None:
    speeches = [block for block in blocks[1:] if not block.startswith("PART ")]
    assert 150_000 <= sum(len(block) + 2 for block in blocks) <= 250_000
    long = Counter(speech for speech in speeches if len(speech) > 120)
    assert max(long.values()) <= 4
    assert len(long) >= 0.75 * sum(long.values())


def test_a_prefix_of_a_name_makes_sense(blocks: list[str]) -> None:
    speakers = Counter(block.split(":\n")[0] for block in blocks if ":\n" in block)
    for name in ("NARRATOR", "ODA", "JUNO", "ISKO"):
        assert speakers[name] >= 50


def test_the_readme_counts_right(titles: list[str], blocks: list[str]) -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for words in (sum(len(title.split()) for title in titles), len(" ".join(blocks).split())):
        assert f"{round(words, -3):,} words" in readme


def written_out(title: str) -> str:
    """`title` without contractions.

    >>> written_out("What's a job you can't do?")
    'What is a job you cannot do?'
    """
    title = re.sub(r"hat's\b", "hat is", title).replace("can't", "cannot")
    return title.replace("n't", " not").replace("'ve ", " have ")


def pattern_of(text: str, scripts: dict[str, ModuleType]) -> re.Pattern[str]:
    """What a template can become, as a regular expression."""
    words, slot = scripts["title_words"], re.compile(r"\{(\^?)([^{}]*)\}")
    pattern, end = "", 0
    for match in slot.finditer(text):
        capital, name = match.groups()
        table, _, field = name.partition(".")
        if "|" in name:
            items = name.split("|")
        elif field:
            items = [row[field] for row in words.TABLES[table]]
        else:
            items = words.WORDS[name]
        if capital:
            items = [item[0].upper() + item[1:] for item in items]
        choice = "|".join(re.escape(item) for item in items)
        pattern += re.escape(text[end : match.start()]) + f"(?:{choice})"
        end = match.end()
    pattern += re.escape(text[end:])
    return re.compile(pattern.replace(re.escape("a(n)"), "an?"))
