"""Makes the notebooks and the READMEs ready for publishing: `make notebooks`.

The repository's address stands in pyproject.toml, and nowhere else by hand. From there it goes,
with the version, into

- each notebook's cell `badge`, after the title, and its cell `install-package`, both wholly;
- the README's picture, file and install links, CITATION.cff, and the other URLs of pyproject.toml;
- every link to Colaboratory and every `git clone` line, in notebooks and READMEs: whatever stands
  between host and path is replaced;
- the place behind each link from one notebook to another, such as `[Generate](generate.ipynb)`:
  it leads nowhere in Colaboratory.

A notebook is also stored clean: no outputs, no counts, only the metadata that it needs.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WITHOUT_GPU = {"bigquery_export"}
READMES = ("README.md", "notebooks/README.md")

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
COLAB = "https://colab.research.google.com/github/"
COLAB_LINK = re.compile(re.escape(COLAB) + r"[^\s)]*?(?=notebooks/[\w-]+\.ipynb)")
BADGE_LINK = re.compile(r"\[!\[[^]]*\]\([^)]*colab-badge\.svg\)\]")
# A link from notebook to notebook, with what an earlier run has put behind it.
NEIGHBOUR = re.compile(r"(\[[^]]+\]\(([\w-]+)\.ipynb\))(?: \(\[in Colaboratory\]\([^)]*\)\))?")
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

# What the names in a cell's metadata may say; all else is left there by Jupyter or Colaboratory.
CELL_METADATA = {"cellView", "tags"}

BADGE_CELL = """\
[![Open in Colaboratory]({badge})]({colab}notebooks/{name}.ipynb)

For gpt2-helpers {version}, which lives at [{place}]({address})."""

# Colaboratory's TensorFlow and ipywidgets must stay as they are, hence --no-deps.
# `-e` leaves a line for Python's next start; addsitedir reads it in this one.
INSTALL_CELL = """\
# @title Install gpt2-helpers
import os
import site
import sysconfig
from importlib import metadata

from packaging.version import Version

present = [Version(found.version) for found in metadata.distributions(name="gpt2-helpers")]
if not present or max(present) < Version("{version}"):
    if "COLAB_RELEASE_TAG" in os.environ:
        %pip install -q --no-deps git+{address}
    elif os.path.isdir("../gpt2_helpers"):
        %pip install -q -e "..[notebooks,web]"
        site.addsitedir(sysconfig.get_path("purelib"))
    else:
        %pip install -q "gpt2-helpers[notebooks,web] @ git+{address}"

import gpt2_helpers as gpt2

print("gpt2-helpers", gpt2.__version__, "is ready")"""


@dataclass(frozen=True)
class Project:
    """Where the project is published, and which version this is."""

    address: str  # https://github.com/OWNER/NAME
    version: str

    @classmethod
    def of(cls, root: Path) -> Project:
        table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return cls(table["urls"]["Repository"].rstrip("/"), table["version"])

    @property
    def place(self) -> str:
        """The address without its scheme."""
        return self.address.partition("://")[2]

    @property
    def owner_and_name(self) -> str:
        return self.place.partition("/")[2]

    @property
    def colab(self) -> str:
        """What a link to Colaboratory begins with, before the path in the repository."""
        return f"{COLAB}{self.owner_and_name}/blob/main/"

    def cell(self, template: str, name: str) -> str:
        return template.format(
            badge=BADGE,
            colab=self.colab,
            name=name,
            version=self.version,
            place=self.place,
            address=self.address,
        )

    def markdown(self, text: str) -> str:
        """`text` with its links to Colaboratory and its `git clone` lines as they should be."""
        text = BADGE_LINK.sub(f"[![Open in Colaboratory]({BADGE})]", text)
        text = COLAB_LINK.sub(self.colab, text)
        text = PICTURE_LINK.sub(f"https://raw.githubusercontent.com/{self.owner_and_name}/", text)
        text = FILE_LINK.sub(f"{self.address}/", text)
        text = PIP_LINK.sub(self.address, text)
        return CLONE.sub(self.address, text)

    def settings(self, text: str) -> str:
        """pyproject.toml with its other URLs made from `Repository`."""
        for name, path in URLS.items():
            line = f'{name} = "{self.address}{path}"'
            text = re.sub(rf'^{name} = ".*"$', line, text, flags=re.MULTILINE)
        return text

    def citation(self, text: str) -> str:
        """CITATION.cff with the present address and version."""
        return CITATION_VERSION.sub(self.version, CITATION_URL.sub(self.address, text))

    def linked(self, text: str) -> str:
        """`text` with each link to another notebook made to work in Colaboratory too."""
        return NEIGHBOUR.sub(rf"\1 ([in Colaboratory]({self.colab}notebooks/\2.ipynb))", text)


def notebook(text: str, name: str, project: Project) -> str:
    """A notebook's file as it should be: `text` is the file as it is, `name` its stem."""
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
        # Colaboratory keeps the ids of cells in their metadata.
        cell.id = cell.get("id") or cell.metadata.get("id") or f"cell-{number}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif cell.cell_type == "markdown":
            cell.source = project.linked(project.markdown(cell.source))

    cells = {cell.id: cell for cell in page.cells}
    if "badge" not in cells:
        cells["badge"] = nbformat.v4.new_markdown_cell(id="badge")
        page.cells.insert(1, cells["badge"])
    if "install-package" not in cells:
        raise ValueError(f"{name}.ipynb has no cell with the id install-package: give it one")
    cells["badge"].source = project.cell(BADGE_CELL, name)
    cells["install-package"].source = project.cell(INSTALL_CELL, name)
    cells["install-package"].metadata = {"cellView": "form"}

    page = nbformat.from_dict(page)
    nbformat.validate(page)
    return nbformat.writes(page).rstrip("\n") + "\n"


def changes(root: Path) -> dict[Path, str]:
    """The files under `root` that are out of date, and what should stand in them."""
    project = Project.of(root)
    wanted = {}
    rewrite = {
        **dict.fromkeys(READMES, project.markdown),
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
        description="Write what notebooks and READMEs are published with."
    )
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
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
