"""Prepares notebooks and READMEs for publishing: `make notebooks`.

The repository's URL is set only in pyproject.toml. The script writes it, with the version, into

- the badge and the version at the end of each notebook's first cell, and the cell
  `install-package`;
- the README's picture, file and install links, the install command of docs/web-app.md,
  CITATION.cff, and the other URLs of pyproject.toml;
- all links to Colab and all `git clone` lines in notebooks and READMEs;
- a second link next to each link between notebooks, such as `[Generate](generate.ipynb)`, because
  relative links don't work in Colab.

It also writes into each cell which other cell must have run before (see `cell_order`), and removes
outputs, execution counts and unneeded metadata.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from cell_order import add_assertions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WITHOUT_GPU = {"bigquery_export"}
READMES = ("README.md", "notebooks/README.md")
PAGES = (*READMES, "docs/scaling.md", "docs/web-app.md")  # pages with links or install commands

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
COLAB = "https://colab.research.google.com/github/"
COLAB_LINK = re.compile(re.escape(COLAB) + r"[^\s)]*?(?=notebooks/[\w-]+\.ipynb)")
BADGE_LINK = re.compile(r"\[!\[[^]]*\]\([^)]*colab-badge\.svg\)\]")
# A link from notebook to notebook, with the second link of an earlier run.
NOTEBOOK_LINK = re.compile(r"(\[[^]]+\]\(([\w-]+)\.ipynb\))(?: \(\[in Colab\]\([^)]*\)\))?")
CLONE = re.compile(r"(?<=git clone )https?://\S+")
# Absolute, since a package index shows the README too.
PICTURE_LINK = re.compile(r"https://raw\.githubusercontent\.com/[^/\s]+/[^/\s]+/(?=main/)")
FILE_LINK = re.compile(r"https://github\.com/[^/\s]+/[^/\s]+/(?=(?:blob|tree)/main/)")
PIP_LINK = re.compile(r"(?<=git\+)https?://[^\s\"'`)]+")
CITATION_URL = re.compile(r"(?<=^repository-code: ).*$", re.MULTILINE)
CITATION_VERSION = re.compile(r"(?<=^version: ).*$", re.MULTILINE)
# URLs of pyproject.toml that are made from `Repository`.
URLS = {
    "Documentation": "/tree/main/docs",
    "Changelog": "/blob/main/CHANGELOG.md",
    "Issues": "/issues",
}

# Allowed keys in the metadata of a cell. Jupyter and Colab add others.
CELL_METADATA = {"cellView", "tags"}

BADGE_LINES = """\
[![Open in Colab]({badge})]({colab}notebooks/{name}.ipynb)

gpt2-helpers {version}, [{place}]({address})"""

# The extras that the notebooks need.
EXTRAS = {"generate": "notebooks,onnx,web"}
OTHER_EXTRAS = "notebooks"

# An editable install takes effect when Python starts; addsitedir activates it immediately.
INSTALL_CELL = """\
# @title Install gpt2-helpers
import glob
import os
import site
import sysconfig
import urllib.request
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

ADDRESS = "{address}"
EXTRAS = "{extras}"  # what this notebook needs
IN_COLAB = "COLAB_RELEASE_TAG" in os.environ


class InstallError(Exception):
    def _render_traceback_(self):
        return [str(self)]


def versions(package):
    return [Version(found.version) for found in metadata.distributions(name=package)]


def pip_install(*names):
    # Without dependencies in Colab, to keep its own TensorFlow and ipywidgets.
    options = "-q --no-deps" if IN_COLAB else "-q"
    quoted = " ".join(f'"{{name}}"' for name in names)
    get_ipython().run_line_magic("pip", f"install {{options}} {{quoted}}")


def find_wheel():
    drive = os.environ.get("GPT2_DRIVE_MOUNT", "/content/drive")
    folders = [".", *(f"{{drive}}/{{name}}/gpt2-helpers" for name in ("MyDrive", "My Drive", "."))]
    wheels = [glob.glob(f"{{folder}}/gpt2_helpers-*-any.whl") for folder in folders]
    return max(sum(wheels, []), key=lambda path: Version(path.split("-")[-4]), default=None)


def is_reachable():
    try:
        return urllib.request.urlopen(ADDRESS, timeout=10).status == 200
    except OSError:
        return False


def install():
    if os.path.isdir("../gpt2_helpers") and not IN_COLAB:  # a clone of the project
        pip_install("-e", f"..[{{EXTRAS}}]")
        site.addsitedir(sysconfig.get_path("purelib"))
        return
    wheel = find_wheel()
    if not wheel and is_reachable():
        pip_install(f"gpt2-helpers[{{EXTRAS}}] @ git+{{ADDRESS}}")
        return
    if not wheel and IN_COLAB and not os.path.isdir("/content/drive"):
        print("Looking for a wheel in the folder gpt2-helpers of your Google Drive ...")
        from google.colab import drive

        try:
            drive.mount("/content/drive")
        except Exception as error:
            print(f"Google Drive is not available: {{error}}")
        wheel = find_wheel()
    if not wheel:
        raise InstallError(
            f"{{ADDRESS}} cannot be reached, and no wheel of the package was found here.\\n"
            "1. Make one: run `make wheel` in a copy of the project; it is written to dist/.\\n"
            "2. Put it next to this notebook (in Colab: upload it in Files, on the left) or into "
            "the folder gpt2-helpers of your Google Drive, and run this cell again."
        )
    print("Installing", wheel)
    pip_install(f"{{wheel}}[{{EXTRAS}}]")


