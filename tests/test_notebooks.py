"""The notebooks: their form, the way through them in Colaboratory, and real runs with `tiny`.

`pytest --nbval-lax notebooks` runs them from top to bottom too; here stands what it does not see.
Colaboratory is played: its modules and the package's functions only write down what they are asked.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

import gpt2_helpers
from gpt2_helpers import simple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NAMES = ["finetune", "generate"]
REPOSITORY = "gpt2-helpers/gpt2-helpers"
RAW = f"https://raw.githubusercontent.com/{REPOSITORY}/main/"
COLAB = f"https://colab.research.google.com/github/{REPOSITORY}/blob/main/"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
MOST_LINES = 5  # of code in a cell, but for the settings
DELIMITER = simple.SAMPLE_DELIM


def book(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return content


def sources(name: str, kind: str = "code") -> dict[str, str]:
    """The cells of a kind: id to source, in order."""
    return {c["id"]: "".join(c["source"]) for c in book(name)["cells"] if c["cell_type"] == kind}


# ------------------------------------------------------------------------------ form


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_with_a_title_and_the_badge(name: str) -> None:
    first = book(name)["cells"][0]
    assert first["cell_type"] == "markdown"
    text = "".join(first["source"])
    assert text.startswith("# ")
    assert f"[![Open in Colaboratory]({BADGE})]({COLAB}notebooks/{name}.ipynb)" in text


@pytest.mark.parametrize("name", NAMES)
def test_colaboratory_gives_it_a_gpu(name: str) -> None:
    metadata = book(name)["metadata"]
    assert metadata["accelerator"] == "GPU"
    assert metadata["colab"] == {"gpuType": "T4", "provenance": []}


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_short_and_the_logic_is_in_the_package(name: str) -> None:
    for cell, source in sources(name).items():
        code = [line for line in source.splitlines() if line.strip(" #") and line[0] != "#"]
        assert cell == "settings" or len(code) <= MOST_LINES, f"{cell} has {len(code)} lines"
        assert not re.search(r"^\s*(def|class|for|while) ", source, re.MULTILINE), cell


@pytest.mark.parametrize("name", NAMES)
def test_every_code_cell_comes_after_words_about_it(name: str) -> None:
    kinds = [cell["cell_type"] for cell in book(name)["cells"]]
    assert not re.search("(c){3}", "".join(kind[0] for kind in kinds)), "three cells in a row"
    assert kinds[-1] == "markdown", "it closes with what to do next"


@pytest.mark.parametrize("path", [*(f"{name}.ipynb" for name in NAMES), "README.md"])
def test_links_lead_to_files_that_are_there(path: str) -> None:
    text = (FOLDER / path).read_text(encoding="utf-8")
    own = [
        place
        for base in (RAW, COLAB)
        for place in re.findall(re.escape(base) + r"([\w./-]+)", text)
    ]
    assert own
    beside = re.findall(r"\]\(([\w.-]+)\)", text)
    missing = [p for p in own if not (ROOT / p).is_file()]
    missing += [p for p in beside if not (FOLDER / p).is_file()]
    assert not missing


# ------------------------------------------------------------------------------ Colaboratory


@dataclass
class Colaboratory:
    """A machine there, with a GPU and no network: what its cells asked for, in order."""

    folder: Path
    drive: Path
    uploads: dict[str, bytes] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def noting(self, name: str, function: Callable[..., Any], answer: Any = None) -> Any:
        """A stand-in that takes what `function` takes, and only writes it down."""
        signature = inspect.signature(function)

        def stand_in(*args: Any, **options: Any) -> Any:
            self.calls.append((name, dict(signature.bind(*args, **options).arguments)))
            return answer

        return stand_in

    def named(self, name: str) -> list[dict[str, Any]]:
        return [options for called, options in self.calls if called == name]

    def run_all(self, name: str, **settings: bool) -> None:
        """Every cell of a notebook, with some of its settings changed by hand."""
        transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
        namespace: dict[str, Any] = {"get_ipython": lambda: SHELL}
        for cell, source in sources(name).items():
            for setting, value in settings.items():
                source = re.sub(rf"^{setting} = .*", f"{setting} = {value}", source, flags=re.M)
            source = source.replace("/content/drive", str(self.drive))
            exec(compile(transform(source), cell, "exec"), namespace)


def nothing(*args: Any) -> None:
    """What a magic line does here."""


SHELL = SimpleNamespace(run_line_magic=nothing, system=nothing)


@pytest.fixture
def colab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Colaboratory:
    machine = Colaboratory(tmp_path / "content", tmp_path / "drive")
    (machine.drive / "MyDrive").mkdir(parents=True)
    machine.folder.mkdir()
    monkeypatch.chdir(machine.folder)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-test")
    for variable in ("MODEL", "STEPS", "RUN", "LENGTH"):
        monkeypatch.delenv(f"GPT2_{variable}", raising=False)

    answers = {"get_available_gpus": ["/device:GPU:0"], "start_tf_sess": "a session"}
    for name in simple.__all__:
        stand_in = machine.noting(name, getattr(simple, name), answers.get(name))
        monkeypatch.setitem(vars(gpt2_helpers), name, stand_in)

    def fetch(address: str, place: str) -> tuple[str, None]:
        shutil.copyfile(ROOT / address.removeprefix(RAW), place)
        return place, None

    def upload(target_dir: str = "") -> dict[str, bytes]:
        for name, content in machine.uploads.items():
            Path(name).write_bytes(content)
        return machine.uploads

    def mount(mountpoint: str, force_remount: bool = False) -> None: ...

    def download(filename: str) -> None: ...

    google_colab = ModuleType("google.colab")
    vars(google_colab)["drive"] = SimpleNamespace(mount=machine.noting("mount", mount))
    vars(google_colab)["files"] = SimpleNamespace(
        upload=upload, download=machine.noting("download", download)
    )
    monkeypatch.setitem(sys.modules, "google.colab", google_colab)
    monkeypatch.setattr("urllib.request.urlretrieve", fetch)
    return machine


def test_finetune_in_colaboratory_trains_as_the_article_does(colab: Colaboratory) -> None:
    colab.run_all("finetune")
    assert colab.named("download_gpt2") == [{"model_name": "124M"}]
    first, second = colab.named("finetune")
    article = {
        "model_name": "124M",
        "steps": 1000,
        "restore_from": "fresh",
        "run_name": "run1",
        "print_every": 10,
        "sample_every": 200,
        "save_every": 500,
        "learning_rate": 0.0001,
    }
    assert first.items() >= article.items()
    assert (second["restore_from"], second["run_name"]) == ("latest", "run1")
    assert Path(first["dataset"]).read_bytes() == (ROOT / "data" / "stories.txt").read_bytes()
    assert colab.named("plot_loss") == [{"run_name": "run1"}] * 2
    assert colab.named("generate")[0]["run_name"] == "run1"
    assert colab.named("mount") == [], "nobody is asked for anything who has not wished it"


def test_generate_in_colaboratory_takes_the_original_steps(colab: Colaboratory) -> None:
    colab.run_all("generate")
    assert [call["model_name"] for call in colab.named("finetune")] == ["tiny"], "a stand-in"
    plain, five, secret, *_ = colab.named("generate")
    assert plain == {"sess": "a session", "run_name": "run1"}
    together = {"nsamples": 5, "batch_size": 5, "temperature": 0.7}
    assert five.items() >= {**together, "length": 250}.items()
    assert five["prefix"]
    original = {"prefix": "The secret of life is", "length": 100, "top_p": 0.9}
    assert secret.items() >= {**together, **original}.items()

    (to_file,) = colab.named("generate_to_file")
    assert to_file["nsamples"] == 100
    assert re.fullmatch(r"gpt2_gentext_\d{8}_\d{6}\.txt", to_file["destination_path"])
    assert colab.named("download") == [{"filename": to_file["destination_path"]}]
    assert colab.named("download_gpt2") == [{"model_name": "774M"}]
    loaded = [{k: v for k, v in c.items() if k != "sess"} for c in colab.named("load_gpt2")]
    assert loaded == [{"run_name": "run1"}, {"model_name": "774M"}, {"run_name": "run1"}]


def test_an_uploaded_text_is_trained_on(colab: Colaboratory) -> None:
    colab.uploads["novel.txt"] = "Once upon a time in Málaga.".encode("latin-1")
    colab.run_all("finetune", UPLOAD=True)
    assert [call["dataset"] for call in colab.named("finetune")] == ["novel.txt"] * 2


def test_a_cancelled_upload_leaves_the_text_that_was_there(colab: Colaboratory) -> None:
    colab.run_all("finetune", UPLOAD=True)
    assert [call["dataset"] for call in colab.named("finetune")] == ["stories.txt"] * 2


def test_a_run_goes_through_drive_from_one_machine_to_the_next(colab: Colaboratory) -> None:
    run = colab.folder / "checkpoint" / "run1"
    run.mkdir(parents=True)
    (run / "model-7.index").write_bytes(b"weights")
    colab.run_all("finetune", DRIVE=True)
    assert colab.named("mount") == [{"mountpoint": str(colab.drive)}]
    with tarfile.open(colab.drive / "MyDrive" / "checkpoint_run1.tar", "r:") as archive:
        files = [member.name for member in archive if member.isfile()]
    assert [os.path.normpath(name) for name in files] == ["checkpoint/run1/model-7.index"]

    shutil.rmtree(colab.folder / "checkpoint")
    colab.calls.clear()
    colab.run_all("generate", DRIVE=True)
    assert (run / "model-7.index").read_bytes() == b"weights"
    assert colab.named("finetune") == [], "no stand-in where the run has come"


@pytest.mark.parametrize("name", NAMES)
def test_the_install_cell_installs_once_and_leaves_the_rest_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []

    def pip(magic: str, line: str) -> None:
        assert magic == "pip"
        installed.append(line)
        monkeypatch.setitem(sys.modules, "gpt2_helpers", gpt2_helpers)

    shell = SimpleNamespace(run_line_magic=pip)
    namespace: dict[str, Any] = {"get_ipython": lambda: shell}
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    code = transform(sources(name)["install-package"])
    monkeypatch.setitem(sys.modules, "gpt2_helpers", None)  # an import now fails
    for _ in range(2):
        exec(compile(code, "install", "exec"), namespace)
    assert namespace["gpt2"] is gpt2_helpers
    assert installed == [f"install -q --no-deps git+https://github.com/{REPOSITORY}"]


# ------------------------------------------------------------------------------ real runs


@dataclass
class Output:
    """What one cell showed."""

    text: str = ""  # printed, or the cell's value; not what libraries write into stderr
    kinds: set[str] = field(default_factory=set)  # of values and pictures


class Kernel:
    """A kernel of this Python at work in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        from nbval.kernel import (  # type: ignore[import-untyped]
            CURRENT_ENV_KERNEL_NAME,
            start_new_kernel,
        )

        self.manager, self.client = start_new_kernel(
            startup_timeout=300,
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            cwd=str(folder),
            env=environment,
        )

    def run_all(self, name: str) -> dict[str, Output]:
        return {cell: self.run(cell, source) for cell, source in sources(name).items()}

    def run(self, cell: str, source: str) -> Output:
        output = Output()

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                output.text += content["text"]
            elif message["msg_type"] == "clear_output":
                output.text = ""
            elif message["msg_type"] in ("execute_result", "display_data"):
                output.kinds.update(content["data"])
                if message["msg_type"] == "execute_result":
                    output.text += content["data"]["text/plain"]

        reply = self.client.execute_interactive(
            source, allow_stdin=False, timeout=900, output_hook=take
        )["content"]
        assert reply["status"] == "ok", f"cell {cell}:\n" + "\n".join(reply["traceback"])
        return output

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@dataclass
class Runs:
    """What all cells showed: `generate` in a fresh folder, then `finetune` twice in one kernel."""

    folder: Path
    generated: dict[str, Output]
    finetuned: list[dict[str, Output]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("clone")
    folder = root / "notebooks"
    folder.mkdir()
    shutil.copytree(ROOT / "data", root / "data", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **{name: value for name, value in os.environ.items() if name != "COLAB_RELEASE_TAG"},
        **{"GPT2_MODEL": "tiny", "GPT2_STEPS": "10", "GPT2_RUN": "run1", "GPT2_LENGTH": "20"},
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(
            os.pathsep
        ),
    }
    kernels = []
    try:
        kernels.append(Kernel(folder, environment))
        generated = kernels[-1].run_all("generate")
        kernels.pop().close()
        kernels.append(Kernel(folder, environment))
        finetuned = [kernels[-1].run_all("finetune") for _ in range(2)]
    finally:
        for kernel in kernels:
            kernel.close()
    return Runs(folder, generated, finetuned)


@pytest.mark.parametrize("time", [0, 1], ids=["first", "again"])
def test_finetune_trains_draws_writes_and_goes_on(runs: Runs, time: int) -> None:
    shown = runs.finetuned[time]
    line = r"^\[{} \| \d+\.\d\d\] loss=\d+\.\d\d avg=\d+\.\d\d$"
    assert re.search(line.format(10), shown["finetune"].text, re.MULTILINE)
    assert "image/png" in shown["plot"].kinds
    assert len(shown["generate"].text) > 100
    assert "going on with run1, 10 steps so far" in shown["go-on"].text
    assert re.search(line.format(20), shown["go-on"].text, re.MULTILINE)
    assert "SAMPLE 1" in shown["go-on"].text
    assert "image/png" in shown["plot-again"].kinds
    assert str(runs.folder / "checkpoint" / "run1") in shown["copy-to-drive"].text


def test_finetune_says_what_the_machine_has_and_what_it_reads(runs: Runs) -> None:
    shown = runs.finetuned[0]
    assert re.search("No GPU.*Change runtime type|GPU 0", shown["gpu-check"].text)
    assert re.fullmatch(r"Ready, with(out)? a GPU\.\n", shown["start-tensorflow"].text)
    story = (ROOT / "data" / "stories.txt").read_text(encoding="utf-8")
    assert shown["first-lines"].text.rstrip("\n") == story[:300].rstrip("\n")


def test_generate_makes_a_run_where_there_is_none(runs: Runs) -> None:
    assert runs.generated["list-runs"].text == "[]"
    assert "There is no run1 yet" in runs.generated["stand-in-run"].text
    assert "loaded run1" in runs.generated["load-run"].text


def test_generate_writes_on_the_page(runs: Runs) -> None:
    shown = runs.generated
    assert len(shown["generate-one"].text) > 100
    assert DELIMITER not in shown["generate-one"].text
    for cell, beginning in (
        ("generate-five", "JUNO:"),
        ("generate-secret", "The secret of life is"),
    ):
        *texts, rest = shown[cell].text.split(DELIMITER)
        assert len(texts) == 5
        assert rest == ""
        assert all(text.startswith(beginning) for text in texts), texts
        assert len(set(texts)) > 1
    for cell in ("generate-mine", "generate-theirs"):
        assert shown[cell].text.startswith("The secret of life is")


def test_generate_writes_a_hundred_texts_into_a_file(runs: Runs) -> None:
    (path,) = runs.folder.glob("gpt2_gentext_*.txt")
    *texts, rest = path.read_text(encoding="utf-8").split(DELIMITER)
    assert len(texts) == 100
    assert rest == ""
    assert str(path) in runs.generated["download-file"].text


def test_they_write_only_beside_themselves_and_only_what_git_ignores(runs: Runs) -> None:
    assert {path.name for path in runs.folder.parent.iterdir()} == {"data", "notebooks"}
    original = {path.name for path in (ROOT / "data").iterdir()} - {"__pycache__"}
    assert {path.name for path in (runs.folder.parent / "data").iterdir()} == original
    written = {path.name for path in runs.folder.iterdir() if path.suffix != ".txt"}
    assert written == {"checkpoint", "models", "samples"}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {f"notebooks/{name}/" for name in written} | {"notebooks/*.txt"} <= set(ignored)
