"""Data picker: the listed files, uploads, downloads, table columns and the preview."""

from __future__ import annotations

import gzip
import html
import io
import shutil
from datetime import datetime
from pathlib import Path

import ipywidgets as widgets
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from faulty_server import running
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.data.samples import sample_path
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.forms.data_picker import DataPicker
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter, new_file
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
TABLE = 'id,title,score\n1,"Why, oh why?",30\n2,A longer title than that,4\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder without variables and Drive."""
    for name in ("DATASET", "ADDRESS", "COLUMN", "DRIVE_MOUNT"):
        monkeypatch.delenv(f"GPT2_{name}", raising=False)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def items_of(picker: DataPicker) -> dict[str, str]:
    """Return the label of each value in the dropdown."""
    return {value: shown for shown, value in picker.form.row("dataset").control.options}


def shown(picker: DataPicker) -> str:
    """Return the text of the preview."""
    return html.unescape(picker._shown.value)


def is_visible(picker: DataPicker, name: str) -> bool:
    return picker.form.row(name).widget.layout.display != "none"


def upload(picker: DataPicker, name: str, content: bytes) -> None:
    """Set the value as the browser does with the installed ipywidgets."""
    button = picker._upload
    if int(widgets.__version__.split(".")[0]) < 8:
        button.metadata, button.data = [{"name": name, "size": len(content)}], [content]
        button._counter += 1
    else:
        file = {"name": name, "type": "", "size": len(content), "last_modified": datetime.now()}
        button.value = ({**file, "content": memoryview(content)},)


# -- Listed files -----------------------------------------------------------------------------


def test_the_sample_is_chosen_by_default() -> None:
    picker = DataPicker()
    assert picker.path() == str(sample_path("stories.txt"))
    assert picker.column is None
    characters = len(sample_path("stories.txt").read_text("utf-8"))
    assert picker.preview is not None
    assert picker.preview.characters == characters
    assert f"{characters:,} characters" in shown(picker)


def test_local_files_are_listed(folder: Path) -> None:
    for name in ("b.txt", "a.CSV", "c.npz", "d.py", ".e.txt", "requirements.txt"):
        (folder / name).write_text("text\n")
    (folder / "f.txt").mkdir()
    (folder.parent / "data").mkdir()
    (folder.parent / "data" / "g.tsv").write_text("text\n")
    names = [Path(value).name for value in items_of(DataPicker()) if value]
    assert names == [
        "stories.txt",
        "titles.csv",
        "dishes.jsonl",
        "a.CSV",
        "b.txt",
        "c.npz",
        "g.tsv",
    ]


def test_a_copy_of_a_sample_is_listed_once(folder: Path) -> None:
    data = folder.parent / "data"
    data.mkdir()
    shutil.copy(sample_path("stories.txt"), data)
    (data / "titles.csv").write_text("title\nMy own title\n")
    labels = list(items_of(DataPicker()).values())
    assert [label for label in labels if "stories.txt" in label] == ["Sample: a play (stories.txt)"]
    assert sum("titles.csv" in label for label in labels) == 2, "another table of the same name"


def test_generated_texts_are_not_offered(folder: Path) -> None:
    with TextWriter(folder / "best.txt", SAMPLE_DELIM) as writer:
        writer.write("A generated text.")
    new_file(folder).write_text("Another one.\n")
    (folder / "gpt_2_gen_texts.txt").write_text("A third one.\n")
    (folder / "heading.txt").write_text(f"Heading\n{SAMPLE_DELIM}\nMy own text.\n")
    names = [Path(value).name for value in items_of(DataPicker()) if value]
    assert names == ["stories.txt", "titles.csv", "dishes.jsonl", "heading.txt"]


def test_files_on_a_mounted_drive_are_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folder / "drive" / "MyDrive"
    mine.mkdir(parents=True)
    (mine / "poems.txt").write_text("text\n")
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(folder / "drive"))
    assert items_of(DataPicker())[str(mine / "poems.txt")].startswith("Drive: poems.txt")


def test_refresh_lists_new_files_and_keeps_the_choice(folder: Path) -> None:
    picker = DataPicker()
    picker.form.set(dataset=str(sample_path("titles.csv")))
    (folder / "new.txt").write_text("text\n")
    picker.refresh()
    assert "new.txt" in items_of(picker)
    assert picker.value == str(sample_path("titles.csv"))


