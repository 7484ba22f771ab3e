"""Publishing: URLs and versions, the install cell, and notebooks without outputs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement

import gpt2_helpers
import publish
from paths import ROOT

NAMES = sorted(path.stem for path in ROOT.glob("notebooks/*.ipynb"))
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


@dataclasses.dataclass
class Machine:
    """A machine on which the install cell runs: its packages, and whether it reaches the project.

    `calls` are the pip commands; a command that installs the package succeeds.
    """

    monkeypatch: pytest.MonkeyPatch
    versions: dict[str, str]
    online: bool = True
    calls: list[str] = dataclasses.field(default_factory=list)

    def run_cell(self, notebook: str = "finetune") -> None:
        self.monkeypatch.setattr(metadata, "distributions", self._distributions)
        self.monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
        self.monkeypatch.setattr(urllib.request, "urlopen", self._open)
        shell = SimpleNamespace(run_line_magic=self._pip)
        namespace: dict[str, Any] = {"get_ipython": lambda: shell}
        code = PROJECT.cell(publish.INSTALL_CELL, notebook)
        exec(compile(code, "install", "exec"), namespace)
        assert namespace["gpt2"] is gpt2_helpers

    def _distributions(self, name: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(version=self.versions[name])] if name in self.versions else []

    def _open(self, address: str, timeout: float) -> SimpleNamespace:
        assert (address, timeout > 0) == (PROJECT.address, True)
        if not self.online:
            raise urllib.error.URLError("no network")
        return SimpleNamespace(status=200)

    def _pip(self, magic: str, line: str) -> None:
        self.calls.append(f"{magic} {line}")
        if "gpt2" in line or ".." in line:
            self.versions["gpt2-helpers"] = PROJECT.version
        if "--no-deps" not in line:
            self.versions |= COMPLETE
        for name in re.findall(r'"([\w-]+)[^"]*"', line):
            self.versions.setdefault(name, "1.0")


REQUIRES = [
    "tensorflow<2.22,>=2.20",
    "ipywidgets>=7.7; extra == 'notebooks'",
    "uvicorn<1,>=0.30; extra == 'web'",
    "uvloop; sys_platform == 'nowhere' and extra == 'web'",
    "tokenizers; extra == 'pretrain'",
]
COMPLETE = {"tensorflow": "2.20", "ipywidgets": "7.7.1", "uvicorn": "0.30"}
WHEEL = f"gpt2_helpers-{PROJECT.version}-py3-none-any.whl"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine with the packages that Colab has, in the folder of a notebook."""
    notebooks = tmp_path / "a page" / "notebooks"
    notebooks.mkdir(parents=True)
    monkeypatch.chdir(notebooks)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "drive"))
    return Machine(monkeypatch, {**COMPLETE})


@pytest.fixture
def colab(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-test")
    return machine


@pytest.mark.parametrize("old", [{}, {"gpt2-helpers": "0.0.9"}])
def test_colab_installs_only_the_package(old: dict[str, str], colab: Machine) -> None:
    colab.versions |= old
    for _ in range(2):  # the second run finds the package
        colab.run_cell()
    spec = f"gpt2-helpers[notebooks] @ git+{PROJECT.address}"
    assert colab.calls == [f'pip install -q --no-deps "{spec}"']


@pytest.mark.parametrize("old", [{}, {"gpt2-helpers": "0.0.9"}])
def test_jupyterlab_installs_all_dependencies(old: dict[str, str], machine: Machine) -> None:
    machine.versions = {**old}
    for _ in range(2):
        machine.run_cell("generate")
    spec = f"gpt2-helpers[notebooks,onnx,web] @ git+{PROJECT.address}"
    assert machine.calls == [f'pip install -q "{spec}"']


def test_a_clone_is_installed_as_editable(machine: Machine) -> None:
    Path("../gpt2_helpers").mkdir()
    machine.online = False
    machine.run_cell()
    assert machine.calls == ['pip install -q "-e" "..[notebooks]"']


@pytest.mark.parametrize("new", [PROJECT.version, "99.0"])
def test_an_installed_package_is_kept(
    new: str, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.versions["gpt2-helpers"] = new
    machine.run_cell()
    assert machine.calls == []
    assert capsys.readouterr().out == f"gpt2-helpers {gpt2_helpers.__version__} is ready\n"


def test_packages_that_the_notebook_needs_are_added_to_an_installed_one(machine: Machine) -> None:
    machine.versions = {"gpt2-helpers": PROJECT.version, "tensorflow": "2.20"}
    machine.run_cell("finetune")
    assert machine.calls == ['pip install -q "ipywidgets>=7.7"']
    machine.calls.clear()
    machine.versions = {"gpt2-helpers": PROJECT.version, "tensorflow": "2.20", "ipywidgets": "8.1"}
    machine.run_cell("generate")
    assert machine.calls == [f'pip install -q "uvicorn{Requirement(REQUIRES[2]).specifier}"']


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize(
    "folder", [".", "../../drive/MyDrive/gpt2-helpers", "../../drive/gpt2-helpers"]
)
def test_the_newest_wheel_is_installed(
    folder: str, online: bool, colab: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in (WHEEL, WHEEL.replace(PROJECT.version, "0.0.9"), WHEEL.replace("any", "any (1)")):
        Path(folder, name).touch()
    colab.online = online
    colab.run_cell()
    (call,) = colab.calls
    match = re.fullmatch(r'pip install -q --no-deps "(.*)\[notebooks\]"', call)
    assert match is not None
    assert Path(match[1]).resolve() == Path(folder, WHEEL).resolve()
    assert match[1] in capsys.readouterr().out


@pytest.mark.parametrize("in_colab", [True, False])
def test_without_the_project_and_a_wheel_three_lines_say_what_to_do(
    in_colab: bool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.online = False
    if in_colab:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-test")
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(drive=None))
    with pytest.raises(Exception, match="cannot be reached") as caught:
        machine.run_cell()
    text = "\n".join(caught.value._render_traceback_())  # type: ignore[attr-defined]
    assert len(text.splitlines()) == 3
    for part in (PROJECT.address, "make wheel", "dist/", "gpt2-helpers of your Google Drive"):
        assert part in text
    assert machine.calls == []


def test_a_wheel_on_a_drive_that_is_not_mounted_yet(
    colab: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def mount(point: str) -> None:
        assert point == "/content/drive"
        (tmp_path / "drive/MyDrive/gpt2-helpers").mkdir(parents=True)
        (tmp_path / "drive/MyDrive/gpt2-helpers" / WHEEL).touch()

    drive = SimpleNamespace(mount=mount)
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(drive=drive))
    colab.online = False
    colab.run_cell()
    assert len(colab.calls) == 1
    assert WHEEL in colab.calls[0]


def test_an_installed_wheel_works(tmp_path: Path) -> None:
    """As in Colab, only the package is installed; its dependencies already exist."""
    source = tmp_path / "source"
    names = ["pyproject.toml", "README.md", "LICENSE"]
    (source / "data").mkdir(parents=True)
    for name in [*names, "data/stories.txt", "data/titles.csv", "data/dishes.jsonl"]:
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "gpt2_helpers", source / "gpt2_helpers")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    alone = ["--no-deps", "--no-build-isolation", "--target", str(tmp_path / "site"), str(source)]
    subprocess.run([*pip, *alone], check=True, timeout=300)
    code = PROJECT.cell(publish.INSTALL_CELL, "finetune")
    script = "get_ipython = lambda: exit('installs again')\n" + code
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
