"""The choice of a text: what is offered, what is uploaded or fetched, and the look at it."""

from __future__ import annotations

import html
from datetime import datetime
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest

from faulty_server import Fault, running
from gpt2_helpers.data.samples import sample_path
from gpt2_helpers.errors import DatasetError, DownloadError, OptionError
from gpt2_helpers.forms.data_picker import DataPicker
from gpt2_helpers.forms.data_preview import MAX_BYTES_READ, preview
from gpt2_helpers.forms.uploads import download_into, safe_name, save_upload, uploaded_files

TABLE = 'id,title,score\n1,"Why, oh why?",30\n2,A longer title than that,4\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no variables and no Drive."""
    for name in ("DATASET", "ADDRESS", "COLUMN", "DRIVE_MOUNT"):
        monkeypatch.delenv(f"GPT2_{name}", raising=False)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def offered(picker: DataPicker) -> dict[str, str]:
    """What the dropdown shows for each value."""
    return {value: shown for shown, value in picker.form.row("dataset").control.options}


def shown(picker: DataPicker) -> str:
    """What the look at the text says."""
    return html.unescape(picker._shown.value)


def is_visible(picker: DataPicker, name: str) -> bool:
    return picker.form.row(name).widget.layout.display != "none"


def upload(picker: DataPicker, name: str, content: bytes) -> None:
    """What the browser does: it sets the value in the way of the installed ipywidgets."""
    button = picker._upload
    if int(widgets.__version__.split(".")[0]) < 8:
        button.metadata, button.data = [{"name": name, "size": len(content)}], [content]
        button._counter += 1
    else:
        file = {"name": name, "type": "", "size": len(content), "last_modified": datetime.now()}
        button.value = ({**file, "content": memoryview(content)},)


# -- What is offered ---------------------------------------------------------------------------


def test_untouched_it_is_the_sample() -> None:
    picker = DataPicker()
    assert picker.path() == str(sample_path("stories.txt"))
    assert picker.column is None
    characters = len(sample_path("stories.txt").read_text("utf-8"))
    assert picker.characters == characters
    assert f"{characters:,} characters" in shown(picker)


def test_the_files_here_are_offered(folder: Path) -> None:
    for name in ("b.txt", "a.CSV", "c.npz", "d.py", ".e.txt", "requirements.txt"):
        (folder / name).write_text("text\n")
    (folder / "f.txt").mkdir()
    (folder.parent / "data").mkdir()
    (folder.parent / "data" / "g.tsv").write_text("text\n")
    names = [Path(value).name for value in offered(DataPicker()) if value]
    assert names == ["stories.txt", "titles.csv", "a.CSV", "b.txt", "c.npz", "g.tsv"]


def test_a_mounted_drive_is_offered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folder / "drive" / "MyDrive"
    mine.mkdir(parents=True)
    (mine / "poems.txt").write_text("text\n")
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(folder / "drive"))
    assert offered(DataPicker())[str(mine / "poems.txt")].startswith("Drive: poems.txt")


def test_looking_again_finds_new_files_and_keeps_the_choice(folder: Path) -> None:
    picker = DataPicker()
    picker.form.set(dataset=str(sample_path("titles.csv")))
    (folder / "new.txt").write_text("text\n")
    picker.refresh()
    assert "new.txt" in offered(picker)
    assert picker.value == str(sample_path("titles.csv"))


def test_a_box_for_a_path_appears_where_it_is_wanted(folder: Path) -> None:
    (folder / "far").mkdir()
    (folder / "far" / "tales.txt").write_text("Once upon a time.\n")
    picker = DataPicker()
    assert not is_visible(picker, "address")
    picker.form.set(dataset="")
    assert is_visible(picker, "address")
    with pytest.raises(OptionError, match="no text to train on was chosen"):
        picker.path()
    picker.form.set(address=" far/tales.txt ")
    assert picker.path() == "far/tales.txt"
    assert "Once upon a time." in shown(picker)


def test_a_folder_and_a_pattern_can_be_typed(folder: Path) -> None:
    (folder / "a.txt").write_text("text\n")
    picker = DataPicker()
    for typed in (str(folder), "*.txt"):
        picker.form.set(dataset="", address=typed)
        assert picker.path() == typed
        assert picker.characters is None