def test_the_text_box_for_a_path_appears_when_it_is_needed(folder: Path) -> None:
    (folder / "far").mkdir()
    (folder / "far" / "tales.txt").write_text("Once upon a time.\n")
    picker = DataPicker()
    assert not is_visible(picker, "address")
    picker.form.set(dataset="")
    assert is_visible(picker, "address")
    with pytest.raises(OptionError, match="no training text chosen"):
        picker.path()
    picker.form.set(address=" far/tales.txt ")
    assert picker.path() == "far/tales.txt"
    assert "Once upon a time." in shown(picker)


def test_a_folder_or_a_pattern_can_be_typed(folder: Path) -> None:
    (folder / "a.txt").write_text("text\n")
    picker = DataPicker()
    for typed in (str(folder), "*.txt"):
        picker.form.set(dataset="", address=typed)
        assert picker.path() == typed
        assert picker.preview is None or picker.preview.characters is None


def test_a_missing_file_is_an_error() -> None:
    picker = DataPicker()
    picker.form.set(dataset="", address="nowhere.txt")
    assert "nowhere.txt does not exist" in shown(picker)
    with pytest.raises(DatasetError, match="does not exist"):
        picker.path()


@pytest.mark.parametrize("chosen", ["variable", "argument"])
def test_a_variable_or_an_argument_chooses_the_text(
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


def test_the_longest_column_is_chosen_and_can_be_changed(folder: Path) -> None:
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
    assert picker.preview is not None
    assert (picker.column, picker.preview.characters) == ("score", 3)


def test_another_table_resets_the_column(folder: Path) -> None:
    (folder / "t.csv").write_text(TABLE)
    (folder / "u.csv").write_text("text,date\nA long enough text,1990\nAnd another one,1991\n")
    picker = DataPicker()
    picker.form.set(dataset="t.csv")
    picker.form.set(dataset="u.csv")
    assert picker.column == "text"
    picker.form.set(dataset=str(sample_path("titles.csv")))
    assert picker.column is None
    assert not is_visible(picker, "column")


def test_a_variable_or_an_argument_chooses_the_column(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "t.csv").write_text(TABLE)
    assert DataPicker(dataset="t.csv", column="score").column == "score"
    monkeypatch.setenv("GPT2_COLUMN", "id")
    assert DataPicker(dataset="t.csv").column == "id"
    monkeypatch.setenv("GPT2_COLUMN", "titel")
    picker = DataPicker(dataset="t.csv")
    assert "no column 'titel' (did you mean 'title'?)" in shown(picker)


# -- Preview -----------------------------------------------------------------------------------


def test_the_preview_is_escaped(folder: Path) -> None:
    (folder / "a.txt").write_text("<script>alert(1)</script>\n")
    picker = DataPicker(dataset="a.txt")
    assert "<script>" not in picker._shown.value
    assert "<script>alert(1)</script>" in shown(picker)


def test_the_detected_encoding_is_shown(folder: Path) -> None:
    (folder / "a.txt").write_bytes("un café, s'il vous plaît\n".encode("latin-1"))
    assert "read as Latin-1" in shown(DataPicker(dataset="a.txt"))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.txt", b"\x89PNG\r\n\x1a\n", "PNG image"),
        ("a.txt", b" \n", "is empty"),
        ("a.csv", b"", "has no rows"),
        ("a.csv", b'title\n"never closed\n', "never closed"),
    ],
)
def test_unusable_data_is_reported(name: str, content: bytes, error: str, folder: Path) -> None:
    (folder / name).write_bytes(content)
    assert error in shown(DataPicker(dataset=name))


# -- Uploads -----------------------------------------------------------------------------------


def test_an_upload_is_saved_and_chosen(folder: Path) -> None:
    picker = DataPicker()
    upload(picker, "poems.txt", b"Roses are red.\n")
    assert (folder / "poems.txt").read_bytes() == b"Roses are red.\n"
    assert picker.path() == "poems.txt"
    assert "Roses are red." in shown(picker)
    assert [file.name for file in folder.iterdir()] == ["poems.txt"]


