"""The files of a dataset path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.find_files import check_column, check_extent, find_files
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, OptionError


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["b.txt", "a.txt", "c.csv", "sub/a.txt", "sub/deep/z.txt", ".hidden.txt"]
    names += [".git/config.txt", "sub/.DS_Store"]
    return write_files(tmp_path / "texts", dict.fromkeys(names, "text"))


def names(folder: Path, files: list[Path]) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_file_path_is_that_file(folder: Path) -> None:
    assert find_files(folder / "b.txt") == [folder / "b.txt"]
    assert find_files(str(folder / ".hidden.txt")) == [folder / ".hidden.txt"]


def test_a_folder_is_searched_with_subfolders_but_without_hidden_files(folder: Path) -> None:
    expected = ["a.txt", "b.txt", "c.csv", "sub/a.txt", "sub/deep/z.txt"]
    assert names(folder, find_files(folder)) == expected
    assert names(folder, find_files(f"{folder}/")) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "sub/a.txt", "sub/deep/z.txt"]),
        ("[ac].*", ["a.txt", "c.csv"]),
        ("*", ["a.txt", "b.txt", "c.csv"]),
    ],
)
def test_a_glob_is_expanded(folder: Path, pattern: str, expected: list[str]) -> None:
    assert names(folder, find_files(folder / pattern)) == expected


def test_an_existing_file_with_brackets_is_not_a_glob(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"poems[1].txt": "a", "poems1.txt": "b"}) / "poems[1].txt"
    assert find_files(path) == [path]


def test_the_home_folder_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert find_files("~/a.txt") == [folder / "a.txt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.tx", "a.tx does not exist: there is no a.tx in {folder} (did you mean 'a.txt'?)"),
        ("A.TXT", "(did you mean 'a.txt'?)"),
        ("quite-different", "there is no quite-different in {folder}"),
        ("sup/a.txt", "there is no sup in {folder} (did you mean 'sub'?)"),
        ("x/y/z.txt", "there is no x in {folder}"),
        ("*.text", "*.text matches no files"),
        ("s*", "matches no files"),
        ("x" * 5000, "cannot be read as a file or folder"),
        ("a\0b", "must be a file, a folder or a glob"),
    ],
)
def test_a_missing_path_suggests_a_similar_name(folder: Path, name: str, message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message.format(folder=folder))) as caught:
        find_files(folder / name)
    assert "\n" not in str(caught.value)


def test_an_empty_path_or_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match="must be a file, a folder or a glob, or a list of these, got ''"
    ):
        find_files("")
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").write_text("text")
    with pytest.raises(DatasetError, match="contains no files"):
        find_files(tmp_path)


@pytest.mark.parametrize("name", ["b.CSV", "b.jsonl", "b.parquet", "b.tsv.gz"])
def test_a_column_needs_a_file_of_records(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, {"a.txt": "text", name: "text"})
    check_column([tmp_path / "a.txt", tmp_path / name], "title")
    check_column([tmp_path / "a.txt"], None)
    with pytest.raises(OptionError, match="column='title' was given, but .* no table"):
        check_column([tmp_path / "a.txt"], "title")


def test_system_files_are_skipped_in_folders_and_patterns(folder: Path) -> None:
    left = ["desktop.ini", "sub/Thumbs.db", "__MACOSX/a.txt", "sub/__pycache__/a.pyc", "~$a.docx"]
    write_files(folder, dict.fromkeys(left, "x"))
    expected = ["a.txt", "b.txt", "c.csv", "sub/a.txt", "sub/deep/z.txt"]
    assert names(folder, find_files(folder)) == expected
    assert names(folder, find_files(folder / "*")) == ["a.txt", "b.txt", "c.csv"]
    assert names(folder, find_files(folder / "desktop.ini")) == ["desktop.ini"]
    (folder / "only").mkdir()
    (folder / "only" / "Thumbs.db").touch()
    with pytest.raises(DatasetError, match="contains no files"):
        find_files(folder / "only")


JSON = '{"text": "one"}\n{"text": "two"}\n'


def test_json_without_texts_is_skipped_in_a_folder(folder: Path) -> None:
    write_files(folder, {"posts.jsonl": JSON, "settings.json": '{"strict": true}'})
    for path in (folder, folder / "*"):
        report = ReadReport()
        found = find_files(path, report)
        assert folder / "posts.jsonl" in found
        assert folder / "settings.json" not in found
        (note,) = report.notes()
        assert note.startswith(f"{folder / 'settings.json'}: skipped, because it is JSON without")
    assert find_files(folder / "settings.json", ReadReport()) == [folder / "settings.json"]
    assert folder / "settings.json" in find_files(folder)
    config = DatasetConfig(column="title")
    assert folder / "posts.jsonl" not in find_files(folder, ReadReport(), config)


def test_runs_and_samples_of_an_earlier_training_are_skipped_in_a_folder(tmp_path: Path) -> None:
    texts = [tmp_path / "story.txt", tmp_path / "samples-of-fabric" / "samples.txt"]
    outputs = ["checkpoint/run1/hparams.json", "checkpoint/run1/encoder.json"]
    outputs += ["checkpoint/run1/MODEL_CARD.md", "samples/run1/samples-100"]
    for path in (*texts, *(tmp_path / name for name in outputs)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("It was a dark night.")
    report = ReadReport()
    assert find_files(tmp_path, report) == sorted(texts)
    assert report.notes() == (
        f"{tmp_path / 'checkpoint' / 'run1'}: skipped, because it contains a run or a model",
        f"{tmp_path / 'samples' / 'run1'}: skipped, because it contains samples of a run",
    )
    assert find_files(tmp_path / "samples" / "run1") == [tmp_path / "samples/run1/samples-100"]


def test_nothing_but_json_without_texts_is_an_error(folder: Path) -> None:
    write_files(folder, {"json/a.jsonl": '{"id": 1}', "json/b.json": "{}"})
    with pytest.raises(DatasetError, match=r"json contains only JSON files without texts \("):
        find_files(folder / "json", ReadReport())


def test_a_list_is_the_files_of_its_parts_each_once(folder: Path) -> None:
    parts: list[Any] = [folder / "b.txt", str(folder / "sub"), f"{folder}/*.txt"]
    expected = ["b.txt", "sub/a.txt", "sub/deep/z.txt", "a.txt"]
    assert names(folder, find_files(parts)) == expected
    assert names(folder, find_files(tuple(parts))) == expected
    with pytest.raises(DatasetError, match=r"no\.txt does not exist"):
        find_files([folder / "a.txt", folder / "no.txt"])


@pytest.mark.parametrize(
    "path", [None, 5, True, [], {}, b"a.txt", [None], ["a.txt", 5], [["a"]], ""]
)
def test_what_is_not_a_path_is_an_error(path: Any) -> None:
    with pytest.raises(DatasetError, match="must be a file, a folder or a glob, or a list of the"):
        find_files(path)


@pytest.mark.parametrize(
    ("path", "entries"),
    [
        ("folder", 7),
        ("folder/deep", 4),
        ("folder/*.txt", 3),
        ("folder/*/*.txt", 6),
        ("folder/**/*.txt", 7),
        ("f*/deep", 4),
        ("folder/1.txt", 0),
        ("missing", 0),
        ("missing/*", 0),
        ("nul\0", 0),
    ],
)
def test_the_number_of_entries_that_are_searched_can_be_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, entries: int
) -> None:
    files = ("1.txt", "2.txt", "deep/3.txt", "deep/4.txt", "deep/er/5.txt", ".hidden/6.txt")
    write_files(tmp_path / "folder", dict.fromkeys(files, "text"))
    monkeypatch.chdir(tmp_path)
    check_extent(path, entries)
    if entries:
        with pytest.raises(DatasetError, match=rf"has more than {entries - 1} files and folders"):
            check_extent(path, entries - 1)


def test_a_pattern_with_two_stars_follows_no_links_to_folders(folder: Path) -> None:
    for name in ("one", "two"):  # 2**40 paths up to the limit of the system
        (folder / "sub" / name).symlink_to(folder, target_is_directory=True)
    expected = ["a.txt", "b.txt", "sub/a.txt", "sub/deep/z.txt"]
    assert names(folder, find_files(folder / "**" / "*.txt")) == expected
    assert names(folder, find_files(folder / "**" / "**" / "*.txt")) == expected
    assert names(folder, find_files(folder / "**" / "deep" / "**")) == ["sub/deep/z.txt"]
    assert names(folder, find_files(folder / "s*" / "**" / "*.txt")) == expected[2:]


def test_two_stars_in_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert find_files("**/z.*") == [Path("sub/deep/z.txt")]
    assert len(find_files("**")) == 5


@pytest.mark.parametrize("target", ["gone.txt", "link.txt"])
def test_a_link_to_nothing_or_to_itself_is_called_one(tmp_path: Path, target: str) -> None:
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    with pytest.raises(DatasetError, match=rf"is a link to {target}, which is missing") as caught:
        find_files(link)
    assert "did you mean" not in str(caught.value)


def test_the_index_of_generated_files_is_not_read_with_them(tmp_path: Path) -> None:
    lines = '{"text": "one"}\n{"text": "two"}\n'
    folder = write_files(tmp_path, {"texts-0-of-1.jsonl": lines, "texts.index.json": "{}"})
    for report in (None, ReadReport()):
        assert find_files(folder, report) == [folder / "texts-0-of-1.jsonl"]
        assert find_files(f"{folder}/*", report) == [folder / "texts-0-of-1.jsonl"]
    assert find_files(folder / "texts.index.json") == [folder / "texts.index.json"]