def test_what_is_not_there_is_said_and_refused() -> None:
    picker = DataPicker()
    picker.form.set(dataset="", address="nowhere.txt")
    assert "nowhere.txt does not exist" in shown(picker)
    with pytest.raises(DatasetError, match="does not exist"):
        picker.path()


@pytest.mark.parametrize("chosen", ["variable", "argument"])
def test_a_text_can_be_chosen_beforehand(
    chosen: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.text").write_text("Mine.\n")
    if chosen == "variable":
        monkeypatch.setenv("GPT2_DATASET", "mine.text")
    picker = DataPicker(dataset="mine.text" if chosen == "argument" else None)
    assert picker.path() == "mine.text"
    assert "Mine." in shown(picker)


def test_every_change_calls_back(folder: Path) -> None:
    (folder / "a.txt").write_text("text\n")
    picker, seen = DataPicker(), []
    picker.on_change(lambda: seen.append(picker.value))
    picker.form.set(dataset="a.txt")
    assert seen == ["a.txt"]


# -- Tables ------------------------------------------------------------------------------------


def test_of_several_columns_the_longest_is_chosen_and_another_can_be(folder: Path) -> None:
    (folder / "t.csv").write_text(TABLE)
    picker = DataPicker()
    assert not is_visible(picker, "column")
    picker.form.set(dataset="t.csv")
    assert is_visible(picker, "column")
    assert picker.column == "title"
    names = [value for _, value in picker.form.row("column").control.options]
    assert names == ["id", "title", "score"]
    assert "2 texts, 36 characters" in shown(picker)
    picker.form.set(column="score")
    assert (picker.column, picker.characters) == ("score", 3)


def test_a_column_is_no_choice_for_another_table(folder: Path) -> None:
    (folder / "t.csv").write_text(TABLE)
    (folder / "u.csv").write_text("text,date\nA long enough text,1990\nAnd another one,1991\n")
    picker = DataPicker()
    picker.form.set(dataset="t.csv")
    picker.form.set(dataset="u.csv")
    assert picker.column == "text"
    picker.form.set(dataset=str(sample_path("titles.csv")))
    assert picker.column is None
    assert not is_visible(picker, "column")


def test_a_caller_or_a_variable_names_the_column(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "t.csv").write_text(TABLE)
    assert DataPicker(dataset="t.csv", column="score").column == "score"
    monkeypatch.setenv("GPT2_COLUMN", "id")
    assert DataPicker(dataset="t.csv").column == "id"
    monkeypatch.setenv("GPT2_COLUMN", "titel")
    picker = DataPicker(dataset="t.csv")
    assert "no column 'titel' (did you mean 'title'?)" in shown(picker)


# -- The look ----------------------------------------------------------------------------------


def test_what_a_text_holds_is_never_markup(folder: Path) -> None:
    (folder / "a.txt").write_text("<script>alert(1)</script>\n")
    picker = DataPicker(dataset="a.txt")
    assert "<script>" not in picker._shown.value
    assert "<script>alert(1)</script>" in shown(picker)


def test_the_encoding_that_was_found_is_said(folder: Path) -> None:
    (folder / "a.txt").write_bytes("un café, s'il vous plaît\n".encode("latin-1"))
    assert "read as Latin-1" in shown(DataPicker(dataset="a.txt"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"\x89PNG\r\n\x1a\n", "PNG image"),
        ("a.txt", b" \n", "is empty"),
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b'title\n"never closed\n', "never closed"),
    ],
)
def test_what_cannot_be_trained_on_is_said(
    name: str, content: bytes, said: str, folder: Path
) -> None:
    (folder / name).write_bytes(content)
    assert said in shown(DataPicker(dataset=name))


def test_of_a_long_text_only_the_beginning_is_shown(folder: Path) -> None:
    (folder / "a.txt").write_text("word " * 5000 + "\nend\n")
    look = preview("a.txt")
    assert look.characters == 25005
    assert len(look.beginning) < 800
    assert look.beginning.endswith("…")


def test_a_very_large_file_is_not_read_to_its_end(folder: Path) -> None:
    with (folder / "a.txt").open("wb") as file:
        file.write(b"The first line\n")
        file.truncate(MAX_BYTES_READ + 1)  # all that follows is a hole, which no text holds
    look = preview("a.txt")
    assert look.beginning.startswith("The first line")
    assert look.amounts == "a file of 67.1 MB"


