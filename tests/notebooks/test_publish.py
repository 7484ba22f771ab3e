"""Publishing: URLs and versions, the install cell, and notebooks without outputs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

import gpt2_helpers
import publish
from paths import ROOT

NAMES = sorted(path.stem for path in ROOT.glob("notebooks/*.ipynb"))
Install = Callable[["str | None"], "list[str]"]
ELSEWHERE = "https://github.com/somebody/else.where"
PROJECT = publish.Project.of(ROOT)


def page(*cells: dict[str, Any], minor: int = 5) -> str:
    """Return a notebook file with these cells and an install cell."""
    install = {"cell_type": "code", "id": "install-package", "source": ""}
    filled = [
        {"metadata": {}, **cell}
        | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})
        | {k: v for k, v in cell.items() if k in ("outputs", "execution_count")}
        for cell in (*cells, install)
    ]
    return json.dumps({"cells": filled, "metadata": {}, "nbformat": 4, "nbformat_minor": minor})


def published(text: str, name: str = "finetune") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(publish.notebook(text, name, PROJECT))
    return content


def markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "words", "source": text}


def sources(content: dict[str, Any]) -> dict[str, str]:
    return {cell["id"]: "".join(cell["source"]) for cell in content["cells"]}


# ------------------------------------------------------------------------------ this checkout


def test_this_checkout_is_up_to_date() -> None:
    outdated = [str(path.relative_to(ROOT)) for path in publish.changes(ROOT)]
    assert not outdated, f"run `make notebooks`: {', '.join(outdated)}"


def test_the_version_is_that_of_the_package() -> None:
    assert PROJECT.version == gpt2_helpers.__version__


@pytest.mark.parametrize("readme", publish.READMES)
def test_each_readme_has_a_badge_for_every_notebook(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    badges = {n: f"({publish.BADGE})]({PROJECT.colab}notebooks/{n}.ipynb)" for n in NAMES}
    missing = [name for name, badge in badges.items() if badge not in text]
    assert not missing, f"{readme} has no badge for {', '.join(missing)}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the published files of this checkout."""
    for name in ("pyproject.toml", "CITATION.cff", *publish.PAGES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in NAMES:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "notebooks")
    for path, text in publish.changes(tmp_path).items():
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_new_url_is_written_everywhere(copy: Path) -> None:
    settings = (copy / "pyproject.toml").read_text(encoding="utf-8")
    repository = 'Repository = "{}"'
    moved_settings = settings.replace(
        repository.format(PROJECT.address), repository.format(ELSEWHERE)
    )
    assert moved_settings != settings
    (copy / "pyproject.toml").write_text(moved_settings, "utf-8")
    moved = publish.changes(copy)
    assert {path.stem for path in moved if path.suffix == ".ipynb"} == {*NAMES}
    for path, text in moved.items():
        path.write_text(text, encoding="utf-8")
    assert not publish.changes(copy), "a second run must change nothing"
    left = [p for p in copy.rglob("*.*") if owner_and_name(PROJECT) in p.read_text("utf-8")]
    assert not left

    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout to list the files of the project")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")
    by_hand = [
        name
        for name in files
        if (ROOT / name).is_file()
        and not (copy / name).is_file()
        and owner_and_name(PROJECT).encode() in (ROOT / name).read_bytes()
    ]
    assert not by_hand, f"the URL belongs into pyproject.toml only: {', '.join(by_hand)}"


def owner_and_name(project: Any) -> str:
    return "/".join(project.address.split("/")[-2:])


def test_a_new_version_is_written_into_every_notebook(copy: Path) -> None:
    settings = (copy / "pyproject.toml").read_text(encoding="utf-8")
    changed = settings.replace(f'version = "{PROJECT.version}"', 'version = "7.8.9"')
    (copy / "pyproject.toml").write_text(changed, encoding="utf-8")
    for path, text in publish.changes(copy).items():
        path.write_text(text, encoding="utf-8")
    for name in NAMES:
        cells = sources(json.loads((copy / "notebooks" / f"{name}.ipynb").read_text("utf-8")))
        assert "gpt2-helpers 7.8.9," in cells["title"]
        assert 'Version("7.8.9")' in cells["install-package"]


