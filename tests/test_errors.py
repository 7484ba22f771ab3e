"""Exception classes and helpers for error messages."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from gpt2_helpers.errors import (
    CheckpointError,
    DatasetError,
    DownloadError,
    DriveError,
    Gpt2Error,
    MissingPackageError,
    OptionError,
    OutOfMemoryError,
    brief,
    brief_repr,
    explain_out_of_memory,
    import_optional,
    is_out_of_memory,
    nearest,
    write_problem,
)
from paths import ROOT


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


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), True),
        (tf.errors.InternalError(None, None, "Dst tensor is not initialized."), True),
        (
            tf.errors.InternalError(
                None, None, "failed to create cublas handle: CUBLAS_STATUS_ALLOC_FAILED"
            ),
            True,
        ),
        (tf.errors.UnknownError(None, None, "CUDNN_STATUS_ALLOC_FAILED in cuda_dnn.cc"), True),
        (
            tf.errors.InternalError(
                None, None, "failed to allocate 2.0GiB: CUDA_ERROR_OUT_OF_MEMORY: out of memory"
            ),
            True,
        ),
        (
            tf.errors.InternalError(
                None, None, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"
            ),
            True,
        ),
        (tf.errors.InternalError(None, None, "libdevice not found at ./libdevice.10.bc"), False),
        (tf.errors.InvalidArgumentError(None, None, "shapes do not match"), False),
        (ValueError("the text says: out of memory"), False),
        (None, False),
    ],
)
def test_every_form_of_exhausted_memory_is_recognized(
    error: Exception | None, expected: bool
) -> None:
    assert is_out_of_memory(error) is expected


def test_exhausted_memory_is_explained() -> None:
    def explain(error: Exception) -> None:
        with explain_out_of_memory(lambda: "while loading: use a smaller model"):
            raise error

    full = tf.errors.InternalError(None, None, "Dst tensor is not initialized.")
    with pytest.raises(OutOfMemoryError, match=r"^out of memory while loading: use a smaller"):
        explain(full)
    with pytest.raises(OutOfMemoryError, match=r"^lower sample_num$"):
        explain(OutOfMemoryError("lower sample_num"))
    with pytest.raises(KeyError):
        explain(KeyError("x"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 👩‍🚀", "plain, ünïcode 👩‍🚀"),
        ("\x1b[2J\a", "\\x1b[2J\\x07"),
        ("two\nlines\r\u2028", "two\\nlines\\r\\u2028"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_messages_have_no_control_characters(text: str, shown: str) -> None:
    assert str(CheckpointError(f"<{text}>")) == f"<{shown}>"
    assert str(MissingPackageError(text)) == shown


def test_long_texts_are_cut() -> None:
    assert brief("word " * 10**6) == "word " * 40 + " ..."
    assert brief(OSError(28, "No space left", "file")) == "No space left"
    assert brief_repr("a" * 500) == f"'{'a' * 199} ..."


@pytest.mark.parametrize(
    "value",
    [10**5000, -(10**5000), [10**5000], {"a": 10**5000}],
    ids=["positive", "negative", "in a list", "in a dict"],
)
def test_numbers_of_thousands_of_digits_are_shown(value: object) -> None:
    assert brief_repr(value) in ("a number of about 5,000 digits", "a list", "a dict")


def test_an_installed_package_is_imported() -> None:
    assert import_optional("json", "a test", "web") is json
    assert import_optional("os.path", "a test", "web").join("a", "b")


@pytest.mark.parametrize(
    "module", ["nosuchpackage", "nosuchpackage.inner", "json.nosuchmodule", "google.nosuchmodule"]
)
def test_the_error_for_a_missing_package_names_the_extra_once(module: str) -> None:
    with pytest.raises(MissingPackageError) as caught:
        import_optional(module, "drawing the curve", "notebooks")
    assert str(caught.value) == (
        f"drawing the curve needs {module}, which is not installed: "
        'run `pip install "gpt2-helpers[notebooks]"` and try again'
    )


def test_the_extra_of_each_optional_package_contains_it() -> None:
    known = extras()
    calls = [
        node
        for path in (ROOT / "gpt2_helpers").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_optional"
    ]
    assert len(calls) >= 5
    for call in calls:
        module, _, extra = call.args
        assert isinstance(extra, ast.Constant)
        if isinstance(module, ast.Constant):  # else a loop's variable
            package = re.sub("[._]", "-", str(module.value))  # or a module in it
            assert {package, package.partition("-")[0]} & known[str(extra.value)]


def extras() -> dict[str, set[str]]:
    """The packages of each extra, without versions."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    return {
        name: set(re.findall(r'"([\w-]+)', packages))
        for name, packages in re.findall(r"^(\w+) = \[(.*?)\]$", table, re.M | re.S)
    }


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
        import_optional("brokenpackage", "drawing the curve", "web")
    assert "brokenpackage" not in sys.modules
    message = str(caught.value)
    assert f"fails to import ({reason})" in message
    assert "`pip install --upgrade brokenpackage`" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "No space left on device: free some space, or use another folder"),
        (errno.EDQUOT, "Disk quota exceeded: free some space, or use another folder"),
        (errno.EACCES, "Permission denied: use another folder"),
        (errno.EROFS, "Read-only file system: use another folder"),
    ],
)
def test_only_a_full_disk_is_answered_with_free_some_space(
    tmp_path: Path, number: int, problem: str
) -> None:
    error = OSError(number, os.strerror(number))
    assert write_problem(tmp_path / "file", error, "use another folder") == problem


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "where" / "file.npz"
    with pytest.raises(FileNotFoundError) as caught:
        path.write_bytes(b"")
    problem = write_problem(path, caught.value, "choose another folder")
    missing = tmp_path / "no"
    assert problem == f"the folder {missing} does not exist: create it, or choose another folder"


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
