"""Readers of files with inputs that once made them fail, and a short fuzz run."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzzing.__main__ import Fuzzer, fuzzer
from fuzzing.targets import TARGETS, feed, seeds
from index_files import entry, sliced_index, with_valid_checksums
from paths import SUPPORT

FINDINGS = sorted(SUPPORT.glob("fuzzing/findings/*/*"))
RUNS, SECONDS = 1000, 600  # a busy machine needs longer, but tries as many inputs


@pytest.mark.parametrize(
    "path", FINDINGS, ids=[f"{path.parent.name}-{path.name[:16]}" for path in FINDINGS]
)
def test_earlier_findings_are_rejected(path: Path) -> None:
    assert feed(path.parent.name, path.read_bytes())  # all are damaged


@pytest.mark.parametrize("target", TARGETS)
def test_valid_files_are_read(target: str, tmp_path: Path) -> None:
    seeds(target, tmp_path)
    assert (paths := list(tmp_path.iterdir()))
    for path in paths:
        TARGETS[target](path.read_bytes())


needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs the package atheris, which is not available on all systems",
)


@pytest.fixture(scope="module")
def worker() -> Iterator[Fuzzer]:
    with fuzzer() as worker:
        yield worker


@needs_atheris
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_fuzz_run_finds_nothing(target: str, worker: Fuzzer, tmp_path: Path) -> None:
    corpus, findings = tmp_path / "corpus", tmp_path / "findings"
    tried, failure = worker.fuzz(target, SECONDS, corpus, findings, runs=RUNS)
    assert not failure
    assert tried >= RUNS


def test_damaged_entries_of_an_index_get_past_its_checksums() -> None:
    content = sliced_index()
    assert with_valid_checksums(content) == content
    dimension = content.index(entry(shape=(3, 2), size=0))
    damaged = bytearray(content)
    damaged[dimension + 7] += 1  # 4 rows in slices of 3
    assert feed("index", bytes(damaged)).endswith(
        "the slices of a variable do not cover it exactly"
    )


@needs_atheris
def test_the_memory_of_the_parent_process_does_not_count(tmp_path: Path) -> None:
    import resource  # not on Windows, as atheris

    megabytes = 700
    b"x" * (megabytes << 20)  # Linux passes this peak on to the fuzzing process
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10 > megabytes
    corpus, findings = tmp_path / "corpus", tmp_path / "findings"
    with fuzzer() as worker:
        tried, failure = worker.fuzz("hparams", SECONDS, corpus, findings, megabytes, RUNS)
    assert not failure
    assert tried >= RUNS


@needs_atheris
def test_a_reader_that_needs_too_much_memory_is_found(worker: Fuzzer, tmp_path: Path) -> None:
    findings = tmp_path / "findings"
    _, failure = worker.fuzz("memory_bomb", SECONDS, tmp_path / "corpus", findings, 700)
    assert "MemoryError" in failure
    assert list(findings.iterdir())
