"""Structure: import rules, the cost of an import, and that docs and requirements are up to date.

A new package or top-level module gets a row in MAY_IMPORT and a line in docs/architecture.md; a new
module with code gets a test file of the same path.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = ROOT / "gpt2_helpers"

# A package or top-level module may import those named here, and all that they may import.
MAY_IMPORT = {
    "errors": "",
    "types": "",
    "system": "errors",
    "fields": "errors system",
    "model_config": "fields system",
    "config": "model_config",
    "docstrings": "fields",
    "tokenizer": "system",
    "data": "config tokenizer types",
    "model": "config tokenizer types",
    "exchange": "model",
    "checkpoint": "data exchange",
    "generation": "model",
    "evaluation": "data checkpoint generation",
    "google": "checkpoint",
    "training": "data checkpoint generation evaluation",
    "console": "training",
    "loaded_model": "data checkpoint generation",
    "session": "loaded_model training google",
    "novel_generation": "session",
    "bulk_generation": "novel_generation",
    "beam": "session",
    "web": "session console",
    "bench": "session",
    "api": "docstrings google session console bulk_generation web",
    "forms": "novel_generation web bench",
    "__init__": "api",
    "cli": "__init__ session web bench beam",
    "__main__": "cli",
}

# Modules with code but without tests/<same path>/test_<module>.py, and where they are tested.
TESTED_ELSEWHERE = {
    "__init__.py": "lazy names: tests/test_api.py and the tests of imports below",
    "beam/__init__.py": "lazy names: tests/beam and the test of imports below",
    "cli/__init__.py": "only calls app.main: tests/cli/test_app.py",
    "forms/__init__.py": "lazy names: the tests of the forms",
}

# Modules and calls that execute what they read. Subprocesses are started without a shell.
DANGEROUS = {"pickle", "marshal", "shelve", "dill", "joblib", "eval", "exec"}
DANGEROUS |= {"os.system", "os.popen"}

# Packages that `import gpt2_helpers` may load besides the standard library.
LOADED_AT_IMPORT = {"gpt2_helpers", "numpy", "regex", "tqdm"}
LONGEST_FILE = 400  # lines
VAGUE_NAMES = {"utils", "util", "helpers", "misc", "common"}

FILES = {
    path: ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
}
MODULES = sorted({name.split(".")[1] for name in FILES.values()})
NOTEBOOKS = sorted(
    path for path in ROOT.glob("notebooks/**/*.ipynb") if ".ipynb_checkpoints" not in path.parts
)


def imports_of(source: str, name: str) -> set[str]:
    """Packages and top-level modules that module `name` imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                base = name.split(".")[: -node.level] + base
            targets = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for target in targets:
            package, *rest = target.split(".")
            if package == "gpt2_helpers":
                # `from gpt2_helpers import finetune` imports a name of the package itself.
                found.add(rest[0] if rest and rest[0] in MAY_IMPORT else "__init__")
    return found


def importable(module: str) -> set[str]:
    """Everything that MAY_IMPORT allows `module` to import, directly and transitively."""
    named = set(MAY_IMPORT[module].split())
    return named.union(*(importable(other) for other in named))


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    assert module in MAY_IMPORT, f"add {module} to MAY_IMPORT in tests/test_structure.py"
    for path, name in FILES.items():
        if name.split(".")[1] == module:
            imported = imports_of(path.read_text(encoding="utf-8"), name)
            wrong = imported - importable(module) - {module}
            assert not wrong, f"{path.relative_to(ROOT)} may not import {', '.join(sorted(wrong))}"


def test_may_import_lists_only_existing_modules() -> None:
    assert MAY_IMPORT.keys() <= set(MODULES)


@pytest.mark.parametrize(
    "line",
    [
        "import gpt2_helpers.config",
        "import gpt2_helpers.config as settings",
        "from gpt2_helpers import errors, config",
        "from gpt2_helpers.config import ModelConfig",
        "from . import config",
        "from .config import ModelConfig",
        "def late():\n    from gpt2_helpers.config import ModelConfig",
    ],
)
def test_every_form_of_import_is_found(line: str) -> None:
    assert "config" in imports_of(line, "gpt2_helpers.errors")


def test_a_name_of_the_package_counts_as_importing_it() -> None:
    imported = imports_of("from gpt2_helpers import errors, finetune", "gpt2_helpers.config")
    assert imported == {"errors", "__init__"}


@pytest.mark.parametrize(
    "package", [path.parent.relative_to(ROOT) for path in FILES if path.name == "__init__.py"]
)
def test_no_package_loads_tensorflow(package: Path) -> None:
    script = f"import sys, {'.'.join(package.parts)}; print('tensorflow' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, timeout=300)
    assert printed.strip() == b"False"


def test_importing_the_package_loads_no_tensorflow() -> None:
    script = """
import sys
before = set(sys.modules)
import gpt2_helpers
new = [name for name in set(sys.modules) - before if getattr(sys.modules[name], "__file__", None)]
print(*{name.split(".")[0] for name in new} - sys.stdlib_module_names)
"""
    command = [sys.executable, "-c", script]
    loaded = set(subprocess.check_output(command, cwd=ROOT, text=True, timeout=300).split())
    assert "gpt2_helpers" in loaded
    assert loaded <= LOADED_AT_IMPORT, (
        "import gpt2_helpers must stay light: import these where they are used, "
        f"{', '.join(sorted(loaded - LOADED_AT_IMPORT))}"
    )