def missing():
    wanted = map(Requirement, metadata.requires("gpt2-helpers") or [])
    extras = ["", *EXTRAS.split(",")]
    return [
        f"{{one.name}}{{one.specifier}}"
        for one in wanted
        if not versions(one.name)
        and (not one.marker or any(one.marker.evaluate({{"extra": extra}}) for extra in extras))
    ]


if max(versions("gpt2-helpers"), default=Version("0")) < Version("{version}"):
    install()
if versions("gpt2-helpers") and (packages := missing()):
    pip_install(*packages)

import gpt2_helpers as gpt2

print("gpt2-helpers", gpt2.__version__, "is ready")"""


@dataclass(frozen=True)
class Project:
    """The URL of the repository and the version."""

    address: str  # https://github.com/OWNER/NAME
    version: str

    @classmethod
    def of(cls, root: Path) -> Project:
        table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return cls(table["urls"]["Repository"].rstrip("/"), table["version"])

    @property
    def place(self) -> str:
        """The URL without its scheme."""
        return self.address.partition("://")[2]

    @property
    def owner_and_name(self) -> str:
        return self.place.partition("/")[2]

    @property
    def colab(self) -> str:
        """The start of links to Colab, before the path in the repository."""
        return f"{COLAB}{self.owner_and_name}/blob/main/"

    def cell(self, template: str, name: str) -> str:
        return template.format(
            badge=BADGE,
            colab=self.colab,
            name=name,
            extras=EXTRAS.get(name, OTHER_EXTRAS),
            version=self.version,
            place=self.place,
            address=self.address,
        )

    def markdown(self, text: str) -> str:
        """Return `text` with the current URL in its links and `git clone` lines."""
        text = BADGE_LINK.sub(f"[![Open in Colab]({BADGE})]", text)
        text = COLAB_LINK.sub(self.colab, text)
        text = PICTURE_LINK.sub(f"https://raw.githubusercontent.com/{self.owner_and_name}/", text)
        text = FILE_LINK.sub(f"{self.address}/", text)
        text = PIP_LINK.sub(self.address, text)
        return CLONE.sub(self.address, text)

    def settings(self, text: str) -> str:
        """Return pyproject.toml with its other URLs derived from `Repository`."""
        for name, path in URLS.items():
            line = f'{name} = "{self.address}{path}"'
            text = re.sub(rf'^{name} = ".*"$', line, text, flags=re.MULTILINE)
        return text

    def citation(self, text: str) -> str:
        """Return CITATION.cff with the current URL and version."""
        return CITATION_VERSION.sub(self.version, CITATION_URL.sub(self.address, text))

    def linked(self, text: str) -> str:
        """Return `text` with a link to Colab next to each link to another notebook."""
        return NOTEBOOK_LINK.sub(rf"\1 ([in Colab]({self.colab}notebooks/\2.ipynb))", text)


def notebook(text: str, name: str, project: Project) -> str:
    """Return the published form of a notebook file. `name` is the file name without suffix."""
    page: Any = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    page.nbformat, page.nbformat_minor = 4, 5
    gpu = name not in WITHOUT_GPU
    page.metadata = {
        **({"accelerator": "GPU"} if gpu else {}),
        "colab": {**({"gpuType": "T4"} if gpu else {}), "provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(page.cells):
        # Colab stores the IDs of cells in their metadata.
        cell.id = cell.get("id") or cell.metadata.get("id") or f"cell-{number}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif cell.cell_type == "markdown":
            cell.source = project.linked(project.markdown(cell.source))

    cells = {cell.id: cell for cell in page.cells}
    title = page.cells[0]
    text = title.source.partition("[![Open in Colab]")[0].rstrip()
    title.source = f"{text}\n\n{project.cell(BADGE_LINES, name)}"
    if "install-package" not in cells:
        raise ValueError(f"{name}.ipynb has no cell with the ID install-package: add one")
    cells["install-package"].source = project.cell(INSTALL_CELL, name)
    cells["install-package"].metadata = {"cellView": "form"}
    add_assertions(page.cells)

    page = nbformat.from_dict(page)
    nbformat.validate(page)
    return nbformat.writes(page).rstrip("\n") + "\n"


def changes(root: Path) -> dict[Path, str]:
    """Return the files that are out of date, with their new content."""
    project = Project.of(root)
    wanted = {}
    rewrite = {
        **dict.fromkeys(PAGES, project.markdown),
        "CITATION.cff": project.citation,
        "pyproject.toml": project.settings,
    }
    for name, rewritten in rewrite.items():
        wanted[root / name] = rewritten((root / name).read_text(encoding="utf-8"))
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        wanted[path] = notebook(path.read_text(encoding="utf-8"), path.stem, project)
    return {p: text for p, text in wanted.items() if p.read_text(encoding="utf-8") != text}


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write URL and version into notebooks and READMEs, and remove outputs."
    )
    parser.add_argument("--check", action="store_true", help="only list files that are out of date")
    arguments = parser.parse_args()
    root = Path(__file__).parents[1]
    outdated = changes(root)
    for path, text in outdated.items():
        if not arguments.check:
            path.write_text(text, encoding="utf-8", newline="\n")
        print("out of date:" if arguments.check else "written:", path.relative_to(root))
    return 1 if outdated and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