def test_check_lists_files_that_are_out_of_date(copy: Path) -> None:
    shutil.copy(ROOT / "notebooks" / "cell_order.py", copy / "notebooks")
    script = shutil.copy(ROOT / "notebooks" / "publish.py", copy / "notebooks")
    check = [sys.executable, script, "--check"]
    assert subprocess.run(check).returncode == 0
    path = copy / "notebooks" / f"{NAMES[0]}.ipynb"
    stale = path.read_text(encoding="utf-8").replace('"outputs": []', '"outputs":  []', 1)
    path.write_text(stale, encoding="utf-8")
    done = subprocess.run(check, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, f"out of date: notebooks/{path.name}\n")
    assert path.read_text(encoding="utf-8") == stale, "--check must not write"


# ------------------------------------------------------------------------------ a notebook


def test_colab_links_use_the_url_of_the_repository() -> None:
    old = "https://colab.research.google.com/github/nobody/nothing/blob/v1/"
    text = (
        f"# Title\n\n[![x]({publish.BADGE})]({old}notebooks/a.ipynb), [b]({old}notebooks/b.ipynb)"
    )
    badge = f"[![Open in Colab]({publish.BADGE})]({PROJECT.colab}notebooks/a.ipynb)"
    wanted = f"# Title\n\n{badge}, [b]({PROJECT.colab}notebooks/b.ipynb)"
    assert PROJECT.markdown(text) == wanted


def test_other_links_are_unchanged() -> None:
    text = "[theirs](https://github.com/a/b), https://colab.research.google.com/drive/1"
    assert PROJECT.markdown(text) == text
    assert PROJECT.markdown("    git clone https://x.org/y\n") == (
        f"    git clone {PROJECT.address}\n"
    )


def test_links_of_the_readme_use_the_address() -> None:
    place = owner_and_name(PROJECT)
    text = (
        "![x](https://raw.githubusercontent.com/a/b/main/notebooks/pictures/x.png) "
        "[docs](https://github.com/a/b/blob/main/docs/x.md) "
        'pip install "gpt2-helpers @ git+https://github.com/a/b"'
    )
    assert PROJECT.markdown(text) == text.replace("a/b", place)


def test_the_citation_has_the_address_and_the_version() -> None:
    old = "title: t\nversion: 0.0.1\nrepository-code: https://github.com/a/b\n"
    assert PROJECT.citation(old) == (
        f"title: t\nversion: {PROJECT.version}\nrepository-code: {PROJECT.address}\n"
    )


def test_links_between_notebooks_get_one_colab_link() -> None:
    once = PROJECT.linked("Open [Generate](generate.ipynb).")
    assert once == (
        f"Open [Generate](generate.ipynb) ([in Colab]({PROJECT.colab}notebooks/generate.ipynb))."
    )
    assert PROJECT.linked(once) == once


def test_outputs_and_counts_are_removed() -> None:
    ran = {
        "cell_type": "code",
        "id": "ran",
        "source": "1 + 1",
        "outputs": [
            {
                "output_type": "execute_result",
                "data": {"text/plain": "2"},
                "metadata": {},
                "execution_count": 7,
            }
        ],
        "execution_count": 7,
        "metadata": {"executionInfo": {"status": "ok"}, "tags": ["kept"], "outputId": "x"},
    }
    content = published(page(markdown("# T"), ran))
    cell = next(cell for cell in content["cells"] if cell["id"] == "ran")
    assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert cell["metadata"] == {"tags": ["kept"]}


def test_cell_ids_are_kept_even_in_metadata() -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": "# T", "metadata": {"id": "title"}},
        {"cell_type": "markdown", "source": "none"},
    ]
    text = page(*cells, minor=0).replace('"id": "install-package", ', "", 1)
    moved = json.loads(text)
    moved["cells"][-1]["metadata"] = {"id": "install-package"}
    content = published(json.dumps(moved))
    assert list(sources(content)) == ["title", "cell-1", "install-package"]


