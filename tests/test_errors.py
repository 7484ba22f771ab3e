"""Exception classes and helpers for error messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gpt2_helpers.errors import (
    CheckpointError,
    DatasetError,
    DownloadError,
    DriveError,
    Gpt2Error,
    MissingPackageError,
    OptionError,
    import_optional,
    nearest,
)


@pytest.mark.parametrize(
    "kind",
    [OptionError, DatasetError, CheckpointError, DownloadError, DriveError, MissingPackageError],
)
def test_all_errors_have_one_base_class(kind: type[Gpt2Error]) -> None:
    with pytest.raises(Gpt2Error, match="what to do next"):
        raise kind("what to do next")


def test_errors_are_also_standard_exceptions() -> None:
    assert issubclass(OptionError, ValueError)
    assert issubclass(MissingPackageError, ImportError)


def test_an_installed_package_is_imported() -> None:
    assert import_optional("json", "a test") is json
    assert import_optional("os.path", "a test").join("a", "b")


@pytest.mark.parametrize(
    ("module", "package", "install"),
    [
        ("nosuchpackage", None, "nosuchpackage"),
        ("nosuchpackage.inner", None, "nosuchpackage"),
        ("nosuchpackage.inner", "no-such-package[all]", "no-such-package[all]"),
        ("json.nosuchmodule", "some-json", "some-json"),
    ],
)
def test_a_missing_package_is_reported_with_the_install_command(
    module: str, package: str | None, install: str
) -> None:
    with pytest.raises(MissingPackageError) as caught:
        import_optional(module, "drawing the curve", package)
    assert str(caught.value) == (
        f"drawing the curve needs the package {install}, which is not installed: "
        f"run `pip install {install}` and try again"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('built for\\nanother system')", "built for another system"),
        ("import nosuchdependency", "No module named 'nosuchdependency'"),
    ],
)
def test_a_broken_package_is_not_reported_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    (tmp_path / "brokenpackage.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingPackageError) as caught:
        import_optional("brokenpackage", "drawing the curve")
    assert "brokenpackage" not in sys.modules
    message = str(caught.value)
    assert f"fails to import ({reason})" in message
    assert "`pip install --upgrade brokenpackage`" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("124m", " (did you mean '124M'?)"),
        ("TINY", " (did you mean 'tiny'?)"),
        ("tny", " (did you mean 'tiny'?)"),
        ("something else", ""),
        ("", ""),
    ],
)
def test_a_similar_name_is_suggested(word: str, hint: str) -> None:
    assert nearest(word, ["124M", "tiny"]) == hint
    assert nearest(word, iter(["124M", "tiny"])) == hint


def test_no_name_is_suggested_without_known_names() -> None:
    assert nearest("tiny", []) == ""
