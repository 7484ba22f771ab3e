"""Searches in other processes: the same pairs as in this one, and what happens if one ends."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from child_processes import children, needs_proc
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation import memorization_check
from gpt2_helpers.evaluation.generated_index import GeneratedIndex
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.evaluation.trigram_index import SimilarPairs, TrigramIndex
from gpt2_helpers.evaluation.trigram_processes import TrigramProcesses
from gpt2_helpers.system.files import drain

WORDS = ["why", "is", "the", "sky", "so", "blue", "and", "who", "are", "you", "when", "it", "rains"]
WORDS += ["\u00e9t\u00e9", "\ud800"]


def texts(seed: int, count: int) -> list[str]:
    source = random.Random(seed)
    return [" ".join(source.choices(WORDS, k=source.randint(1, 9))) for _ in range(count)]


def details(report: OverlapReport) -> list[tuple[str, object]]:
    """All that was found, also what does not count in comparisons of matches."""
    return [(text, dataclasses.astuple(match)) for text, match in report.matches]


def as_set(pairs: SimilarPairs) -> set[tuple[int, int, float]]:
    columns = (pairs.rows.tolist(), pairs.indexed.tolist(), pairs.similarity.tolist())
    return {*zip(*columns, strict=True)}


@pytest.fixture
def table(tmp_path: Path) -> TrainingData:
    path = tmp_path / "titles.csv"
    lines = "".join(f"{text.encode('utf-8', 'replace').decode()}\n" for text in texts(2, 400))
    path.write_text(f"title\n{lines}", encoding="utf-8")
    return TrainingData([(str(path), "title")])


@pytest.fixture
def many_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Processes for small data too, and several blocks."""
    before = children()
    monkeypatch.setattr(memorization_check, "_MUCH", 1)
    monkeypatch.setattr(memorization_check, "_BLOCK", 1000)
    yield
    assert children() <= before


@needs_proc
def test_pairs_are_those_of_an_index_in_this_process() -> None:
    indexed, before = texts(1, 300), children()
    at_least = np.full(300, 0.8)
    at_least[::3] = 0.95
    index = TrigramIndex(indexed, 0.8)
    with closing(TrigramProcesses(indexed, 0.8, 2)) as processes:
        for seed in (2, 3):
            found = processes.search(texts(seed, 200), at_least)
            expected = index.search(texts(seed, 200), at_least)
            assert as_set(found) == as_set(expected) != set()
        assert as_set(processes.search([], at_least)) == set()
        assert as_set(processes.search(["xyz"], at_least)) == set()
        assert len(children() - before) == 2
    assert children() <= before


def started(table: TrainingData) -> tuple[Generator[object, None, OverlapReport], set[int]]:
    """A check that has just submitted its first block, and its processes."""
    before = children()
    steps = check_texts([*texts(1, 200), "", "x" * 3000], table, threads=2)
    for _ in steps:
        if found := children() - before:
            return steps, found
    raise AssertionError("no processes were started")


@needs_proc
def test_a_check_in_processes_has_the_result_of_one_thread(
    table: TrainingData, many_processes: None
) -> None:
    steps, processes = started(table)
    assert len(processes) == 2
    found = drain(steps)
    expected = drain(check_texts([*texts(1, 200), "", "x" * 3000], table, threads=1))
    assert details(found) == details(expected)
    assert {match.kind for _, match in found.matches} == {"copy", "near copy", "novel"}


@needs_proc
def test_a_check_that_is_given_up_ends_its_processes(
    table: TrainingData, many_processes: None
) -> None:
    steps, processes = started(table)
    steps.close()
    assert not processes & children()


@needs_proc
def test_a_killed_process_is_an_error(table: TrainingData, many_processes: None) -> None:
    steps, processes = started(table)
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(DatasetError, match=r"ended early \(exit code -9\).*fewer texts at a time"):
        drain(steps)


@needs_proc
def test_processes_are_not_started_if_they_are_not_wanted_or_not_needed(
    table: TrainingData, many_processes: None, tmp_path: Path
) -> None:
    before = children()
    for _ in check_texts(texts(1, 20), table, threads=2, use_processes=False):
        assert children() <= before
    story = tmp_path / "story.txt"
    story.write_text("Once upon a time. " * 500, encoding="utf-8")
    for _ in check_texts(texts(1, 20), TrainingData([(str(story), None)]), threads=2):
        assert children() <= before


def test_starting_is_tried_once(
    table: TrainingData, many_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def fail(index: GeneratedIndex, count: int) -> None:
        tried.append(count)

    monkeypatch.setattr(GeneratedIndex, "start_processes", fail)
    drain(check_texts(texts(1, 50), table, threads=2))
    assert tried == [2]


@pytest.mark.parametrize("executable", ["", "/no/such/python"])
def test_without_processes_the_check_works_in_threads(
    executable: str, table: TrainingData, many_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = drain(check_texts(texts(1, 50), table, threads=1))
    monkeypatch.setattr(sys, "executable", executable)
    assert details(drain(check_texts(texts(1, 50), table, threads=2))) == details(expected)
