"""Texts in a file in gpt-2-simple's format, and what happens to an existing file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.output_file import TextWriter, new_file

DELIMITER = "=" * 20 + "\n"


def test_each_text_is_followed_by_a_newline_and_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    with TextWriter(path, DELIMITER) as writer:
        writer.write("One.\nTwo lines.")
        writer.write("Ünïcödé 🙂")
    expected = f"One.\nTwo lines.\n{DELIMITER}Ünïcödé 🙂\n{DELIMITER}"
    assert path.read_bytes() == expected.encode("utf-8")


def test_without_a_delimiter_there_is_only_the_newline(tmp_path: Path) -> None:
    with TextWriter(tmp_path / "text.txt", "") as writer:
        writer.write("One.")
    assert (tmp_path / "text.txt").read_bytes() == b"One.\n"


def test_a_text_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    with TextWriter(path, DELIMITER) as writer:
        writer.write("One.")
        assert path.read_text(encoding="utf-8") == f"One.\n{DELIMITER}"


def test_an_existing_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("existing text, which is longer")
    with TextWriter(path, "") as writer:
        assert path.read_text() == "existing text, which is longer"
        writer.write("New.")
    assert path.read_text() == "New.\n"


def test_an_error_before_the_first_text_keeps_the_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("existing text")
    with pytest.raises(ZeroDivisionError), TextWriter(path, ""):
        _ = 1 / 0
    assert path.read_text() == "existing text"


def test_an_interrupt_keeps_the_finished_texts(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"

    def write_and_fail() -> None:
        with TextWriter(path, DELIMITER) as writer:
            writer.write("One.")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert path.read_text() == f"One.\n{DELIMITER}"


def test_without_a_text_there_is_no_file(tmp_path: Path) -> None:
    with TextWriter(tmp_path / "deep" / "texts.txt", ""):
        pass
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_created(tmp_path: Path) -> None:
    with TextWriter(tmp_path / "gen" / "today" / "texts.txt", "") as writer:
        writer.write("One.")
    assert (tmp_path / "gen" / "today" / "texts.txt").read_text() == "One.\n"


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "texts.txt"
    message = f"cannot write to destination_path={str(place)!r}: "
    writer = TextWriter(place, "")
    with pytest.raises(OptionError, match=f"{re.escape(message)}.*: choose another path"):
        writer.write("One.")


def test_a_folder_is_refused_before_anything_is_generated(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="destination_path=.* is a folder: name a file in it"):
        TextWriter(tmp_path, "")


def test_a_file_named_by_the_time_replaces_no_other(tmp_path: Path) -> None:
    paths = [new_file(tmp_path / "gen") for _ in range(3)]
    assert len(set(paths)) == 3
    for path in paths:
        assert path.read_bytes() == b""
        assert re.fullmatch(r"gpt2_gentext_\d{8}_\d{6}(_\d+)?\.txt", path.name)
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot write to folder=.*: choose another folder"):
        new_file(tmp_path / "file")


def test_an_existing_file_is_unchanged_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("existing text")
    path.chmod(0o640)
    (tmp_path / "link.txt").symlink_to(path)
    with TextWriter(tmp_path / "link.txt", DELIMITER) as writer:
        writer.write("One.")
        writer.write("Two.")
        assert path.read_text() == "existing text"
    assert path.read_text() == f"One.\n{DELIMITER}Two.\n{DELIMITER}"
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.txt").is_symlink()
    assert {file.name for file in tmp_path.iterdir()} == {"texts.txt", "link.txt"}


def test_after_an_interrupt_the_finished_texts_replace_the_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("existing text")

    def write_and_fail() -> None:
        with TextWriter(path, DELIMITER) as writer:
            writer.write("One.")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert path.read_text() == f"One.\n{DELIMITER}"


@pytest.mark.parametrize("existing", ["", "existing text"])
def test_a_full_disk_keeps_complete_texts_and_the_existing_file(
    tmp_path: Path, existing: str
) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "texts.txt"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(*texts: str) -> None:
        with TextWriter(path, "") as writer:
            for text in texts:
                writer.write(text)

    path.write_text(existing)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        with pytest.raises(OptionError, match="cannot write to destination_path"):
            fill("a" * 100)
        assert path.read_text() == existing
        with pytest.raises(OptionError, match="cannot write to destination_path"):
            fill("One.", "a" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    finished = path.with_name("texts.txt.part") if existing else path
    assert finished.read_text() == "One.\n"
    assert path.read_text() == existing or not existing
    assert set(tmp_path.iterdir()) == {path, finished}


def test_the_texts_of_killed_calls_are_kept_and_it_is_said(tmp_path: Path) -> None:
    path, messages = tmp_path / "texts.txt", list[str]()
    path.write_text("existing")
    for order in (1, 2, 3):
        (tmp_path / "texts.txt.part").write_text(f"finished {order}")
        with TextWriter(path, "", messages.append) as writer:
            assert (tmp_path / "texts.txt.part").read_text() == f"finished {order}"  # no text yet
            writer.write("a text")
        assert path.read_text() == "a text\n"
    kept = [tmp_path / f"texts.interrupted{end}.txt" for end in ("", "-2", "-3")]
    assert [file.read_text() for file in kept] == [f"finished {order}" for order in (1, 2, 3)]
    assert set(tmp_path.iterdir()) == {path, *kept}
    assert messages == [
        f"the finished texts of an interrupted call are kept in {file}" for file in kept
    ]


def test_an_empty_file_of_a_killed_call_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("existing")
    (tmp_path / "texts.txt.part").touch()
    with TextWriter(tmp_path / "texts.txt", "") as writer:
        writer.write("a text")
    assert [file.name for file in tmp_path.iterdir()] == ["texts.txt"]


def test_an_error_keeps_the_existing_file_and_the_finished_texts_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("existing", encoding="utf-8")

    def fail() -> None:
        with TextWriter(path, "=\n") as writer:
            writer.write("a text")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text(encoding="utf-8") == "existing"
    assert (tmp_path / "texts.txt.part").read_text(encoding="utf-8") == "a text\n=\n"