def test_the_metadata_requests_a_gpu_if_one_is_used() -> None:
    trains = published(page(markdown("# T")))["metadata"]
    assert (trains["accelerator"], trains["colab"]["gpuType"]) == ("GPU", "T4")
    exports = published(page(markdown("# T")), "bigquery_export")["metadata"]
    assert "accelerator" not in exports
    assert exports["colab"] == {"provenance": []}
    for metadata_of in (trains, exports):
        assert metadata_of["kernelspec"]["name"] == "python3"
        assert metadata_of["language_info"] == {"name": "python"}


def test_publishing_twice_changes_nothing() -> None:
    once = publish.notebook(page(markdown("# T\n\n[on](generate.ipynb)")), "finetune", PROJECT)
    assert publish.notebook(once, "finetune", PROJECT) == once
    assert once.startswith('{\n "cells": [\n')
    assert once.endswith("}\n")


def test_a_notebook_without_install_cell_is_an_error() -> None:
    text = page(markdown("# T")).replace('"install-package"', '"other"')
    with pytest.raises(ValueError, match="install-package"):
        published(text)


# ------------------------------------------------------------------------------ the install cell


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """A function that runs the install cell with a version or none and returns the pip calls."""
    notebooks = tmp_path / "page" / "notebooks"
    notebooks.mkdir(parents=True)
    monkeypatch.chdir(notebooks)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    code = transform(PROJECT.cell(publish.INSTALL_CELL, "finetune"))

    def run(present: str | None) -> list[str]:
        versions = [present] if present else []
        calls: list[str] = []

        def pip(magic: str, line: str) -> None:
            calls.append(f"{magic} {line}")
            versions[:] = [PROJECT.version]

        def distributions(name: str) -> list[SimpleNamespace]:
            assert name == "gpt2-helpers"
            return [SimpleNamespace(version=version) for version in versions]

        monkeypatch.setattr(metadata, "distributions", distributions)
        shell = SimpleNamespace(run_line_magic=pip)
        for _ in range(2):
            namespace: dict[str, Any] = {"get_ipython": lambda: shell}
            exec(compile(code, "install", "exec"), namespace)
        assert namespace["gpt2"] is gpt2_helpers
        return calls

    return run


@pytest.mark.parametrize("old", [None, "0.0.9"])
def test_colab_installs_only_the_package(
    old: str | None, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-test")
    assert install(old) == [f"pip install -q --no-deps git+{PROJECT.address}"]


@pytest.mark.parametrize("old", [None, "0.0.9"])
def test_jupyterlab_installs_all_dependencies(old: str | None, install: Install) -> None:
    assert install(old) == [f'pip install -q "gpt2-helpers[notebooks,web] @ git+{PROJECT.address}"']


def test_a_clone_is_installed_as_editable(install: Install) -> None:
    Path("../gpt2_helpers").mkdir()
    assert install(None) == ['pip install -q -e "..[notebooks,web]"']


@pytest.mark.parametrize("new", [PROJECT.version, "99.0"])
def test_an_installed_package_is_kept(
    new: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(new) == []
    line = f"gpt2-helpers {gpt2_helpers.__version__} is ready\n"
    assert capsys.readouterr().out == line * 2


def test_an_installed_wheel_works(tmp_path: Path) -> None:
    """As in Colab, only the package is installed; its dependencies already exist."""
    source = tmp_path / "source"
    names = ["pyproject.toml", "README.md", "LICENSE"]
    (source / "data").mkdir(parents=True)
    for name in [*names, "data/stories.txt", "data/titles.csv"]:
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "gpt2_helpers", source / "gpt2_helpers")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    alone = ["--no-deps", "--no-build-isolation", "--target", str(tmp_path / "site"), str(source)]
    subprocess.run([*pip, *alone], check=True, timeout=300)
    code = PROJECT.cell(publish.INSTALL_CELL, "finetune")
    script = re.sub(r"^(\s*)%pip.*", r"\1raise SystemExit('installs again')", code, flags=re.M)
    script += "\nprint(gpt2.__file__)\nprint(gpt2.is_gpt2_downloaded(model_name='tiny'))\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    greeting, place, _ = done.stdout.splitlines()
    assert greeting == f"gpt2-helpers {gpt2_helpers.__version__} is ready"
    assert Path(place).is_relative_to(tmp_path / "site")
