"""The interface of the subcommands, and what they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.cli.app import COMMANDS
from gpt2_helpers.cli.command import check_files, print_status
from gpt2_helpers.cli.parser import Parser
from gpt2_helpers.errors import DatasetError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_interface(name: str) -> None:
    command = COMMANDS[name]
    assert command.SUMMARY[0].islower()
    assert not command.SUMMARY.endswith(".")
    assert isinstance(command.parser(), Parser)
    assert callable(command.run)


def test_a_message_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_status("two\nlines,  and spaces")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "gpt2-helpers: two lines, and spaces\n"
    print_status("a file named \x1b[2J.txt")
    assert capsys.readouterr().err == "gpt2-helpers: a file named \\x1b[2J.txt\n"


def test_a_missing_dataset_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("title\n")
    check_files(str(tmp_path / "titles.csv"))
    with pytest.raises(DatasetError, match=r"did you mean 'titles\.csv'"):
        check_files(str(tmp_path / "titels.csv"))
