"""Files that are resumed: what is kept, what is renamed, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.bulk_file import BulkFile
from gpt2_helpers.generation.output_formats import TextSource, choose_format
from gpt2_helpers.generation.result import GenerationResult

TOTAL = 5
COMMAND = {"options": {"length": 9}}


def open_file(
    path: Path, seed: int = 7, messages: list[str] | None = None, **options: Any
) -> BulkFile:
    command = {**COMMAND, **options.pop("command", {})}
    report = (lambda _: None) if messages is None else messages.append
    source = TextSource(seed, "run1", 40)
    output = choose_format(path, "auto", "--\n")
    return BulkFile(path, output, command, source, TOTAL, report, **options)


def fill(file: BulkFile, stop: int = TOTAL, error: type[BaseException] | None = None) -> None:
    """Write the missing texts up to a number of them, and end with an error or complete."""
    with file:
        for number in range(file.n_done, stop):
            text = f"Text {number} of seed {file.source.seed}"
            file.write(GenerationResult(text, "", number, 2, "stop", -1.0))
        if error is not None:
            raise error
        file.finish()


def interrupt(file: BulkFile, stop: int, error: type[BaseException] = KeyboardInterrupt) -> None:
    with pytest.raises(error):
        fill(file, stop, error)


def reference(tmp_path: Path, name: str) -> bytes:
    """The content of a file that was written without an interruption."""
    (tmp_path / "reference").mkdir(exist_ok=True)
    path = tmp_path / "reference" / name
    fill(open_file(path))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["texts.txt", "texts.csv", "texts.jsonl"])
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_file_is_resumed_to_the_same_content(
    tmp_path: Path, name: str, existing: bool, error: type[BaseException]
) -> None:
    expected, messages, path = reference(tmp_path, name), list[str](), tmp_path / name
    if existing:
        path.write_text("old")
    interrupt(open_file(path), 2, error)
    interrupt(open_file(path, seed=1, messages=messages), 3, error)  # another seed was drawn
    fill(open_file(path, seed=2, messages=messages))
    assert path.read_bytes() == expected
    assert messages == [f"resuming: {path} has {done} of 5 texts" for done in (2, 3)]
    names = {file.name for file in tmp_path.iterdir()} - {"reference"}
    record = set() if name == "texts.txt" else {f"{name}.record.json"}
    assert names == {name, *record}


def test_the_record_has_the_settings(tmp_path: Path) -> None:
    fill(open_file(tmp_path / "texts.jsonl"))
    record = json.loads((tmp_path / "texts.jsonl.record.json").read_text(encoding="utf-8"))
    assert record == {**COMMAND, "seed": 7, "texts": TOTAL}


def test_a_text_without_its_line_is_generated_again(tmp_path: Path) -> None:
    path, progress = tmp_path / "texts.txt", tmp_path / "texts.txt.progress"
    expected = reference(tmp_path, "texts.txt")
    interrupt(open_file(path), 3)
    lines = progress.read_bytes().splitlines(keepends=True)
    for torn in (b"".join(lines[:-1]), b"".join(lines)[:-3], b"".join(lines[:1])):
        progress.write_bytes(torn)
        messages: list[str] = []
        interrupt(open_file(path, messages=messages), 3)
        fill(open_file(path))
        assert path.read_bytes() == expected
        interrupt(open_file(path), 3)
    # A crash of the machine may lose what was written last.
    path.write_bytes(path.read_bytes()[:-4])
    fill(open_file(path))
    assert path.read_bytes() == expected


def test_a_complete_file_is_replaced_by_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    fill(open_file(path))
    fill(open_file(path, seed=8))
    assert b"of seed 8" in path.read_bytes()
    assert b"of seed 7" not in path.read_bytes()


def test_a_kill_after_the_last_text_only_needs_the_end(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("old")
    interrupt(open_file(path), TOTAL, ZeroDivisionError)
    assert path.read_text() == "old"
    fill(open_file(path))
    assert path.read_bytes() == reference(tmp_path, "texts.csv")
    assert not (tmp_path / "texts.csv.progress").exists()


def test_a_kill_of_a_repeated_command_resumes_the_part_and_keeps_the_complete_file(
    tmp_path: Path,
) -> None:
    path, expected = tmp_path / "texts.txt", reference(tmp_path, "texts.txt")
    fill(open_file(path))  # complete, and starts as the part does
    interrupt(open_file(path), 2, ZeroDivisionError)  # leaves the part, as a kill does
    part = tmp_path / "texts.txt.part"
    killed = open_file(path)
    killed.__enter__()
    assert killed.n_done == 2
    killed.write(GenerationResult("Text 2 of seed 7", "", 2, 2, "stop", -1.0))
    assert part.read_bytes() == expected[: part.stat().st_size]
    assert path.read_bytes() == expected
    killed.__exit__(ZeroDivisionError, None, None)
    fill(open_file(path))
    assert path.read_bytes() == expected
    assert not part.exists()


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("options", [{"command": {"model": "run2"}}, {"resume": False}])
def test_another_command_keeps_the_finished_texts(
    tmp_path: Path, existing: bool, options: dict[str, Any]
) -> None:
    path, messages = tmp_path / "texts.txt", list[str]()
    if existing:
        path.write_text("old")
    interrupt(open_file(path), 2, ZeroDivisionError)
    interrupted = (tmp_path / "texts.txt.part" if existing else path).read_bytes()
    fill(open_file(path, seed=8, messages=messages, **options))
    assert path.read_bytes().count(b"of seed 8") == TOTAL
    kept = tmp_path / "texts.interrupted.txt"
    assert kept.read_bytes() == interrupted
    assert messages == [f"the finished texts of an interrupted call are kept in {kept}"]
    assert {file.name for file in tmp_path.iterdir()} == {"texts.txt", kept.name}


def test_a_changed_file_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    interrupt(open_file(path), 2)
    path.write_text("The user's own words, which are long enough to be as long as the texts.")
    messages: list[str] = []
    fill(open_file(path, seed=8, messages=messages))
    assert path.read_bytes().count(b"of seed 8") == TOTAL
    assert messages == []


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"[1]\n[2]\n", b'{"command": 5}\n', b"{" * 9]
)
def test_a_damaged_progress_file_is_ignored(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "texts.txt"
    (tmp_path / "texts.txt.progress").write_bytes(content)
    fill(open_file(path))
    assert path.read_bytes() == reference(tmp_path, "texts.txt")
    assert not (tmp_path / "texts.txt.progress").exists()


def test_nothing_is_created_without_a_text(tmp_path: Path) -> None:
    def fail() -> None:
        with open_file(tmp_path / "texts.jsonl"):
            raise OptionError("no")

    with pytest.raises(OptionError, match="no"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_write_to_one_file(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "texts.txt"
    interrupt(open_file(path), 2)
    script = """
import fcntl, sys
file = open(sys.argv[1], "a+b")
fcntl.lockf(file.fileno(), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script, f"{path}.progress"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(OptionError, match="another process writes to destination_path="):
            fill(open_file(path))
        other.communicate()
    fill(open_file(path))
    assert path.read_bytes() == reference(tmp_path, "texts.txt")


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"cannot write to destination_path=.*another path"):
        fill(open_file(tmp_path / "file" / "texts.jsonl"))