def test_an_archive_is_not_opened(folder: Path) -> None:
    (folder / "a.npz").write_bytes(b"x" * 2_000_000)
    assert preview("a.npz").amounts == "an archive of encoded text, 2.0 MB"


# -- Uploads -----------------------------------------------------------------------------------


def test_an_upload_is_saved_and_chosen(folder: Path) -> None:
    picker = DataPicker()
    upload(picker, "poems.txt", b"Roses are red.\n")
    assert (folder / "poems.txt").read_bytes() == b"Roses are red.\n"
    assert picker.path() == "poems.txt"
    assert "Roses are red." in shown(picker)
    assert [file.name for file in folder.iterdir()] == ["poems.txt"]


def test_uploads_take_no_others_place(folder: Path) -> None:
    (folder / "a.b.txt").write_bytes(b"mine")
    contents = (b"yours", b"theirs", b"yours", b"mine")
    names = [save_upload("a.b.txt", content, folder).name for content in contents]
    assert names == ["a.b-2.txt", "a.b-3.txt", "a.b-2.txt", "a.b.txt"]
    assert (folder / "a.b.txt").read_bytes() == b"mine"
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "name", ["../a.txt", "/etc/passwd", "..", "C:\\x\\a.txt", "~/.ssh", "a\0b"]
)
def test_an_upload_stays_in_its_folder(name: str, folder: Path) -> None:
    kept = save_upload(name, b"text", folder)
    assert kept.parent == folder
    assert kept.read_bytes() == b"text"
    assert not kept.name.startswith((".", "~"))


def test_a_name_is_never_too_long(folder: Path) -> None:
    assert save_upload("x" * 400 + ".txt", b"text", folder).suffix == ".txt"
    assert len(safe_name("x." + "y" * 400)) <= 110


def test_an_upload_that_cannot_be_saved_is_said(folder: Path) -> None:
    picker = DataPicker(folder / "gone")
    upload(picker, "a.txt", b"text")
    assert "gpt2-error" in picker._uploaded.value
    assert picker.value == str(sample_path("stories.txt"))


def test_the_value_of_an_upload_in_both_versions() -> None:
    content: Any = memoryview(b"text")
    seven = {"a.txt": {"metadata": {"name": "a.txt", "size": 4}, "content": b"text"}}
    eight = ({"name": "a.txt", "type": "text/plain", "size": 4, "content": content},)
    assert uploaded_files(seven) == uploaded_files(eight) == [("a.txt", b"text")]
    assert uploaded_files({}) == uploaded_files(()) == []


# -- Addresses of the web ----------------------------------------------------------------------


def test_an_address_is_fetched_when_the_path_is_asked_for(folder: Path) -> None:
    with running() as server:
        server.files["/my%20table.csv?raw=1"] = TABLE.encode()
        picker = DataPicker()
        picker.form.set(dataset="", address=f"{server.address}/my%20table.csv?raw=1")
        assert "fetched when the next cell runs" in shown(picker)
        assert server.requests == []
        assert picker.path() == "my table.csv"
    assert (folder / "my table.csv").read_bytes() == TABLE.encode()
    assert picker.column == "title"
    assert picker.path() == "my table.csv"
    assert [file.name for file in folder.iterdir()] == ["my table.csv"]


def test_a_page_is_refused(folder: Path) -> None:
    with running() as server:
        server.files["/a.txt"] = b"text"
        server.always["/a.txt"] = Fault(body=b"<!DOCTYPE html><p>Sign in")
        with pytest.raises(DownloadError, match="web page.*Raw"):
            download_into(f"{server.address}/a.txt", folder)
    assert not (folder / "a.txt").exists()


def test_an_address_that_leads_nowhere_is_said(folder: Path) -> None:
    with running() as server, pytest.raises(DownloadError, match="404.*upload it here"):
        download_into(f"{server.address}/a.txt", folder)
    assert list(folder.iterdir()) == []


def test_what_is_fetched_takes_no_others_place(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"mine")
    with running() as server:
        server.files["/a.txt"] = b"theirs"
        assert download_into(f"{server.address}/a.txt", folder).name == "a-2.txt"
        assert download_into(f"{server.address}/a.txt", folder).name == "a-2.txt"
    assert (folder / "a.txt").read_bytes() == b"mine"
