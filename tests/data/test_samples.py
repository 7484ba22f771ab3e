"""The sample data is found in a clone and in every kind of installation."""

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
    """A site-packages folder with this package's metadata, and no sample file anywhere."""
    folder = tmp_path / "lib" / "packages"
    info = folder / "gpt2_helpers-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gpt2-helpers\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(samples, "PARENT", folder)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "prefix"))
    return folder


def create(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("title\nWhy?\n")
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_a_clone_has_the_samples_in_its_data_folder(name: str) -> None:
    assert sample_path(name) == ROOT / "data" / name
    assert sample_path(name).stat().st_size > 100_000


def test_an_installation_includes_the_samples() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert table["data-files"] == {SHARE.as_posix(): [f"data/{name}" for name in SAMPLES]}


def test_a_sample_is_found_by_the_package_metadata(packages: Path, tmp_path: Path) -> None:
    path = create(tmp_path / "home" / SHARE / "titles.csv")
    record = f"../../home/{SHARE.as_posix()}/titles.csv,,\ngpt2_helpers/data/samples.py,,\n"
    (packages / "gpt2_helpers-0.1.0.dist-info" / "RECORD").write_text(record)
    assert sample_path("titles.csv") == path


def test_a_sample_is_found_in_the_environment(packages: Path, tmp_path: Path) -> None:
    path = create(tmp_path / "prefix" / SHARE / "titles.csv")
    assert sample_path("titles.csv") == path


def test_a_sample_is_found_after_an_installation_with_target(packages: Path) -> None:
    path = create(packages / SHARE / "titles.csv")
    assert sample_path("titles.csv") == path


def test_a_deleted_sample_is_an_error_with_its_path(packages: Path, tmp_path: Path) -> None:
    create(tmp_path / "prefix" / SHARE / "stories.txt")
    missing = tmp_path / "prefix" / SHARE / "titles.csv"
    with pytest.raises(DatasetError, match="is missing from") as caught:
        sample_path("titles.csv")
    assert str(missing) in str(caught.value)


def test_an_unknown_name_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(OptionError) as caught:
        sample_path("title.csv")
    assert str(caught.value) == (
        "unknown sample 'title.csv' (did you mean 'titles.csv'?): "
        "choose from stories.txt, titles.csv, dishes.jsonl"
    )