def parquet() -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": ["1"], "text": ["Roses are red."]}), file)
    return file.getvalue()


LINE = b'{"id": "1", "text": "Roses are red."}\n'
UPLOADS = {
    "a.md": b"Roses are red.\n",
    "a.csv": b"text\nRoses are red.\n",
    "a.tsv": b"id\ttext\n1\tRoses are red.\n",
    "a.jsonl": LINE,
    "a.ndjson": LINE,
    "a.json": b'["Roses are red.", "Violets are blue."]',
    "a.jsonl.gz": gzip.compress(LINE),
    "a.csv.zst": zstandard.compress(b"text\nRoses are red.\n"),
    "a.parquet": parquet(),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_each_format_can_be_uploaded(folder: Path, name: str) -> None:
    picker = DataPicker()
    assert Path(name).suffix in picker._upload.accept
    upload(picker, name, UPLOADS[name])
    assert picker.path() == name
    assert "Roses are red." in shown(picker)
    has_columns = name.endswith((".tsv", ".jsonl", ".ndjson", ".jsonl.gz", ".parquet"))
    assert picker.column == ("text" if has_columns else None)
    dataset = load_dataset(picker.path(), TOKENIZER, DatasetConfig(column=picker.column))
    assert "Roses are red." in TOKENIZER.decode(dataset.tokens.tolist())


def test_settings_in_json_are_reported(folder: Path) -> None:
    (folder / "a.json").write_text('{"strict": true}')
    assert "without a list of texts" in shown(DataPicker(dataset="a.json"))


def test_a_url_of_another_protocol_is_left_to_load_dataset(folder: Path) -> None:
    picker = DataPicker()
    picker.form.set(dataset="", address="s3://bucket/a.jsonl")
    assert picker.path() == "s3://bucket/a.jsonl"


def test_an_upload_that_cannot_be_saved_is_reported(folder: Path) -> None:
    picker = DataPicker(folder / "gone")
    upload(picker, "a.txt", b"text")
    assert "gpt2-error" in picker._uploaded.value
    assert picker.value == str(sample_path("stories.txt"))


# -- URLs -----------------------------------------------------------------------


def test_a_url_is_downloaded_when_the_path_is_requested(folder: Path) -> None:
    with running() as server:
        server.files["/my%20table.csv?raw=1"] = TABLE.encode()
        picker = DataPicker()
        picker.form.set(dataset="", address=f"{server.address}/my%20table.csv?raw=1")
        assert "downloaded when the next cell runs" in shown(picker)
        assert server.requests == []
        assert picker.path() == "my table.csv"
    assert (folder / "my table.csv").read_bytes() == TABLE.encode()
    assert picker.column == "title"
    assert picker.path() == "my table.csv"
    assert [file.name for file in folder.iterdir()] == ["my table.csv"]


def test_prompts_and_completions_are_recognized(folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"prompt": "1+1", "completion": "2"}\n' * 3)
    picker = DataPicker(dataset="a.jsonl")
    assert (picker.prompt_column, picker.column) == ("prompt", "completion")
    assert "1+1 → 2" in shown(picker)
    assert is_visible(picker, "prompt_column")
    (folder / "b.csv").write_text("title\nWhat?\n")
    picker.refresh()
    picker.form.set(dataset="b.csv")
    assert (picker.prompt_column, picker.column) == (None, None)
    assert not is_visible(picker, "prompt_column")


def test_columns_for_prompts_and_keywords_can_be_chosen(folder: Path) -> None:
    (folder / "a.csv").write_text("name,title,body\nAnn,The red fox,A fox ran over the hill.\n")
    picker = DataPicker(dataset="a.csv")
    assert (picker.prompt_column, picker.keywords_from) == (None, None)
    picker.form.set(prompt_column="title")
    assert (picker.prompt_column, picker.column) == ("title", "body")
    assert "The red fox → A fox ran" in shown(picker)
    picker.form.set(prompt_column=None, keywords_from="body")
    assert (picker.prompt_column, picker.keywords_from) == (None, "body")
    assert "→ A fox ran" in shown(picker)
    picker.form.set(prompt_column="title")
    assert "set prompt_column or keywords_from, not both" in shown(picker)