def test_generation_on_a_cpu_loads_no_tensorflow(tmp_path: Path) -> None:
    # TensorFlow is needed only to look for GPUs.
    pytest.importorskip("ai_edge_litert", reason="the interpreter is part of TensorFlow here")
    script = """
import sys
from gpt2_helpers.system import device
from gpt2_helpers.cli import main
device.may_have_gpus = lambda: False
assert main(["generate", "--model-name", "tiny", "--length", "5", "--precision", sys.argv[1]]) == 0
print(*{name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "matplotlib"})
"""
    for precision in ("auto", "float32"):
        command = [sys.executable, "-c", script, precision]
        printed = subprocess.check_output(command, cwd=ROOT, text=True, timeout=300)
        assert printed.splitlines()[-1] == "", printed


def test_files_stay_short() -> None:
    lengths = {name: len(path.read_text("utf-8").splitlines()) for path, name in FILES.items()}
    long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert not long, f"split these files, they have over {LONGEST_FILE} lines: {long}"


def test_no_module_has_a_vague_name() -> None:
    vague = [name for name in FILES.values() if VAGUE_NAMES & set(name.split(".")[1:])]
    assert not vague, f"name these modules after their purpose: {vague}"


def test_every_file_has_a_docstring() -> None:
    folders = ("gpt2_helpers", "tests", "data", "benchmarks", "deploy")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    missing = [
        str(path.relative_to(ROOT))
        for path in sorted(paths)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not missing, f"no module docstring: {', '.join(missing)}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_clean(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    hint = "run `make format`"
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code), hint
    known = {"accelerator", "colab", "kernelspec", "language_info"}
    assert notebook["metadata"].keys() <= known, hint
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    language = notebook["metadata"].get("language_info")
    assert language == {"name": "python"}, "ruff skips a notebook without its language"
    for cell in notebook["cells"]:
        assert cell["metadata"].keys() <= {"cellView", "id", "tags"}, hint


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def lines_of(name: str) -> set[str]:
    """The lines of a requirements file without comments."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_requirements_agree_with_pyproject() -> None:
    extras = project()["optional-dependencies"]
    needed = {*project()["dependencies"]}
    for extra in ("data", "fast", "notebooks", "pretrain", "web"):
        needed |= {*extras[extra]}
    needed |= {line for line in extras["test"] if Requirement(line).name == "nbval"}
    assert lines_of("requirements.txt") == needed


def test_requirements_do_not_upgrade_colab() -> None:
    pinned = {pin.name: pin for pin in map(Requirement, lines_of("constraints-colab.txt"))}
    assert "tensorflow" in pinned
    for line in lines_of("requirements.txt"):
        required = Requirement(line)
        pin = pinned.get(required.name)
        version = str(pin.specifier).strip("=").replace("*", "0") if pin else None
        assert version is None or required.specifier.contains(version), (
            f"{line} would upgrade {required.name} {version} in Colab"
        )


def test_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    # A line of the layout: indented, the name first, then its purpose.
    named = set(re.findall(r"^ +([\w/]+(?:\.py|/)) +\S", text, re.MULTILINE))
    present = {
        f"{module}.py" if (PACKAGE / f"{module}.py").is_file() else f"{module}/"
        for module in MODULES
    }
    missing = present - named
    assert not missing, f"docs/architecture.md does not name {', '.join(sorted(missing))}"
    gone = {name for name in named if not ((PACKAGE / name).exists() or (ROOT / name).exists())} - {
        "gpt2_helpers/"
    }
    assert not gone, f"docs/architecture.md names {', '.join(sorted(gone))}, which do not exist"


def test_documents_name_only_files_that_exist() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            # `../../issues` leads to a page of the repository's host, not to a file.
            if not target.startswith("../../") and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken, f"broken links: {', '.join(broken)}"


def has_code(path: Path) -> bool:
    """Whether a module defines a function or a class, not only constants."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


def test_every_module_has_a_test_file() -> None:
    missing = set()
    for path in FILES:
        module = path.relative_to(PACKAGE)
        test_file = ROOT / "tests" / module.parent / f"test_{module.stem.strip('_')}.py"
        if has_code(path) and not test_file.is_file():
            missing.add(str(module))
    untested = missing - TESTED_ELSEWHERE.keys()
    assert not untested, f"add tests/<same path>/test_<module>.py for {', '.join(sorted(untested))}"
    tested = TESTED_ELSEWHERE.keys() - missing
    assert not tested, f"remove {', '.join(sorted(tested))} from TESTED_ELSEWHERE"


def test_few_modules_are_at_the_top() -> None:
    modules = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(modules) <= 14, f"move some of these into a package: {', '.join(modules)}"


def dangerous(source: str) -> set[str]:
    """Names and options that could execute what is read."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & DANGEROUS
        elif isinstance(node, ast.ImportFrom):
            taken = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {str(node.module).split(".")[0], *taken} & DANGEROUS
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & DANGEROUS
            for option in node.keywords:
                if option.arg in ("shell", "allow_pickle") and getattr(option.value, "value", True):
                    found.add(str(option.arg))
    return found


@pytest.mark.parametrize("path", FILES, ids=[*FILES.values()])
def test_nothing_that_is_read_is_executed(path: Path) -> None:
    assert dangerous(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import pickle", {"pickle"}),
        ("from pickle import load", {"pickle"}),
        ("eval(text)", {"eval"}),
        ("os.system(text)", {"os.system"}),
        ("from os import popen", {"os.popen"}),
        ("platform.system()", set()),
        ("run(text, shell=True)", {"shell"}),
        ("np.load(path, allow_pickle=flag)", {"allow_pickle"}),
        ("np.load(path, allow_pickle=False)", set()),
    ],
)
def test_dangerous_calls_are_found(line: str, found: set[str]) -> None:
    assert dangerous(line) == found
