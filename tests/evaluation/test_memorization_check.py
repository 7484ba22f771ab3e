"""The memorization check of many texts: formats, blocks, threads, long documents, Ctrl-C."""

from __future__ import annotations

import csv
import gzip
import http.server
import json
import random
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation import memorization_check, training_text
from gpt2_helpers.evaluation.generated_index import GeneratedIndex
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.system.files import drain

TITLES = ["Why is the sky blue?", "What did you dream of last night?", "Who, are you?"]
TEXTS = [
    "who, ARE you",
    "What did you dream about last night?",
    "Ships at night",
    "why IS the sky blue",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(texts: list[str], *datasets: str, threads: int | None = None) -> OverlapReport:
    data = TrainingData([(dataset, None) for dataset in datasets])
    return drain(check_texts(texts, data, threads))


def kinds(report: OverlapReport) -> list[str]:
    return [match.kind for _, match in report.matches]


def write(name: str, titles: list[str] = TITLES) -> str:
    """Write titles in the format of the name."""
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pa.table({"text": titles}), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["title"], *([title] for title in titles)])
    elif path.suffix == ".txt":
        marked = "".join(f"<|startoftext|>{title}<|endoftext|>\n" for title in titles)
        path.write_text(marked, encoding="utf-8")
    else:
        lines = "".join(json.dumps({"text": title}) + "\n" for title in titles)
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "wt", encoding="utf-8") as file:
            file.write(lines)
    return name


@pytest.mark.parametrize(
    "name", ["a.csv", "a.txt", "a.jsonl", "a.jsonl.gz", "a.parquet", "data/a.csv"]
)
def test_every_format_gives_the_same_report(name: str) -> None:
    write(name)
    report = check(TEXTS, "data/*.csv" if "/" in name else name)
    assert kinds(report) == ["copy", "near copy", "novel", "copy"]
    assert [match.nearest for _, match in report.matches] == [*TITLES[2:0:-1], "", TITLES[0]]
    assert report.total == 4


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a server with the files of the current folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_datasets_at_urls_and_several_datasets(url: str) -> None:
    write("a.csv", TITLES[:1])
    write("b.jsonl", TITLES[1:])
    report = check(TEXTS, f"{url}/a.csv", "b.jsonl")
    assert kinds(report) == ["copy", "near copy", "novel", "copy"]
    assert any(f"{url}/a.csv" in note for note in report.notes)


def test_blocks_and_threads_do_not_change_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(1)
    words = "why what is the sky blue so do you think about it dog cat".split()  # noqa: SIM905
    titles = [" ".join(source.choices(words, k=source.randint(3, 8))) for _ in range(300)]
    write("a.csv", titles[:200])
    Path("b.txt").write_text(" ".join(titles[150:250]), encoding="utf-8")
    texts = [*titles[190:], titles[5] + " cat"]
    whole = check(texts, "a.csv", "b.txt", threads=1)
    assert set(kinds(whole)) == {"copy", "near copy", "novel"}
    monkeypatch.setattr(memorization_check, "_BLOCK", 300)
    monkeypatch.setattr(training_text, "_PIECE", 50)
    parts = check(texts, "a.csv", "b.txt", threads=3)
    for (text, one), (_, other) in zip(whole.matches, parts.matches, strict=True):
        assert (one.kind, one.run, one.words) == (other.kind, other.run, other.words), text
        if one.kind != "novel":  # of several texts with the longest run, either one
            assert one == other


def test_paragraphs_are_compared_with_a_novel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorization_check, "_BLOCK", 5000)
    monkeypatch.setattr(training_text, "_PIECE", 1000)
    source = random.Random(2)
    words = [f"{source.choice('bdfgklmnprst')}{n % 211}x" for n in range(20_000)]
    source.shuffle(words)
    Path("novel.txt").write_text(" ".join(words), encoding="utf-8")
    texts, expected = [], []
    for start in range(0, 19_000, 1900):
        text = words[start : start + 700]  # some of them cross from one block into the next
        texts.append(" ".join(text))
        expected.append(("copy", 700))
        text[300] = "changed"
        texts.append(" ".join(text))
        expected.append(("near copy", 399))
    texts.append(" ".join(source.sample(words, 500)))
    report = check(texts, "novel.txt")
    found = [(match.kind, match.run) for _, match in report.matches]
    assert found[:-1] == expected
    assert found[-1][0] == "novel"
    assert report.matches[1][1].nearest == " ".join(words[301:700])


def test_progress_is_the_number_of_bytes_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorization_check, "_BLOCK", 10)
    write("a.csv")
    Path("b.txt").write_text("Once upon a time. " * 10, encoding="utf-8")
    total = Path("a.csv").stat().st_size + Path("b.txt").stat().st_size
    steps = list(check_texts(TEXTS, TrainingData([(["a.csv", "b.txt"], None)])))
    assert {step.total for step in steps} == {total}
    done = [step.done for step in steps]
    assert done[0] == 0
    assert done[-1] == total
    assert done == sorted(done)


@pytest.mark.parametrize("text", ["", "?!", "Why is the sky blue", "\U0001f600 \0 \ud800", "我们"])
def test_one_text(text: str) -> None:
    write("a.csv")
    report = check([text], "a.csv")
    assert kinds(report) == ["copy" if text.startswith("Why") else "novel"]


def test_training_text_without_text_is_an_error() -> None:
    Path("a.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(DatasetError, match="a.txt contains no text to compare with"):
        check(TEXTS, "a.txt")
    with pytest.raises(DatasetError, match=r"gone.csv does not exist"):
        check(TEXTS, "gone.csv")


def test_an_error_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.csv")

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(GeneratedIndex, "find_similar", fail)
    with pytest.raises(MemoryError):
        check(TEXTS, "a.csv")


def test_an_interrupt_ends_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorization_check, "_BLOCK", 10)
    write("a.csv", TITLES * 50)
    steps = check_texts(TEXTS, TrainingData([("a.csv", None)]), threads=2)
    next(steps)
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())
    assert not [t for t in threading.enumerate() if t.name.startswith("memorization")]
