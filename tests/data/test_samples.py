"""The sample data is found, in a clone and wherever an installation has put it."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from gpt2_helpers.data import samples
from gpt2_helpers.data.samples import SAMPLES, SHARE, sample_path
from gpt2_helpers.errors import DatasetError, OptionError
from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, to which this one belongs, and no sample anywhere."""
    folder = tmp_path / "lib" / "packages"
    noted = folder / "gpt2_helpers-0.1.0.dist-info"
    noted.mkdir(parents=True)
    (noted / "METADATA").write_text("Metadata-Version: 2.1\nName: gpt2-helpers\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(samples, "PARENT", folder)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "prefix"))
    return folder


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("title\nWhy?\n")
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_a_clone_has_them_in_its_data(name: str) -> None:
    assert sample_path(name) == ROOT / "data" / name
    assert sample_path(name).stat().st_size > 100_000


def test_an_installation_carries_them_all() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert table["data-files"] == {SHARE.as_posix(): [f"data/{name}" for name in SAMPLES]}


def test_they_are_found_where_the_metadata_says(packages: Path, tmp_path: Path) -> None:
    path = put(tmp_path / "home" / SHARE / "titles.csv")
    record = f"../../home/{SHARE.as_posix()}/titles.csv,,\ngpt2_helpers/samples.py,,\n"
    (packages / "gpt2_helpers-0.1.0.dist-info" / "RECORD").write_text(record)
    assert sample_path("titles.csv") == path


def test_they_are_found_in_the_environment(packages: Path, tmp_path: Path) -> None:
    path = put(tmp_path / "prefix" / SHARE / "titles.csv")
    assert sample_path("titles.csv") == path


def test_they_are_found_beside_packages_in_a_folder_of_their_own(packages: Path) -> None:
    path = put(packages / SHARE / "titles.csv")
    assert sample_path("titles.csv") == path


def test_one_that_was_deleted_is_missed_with_its_place(packages: Path, tmp_path: Path) -> None:
    put(tmp_path / "prefix" / SHARE / "stories.txt")
    place = tmp_path / "prefix" / SHARE / "titles.csv"
    with pytest.raises(DatasetError, match="not where it was installed") as caught:
        sample_path("titles.csv")
    assert str(place) in str(caught.value)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(OptionError) as caught:
        sample_path("title.csv")
    assert str(caught.value) == (
        "the samples are stories.txt, titles.csv, got 'title.csv' (did you mean 'titles.csv'?)"
    )
