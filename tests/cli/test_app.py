"""The command as people run it: what it prints where, what it leaves behind, and how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from faulty_server import FaultyServer, running
from gpt2_helpers import __version__, config
from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.checkpoint.pretrained import FILES
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.cli.app import COMMANDS, main
from gpt2_helpers.cli.parser import config_from
from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig, SamplingConfig
from gpt2_helpers.session import Session
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.pretrain_config import PretrainConfig
from paths import GOLDEN, ROOT
from toy import toy_model, toy_tokenizer

DELIMITER = "=" * 20 + "\n"
TITLES = "title\nWhat is the best thing ever?\nHow would you start?\nWhat people have you in?\n"
QUICK = ("--accumulate-gradients", "1", "--sample-every", "0", "--precision", "float32")
# A process whose parent ignores interrupts, as a shell's background jobs do, would ignore them too.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from gpt2_helpers.cli.app import main; sys.exit(main())"
)


@dataclass
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Result:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def refusal(*arguments: object) -> str:
    """The one line on stderr with which a command must refuse, beside a bar that had begun."""
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    (line,) = (line for line in result.err.splitlines() if line and "%|" not in line)
    assert line.startswith("gpt2-helpers: ")
    return line


def names_in(folder: Path) -> set[str]:
    """Every file in a folder, at any depth, with its size."""
    return {
        f"{path.relative_to(folder)} {path.stat().st_size}"
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which somebody has worked: a model, a dataset, a run of three steps."""
    folder = tmp_path_factory.mktemp("made")
    tokenizer = toy_tokenizer()
    shape = ModelConfig(tokenizer.n_vocab, n_ctx=24, n_embd=16, n_head=2, n_layer=1)
    (folder / "models" / "toy").mkdir(parents=True)
    tokenizer.save(folder / "models" / "toy")
    save_model(toy_model(shape, scale=2.0), folder / "models" / "toy")
    (folder / "titles.csv").write_text(TITLES, encoding="utf-8")
    with _working_in(folder):
        result = run(*finetune_arguments(), "--steps", 3, "--seed", 1, "--validation-split", 0.3)
    assert result.code == 0, result.err
    assert "loss=" in result.out
    return folder


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def finetune_arguments() -> list[str]:
    return ["finetune", "titles.csv", "--model-name", "toy", *QUICK]


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in a folder of the test's own, which is the working folder."""
    for source in made.rglob("*"):
        if source.is_file():
            target = tmp_path / source.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextlib.contextmanager
def process(
    folder: Path, *arguments: object, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, ended at the end in any case; see `said`."""
    with (folder / "stderr").open("wb") as stderr:  # a pipe would fill up while nobody reads it
        started = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": python_path(), **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        yield started
    finally:
        started.kill()
        stdout_of(started).close()
        started.wait()


def python_path() -> str:
    """Where a process finds this checkout, whatever its working folder."""
    return os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def stdout_of(started: subprocess.Popen[bytes]) -> IO[bytes]:
    assert started.stdout is not None
    return started.stdout


def said(folder: Path) -> str:
    """What the process wrote on stderr, each state of a bar as a line."""
    return (folder / "stderr").read_bytes().decode().replace("\r", "\n")


# -- Help and refusals -------------------------------------------------------------------------


def test_without_arguments_it_helps_and_fails() -> None:
    result = run()
    assert (result.code, result.out) == (2, "")
    assert result.err == run("--help").out


def test_the_help_lists_every_command() -> None:
    result = run("--help")
    assert (result.code, result.err) == (0, "")
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.SUMMARY)}$", result.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str) -> None:
    result = run(name, "--help")
    assert (result.code, result.err) == (0, "")
    description = result.out.split("\n\n")[1].splitlines()
    assert len(description) == 2
    examples = result.out.partition("examples:\n")[2].splitlines()
    assert 2 <= len(examples) <= 3
    assert all(example.startswith(f"  gpt2-helpers {name}") for example in examples)
    assert result.out.index("\noptions:\n") < result.out.index("\nadvanced options:\n")
    assert run(name, "-h") == result


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_can_be_typed(name: str) -> None:
    for example in run(name, "--help").out.partition("examples:\n")[2].splitlines():
        _, command, *arguments = shlex.split(example)
        options = COMMANDS[command].parser().parse(arguments)
        assert vars(options) or not arguments
        for kind in (FinetuneConfig, RunConfig, SamplingConfig, PretrainConfig):
            config_from(kind, options)


def test_the_version() -> None:
    assert run("--version") == Result(0, f"gpt2-helpers {__version__}\n", "")


def test_help_comes_without_tensorflow() -> None:
    script = """
import sys
from gpt2_helpers.cli.app import main
for arguments in (["--help"], ["--version"], ["finetune", "--help"], ["generate", "--help"],
                  ["download", "--help"], ["encode", "--help"], ["info", "--help"],
                  ["pretrain", "--help"],
                  ["finetune", "--no-such-option"], ["download", "no-such-model"],
                  ["finetune", "no-such-file"], ["generate", "--top-k", "-1"]):
    main(arguments)
    assert "tensorflow" not in sys.modules, arguments
"""
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fintune titles.csv", "no command 'fintune' (did you mean 'finetune'?)"),
        ("finetune", "DATASET is missing: gpt2-helpers finetune --help"),
        ("finetune titles.csv more.csv", "no place for 'more.csv'"),
        ("finetune titles.csv --stpes 5", "(did you mean '--steps'?)"),
        ("finetune titles.csv --steps", "--steps needs a value"),
        ("finetune titles.csv --steps few", "steps must be a whole number, got 'few'"),
        ("finetune titles.csv --batch_size 0", "batch_size must be at least 1, got 0"),
        ("finetune titles.csv --optimizer adm", "(did you mean 'adam'?)"),
        ("finetune titles.csv --lr-schedule linear --steps 0", "needs a number of steps above 0"),
        ("finetune titels.csv", "(did you mean 'titles.csv'?)"),
        ("finetune titles.csv --model-name toi --restore-from fresh", "(did you mean 'toy'?)"),
        ("finetune titles.csv --early-stopping-patience 2", "needs a validation loss"),
        ("finetune titles.csv --column nothing", "no column 'nothing'"),
        ("finetune titles.csv --run-name a/b", "plain folder name"),
        ("finetune titles.csv --restore-from nowhere", "latest, fresh or a folder"),
        ("generate --run-name run2", "(did you mean 'run1'?)"),
        ("generate --run-name run1 --model-name toy", "give one of them"),
        ("generate --checkpoint model-99", "model-99"),
        ("generate --top-p 1.5", "top_p must be between 0.0 and 1.0, got 1.5"),
        ("generate --nfiles 0", "nfiles must be at least 1, got 0"),
        ("generate --nfiles 2 --destination-path out.txt", "give one or the other"),
        ("generate --prefix What --length 1", "the prefix has 1 tokens"),
        ("generate --prefix What --length 1 --nfiles 2", "the prefix has 1 tokens"),
        ("generate --prefix \udcff --length 9", "lone surrogate"),
        ("generate --folder titles.csv --length 2", "folder='titles.csv' cannot be written to"),
        ("generate --destination-path models --length 2", "cannot be written to"),
        ("download 124m", "(did you mean '124M'?)"),
        ("encode nothing.txt", "does not exist"),
        ("encode titles.csv --model-name toi", "(did you mean 'toy'?)"),
        ("pretrain titles.csv", "--out is missing"),
        ("pretrain titles.csv --out models/toy", "already contains a model"),
        ("pretrain titles.csv --out new --n-embd 30 --n-head 4", "divisible by n_head"),
        ("info run2", "(did you mean 'run1'?)"),
        ("info run1 run2", "no place for 'run2'"),
    ],
)
def test_wrong_input_is_refused_in_one_line(work: Path, arguments: str, message: str) -> None:
    before = names_in(work)
    assert message in refusal(*arguments.split())
    assert names_in(work) == before


def test_a_folder_that_cannot_be_made_is_refused(work: Path) -> None:
    result = run(*finetune_arguments(), "--steps", 1, "--checkpoint-dir", "titles.csv")
    assert result.code == 2
    (line,) = (line for line in result.err.splitlines() if "gpt2-helpers: " in line)
    assert "titles.csv" in line
    assert "Traceback" not in result.err


# -- finetune ----------------------------------------------------------------------------------


def test_finetuning_goes_on_in_another_process(work: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gpt2_helpers", *finetune_arguments(), "--steps", "2"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    steps = re.findall(r"^\[(\d+) \| [\d.]+\] loss=[\d.]+ avg=[\d.]+$", done.stdout, re.MULTILINE)
    assert steps == ["4", "5"]
    folder = RunFolder(work / "checkpoint", "run1")
    assert folder.read().step == 5
    assert [step for step, _ in folder.read().record.losses] == [1, 2, 3, 4, 5]
    load_model(folder.path)
    # What TensorFlow says of itself while it starts is no part of what the command says.
    assert "finetuning" in done.stderr
    assert "oneDNN" not in done.stderr + done.stdout


def test_ctrl_c_saves_and_exits_130(work: Path) -> None:
    arguments = [*finetune_arguments(), "--steps", 0, "--run-name", "run2"]
    with process(work, *arguments) as started:
        for line in stdout_of(started):
            if line.startswith(b"[2 |"):
                break
        started.send_signal(signal.SIGINT)
        rest = stdout_of(started).read()
        code = started.wait(timeout=300)
    assert code == 130, said(work)
    assert "Traceback" not in said(work)
    assert b"interrupted and saved" in rest
    folder = RunFolder(work / "checkpoint", "run2")
    assert folder.read().step >= 2
    assert int((folder.path / "counter").read_text()) == folder.read().step
    assert len(folder.read().record.losses) == folder.read().step
    load_model(folder.path)


def test_options_reach_the_run(work: Path) -> None:
    result = run(
        *finetune_arguments(),
        *("--steps", 4, "--run_name", "run2", "--learning_rate", "2e-3", "--optimizer", "sgd"),
        *("--save-every", 2, "--max-checkpoints", 0, "--print-every", 4, "--column", "title"),
        *("--overwrite", "no", "--dropout", 0.25, "--legacy-tokens"),
    )
    assert result.code == 0, result.err
    folder = RunFolder(work / "checkpoint", "run2")
    assert {path.stem for path in folder.path.glob("model-*.index")} == {"model-2", "model-4"}
    assert len(re.findall("loss=", result.out)) == 1
    parameters = folder.read().record.parameters
    assert parameters["learning_rate"] == 0.002
    assert parameters["optimizer"] == "sgd"
    assert parameters["dropout"] == 0.25
    assert parameters["legacy_tokens"] is True
    assert parameters["column"] == "title"


@pytest.fixture
def mirror(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A server on this machine that has the toy model under the name 124M."""
    with running() as server:
        for name in FILES:
            server.files[f"/models/124M/{name}"] = (made / "models/toy" / name).read_bytes()
        monkeypatch.setenv("GPT2_HELPERS_MIRROR", f"{server.address}/models")
        monkeypatch.setenv("no_proxy", "*")
        yield server


@pytest.mark.usefixtures("mirror")
def test_a_model_that_is_missing_is_downloaded_first(work: Path) -> None:
    arguments = ("titles.csv", *QUICK, "--steps", 1, "--run-name", "run2")
    result = run("finetune", *arguments)
    assert result.code == 0, result.err
    assert "gpt2-helpers: 124M is not in models yet and is downloaded first\n" in result.err
    assert {path.name for path in (work / "models/124M").iterdir()} == set(FILES)
    assert RunFolder(work / "checkpoint", "run2").read().record.base_model == "124M"
    # It is there now, and a run that goes on needs no base model at all.
    assert "downloaded" not in run("generate", "--model-name", "124M", "--length", 3).err
    (work / "models/124M/model.ckpt.index").unlink()
    assert "downloaded" not in run("finetune", *arguments).err
    # One that is not whole is completed.
    result = run("encode", "titles.csv")
    assert (result.code, "downloaded first" in result.err) == (0, True)
    assert (work / "models/124M/model.ckpt.index").is_file()


@pytest.mark.parametrize("command", ["finetune", "encode"])
def test_nothing_is_downloaded_for_a_dataset_that_is_not_there(
    work: Path, mirror: FaultyServer, command: str
) -> None:
    assert "does not exist" in refusal(command, "nothing.csv", "--model-name", "124M")
    assert mirror.requests == []
    assert not (work / "models/124M").exists()


# -- generate ----------------------------------------------------------------------------------


def texts_of(work: Path, prompts: list[str], **options: object) -> list[str]:
    """What the session writes with the same options, in order."""
    session = Session()
    session.load_run("run1", work / "checkpoint")
    texts = session.generate(prompts, SamplingConfig(**options))  # type: ignore[arg-type]
    return [str(text) for text in sorted(texts, key=lambda text: text.index)]


def test_texts_are_printed_and_nothing_else(work: Path) -> None:
    texts = texts_of(work, [""], nsamples=3, batch_size=2, length=12, seed=5)
    result = run("generate", "--nsamples", 3, "--batch_size", 2, "--length", 12, "--seed", 5)
    assert result.code == 0
    assert result.out == "".join(f"{text}\n{DELIMITER}" for text in texts)
    assert "generating" in result.err


def test_a_single_text_has_no_delimiter(work: Path) -> None:
    (text,) = texts_of(work, ["What"], length=12, seed=5)
    result = run("generate", "--prefix", "What", "--length", 12, "--seed", 5)
    assert result.out == f"{text}\n"
    assert text.startswith("What")


def test_several_prefixes_and_a_delimiter_of_ones_own(work: Path) -> None:
    options = {"nsamples": 2, "batch_size": 4, "length": 14, "seed": 2, "include_prefix": False}
    texts = texts_of(work, ["What", "How is\nthat"], **options)
    result = run(
        *("generate", "--prefix", "What", "--prefix", "How is\nthat", "--nsamples", 2),
        *("--batch-size", 4, "--length", 14, "--seed", 2, "--include-prefix", "False"),
        *("--sample-delim", "-----"),
    )
    assert len(texts) == 4
    assert result.out == "".join(f"{text}\n-----" for text in texts)


def test_a_pretrained_model_writes_too(work: Path) -> None:
    result = run("generate", "--model-name", "toy", "--length", 8, "--temperature", 0)
    session = Session()
    session.load_pretrained("toy", work / "models")
    (text,) = session.generate("", SamplingConfig(length=8, temperature=0))
    assert result.out == f"{text}\n"


def test_one_file_of_texts(work: Path) -> None:
    arguments = ("generate", "--nsamples", 4, "--length", 9, "--seed", 8)
    printed = run(*arguments).out
    result = run(*arguments, "--destination-path", "new/out.txt")
    assert result.out == "4 texts in new/out.txt\n"
    assert (work / "new/out.txt").read_bytes().decode() == printed


def test_several_files_of_texts(work: Path) -> None:
    arguments = ("generate", "--nsamples", 2, "--length", 9, "--seed", 8)
    first, again = run(*arguments, "--nfiles", 3), run(*arguments, "--folder", "gen")
    assert (first.code, again.code) == (0, 0)
    told = re.findall("^2 texts in (.+)$", first.out + again.out, re.MULTILINE)
    files = [work / path for path in told]
    assert sorted(files) == sorted((work / "gen").iterdir())
    assert len(set(files)) == 4  # not one took the place of another, although of the same second
    assert all(re.fullmatch(r"gpt2_gentext_\d{8}_\d{6}(_\d+)?\.txt", f.name) for f in files)
    contents = [file.read_bytes() for file in files]
    assert contents[0].decode() == run(*arguments).out == contents[3].decode()
    assert len(set(contents[:3])) == 3


def test_what_may_surprise_is_one_line_on_stderr(work: Path) -> None:
    """A prefix that is longer than what the model sees is a warning of Python's, shown plainly."""
    result = run("generate", "--prefix", "z" * 30, "--length", 32)
    assert result.code == 0
    (line,) = (line for line in result.err.splitlines() if "prefix" in line)
    assert "gpt2-helpers: the prefix has 30 tokens" in line
    assert "Warning" not in result.err


def test_a_closed_pipe_ends_it_quietly(work: Path) -> None:
    with process(work, "generate", "--nsamples", 10**4, "--length", 3) as started:
        assert stdout_of(started).readline()
        stdout_of(started).close()
        assert started.wait(timeout=300) == 141, said(work)
    for word in ("Traceback", "BrokenPipe", "Exception", "gpt2-helpers:"):
        assert word not in said(work)


def test_ctrl_c_leaves_whole_texts(work: Path) -> None:
    arguments = ("generate", "--nsamples", 10**4, "--length", 9, "--prefix", "ä")
    # UTF-8 also where the language of the machine would have it otherwise.
    with process(work, *arguments, PYTHONIOENCODING="ascii") as started:
        written = stdout_of(started).readline()
        started.send_signal(signal.SIGINT)
        written += stdout_of(started).read()
        code = started.wait(timeout=300)
    assert code == 130, said(work)
    assert said(work).splitlines()[-1] == "gpt2-helpers: interrupted"
    assert "Traceback" not in said(work)
    assert written.decode().startswith("ä")
    assert written.decode().endswith(f"\n{DELIMITER}")


def test_streams_that_are_closed_from_the_start(work: Path) -> None:
    """As by `2>&-`: Python has no such stream then."""

    def shell(arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = f"{shlex.quote(sys.executable)} -m gpt2_helpers {arguments}"
        environment = {**os.environ, "PYTHONPATH": python_path()}
        return subprocess.run(
            command, shell=True, cwd=work, env=environment, capture_output=True, timeout=300
        )

    done = shell("generate --length 5 --seed 1 2>&-")
    assert done.returncode == 0
    assert done.stdout.decode() == run("generate", "--length", 5, "--seed", 1).out
    done = shell("generate --top-k -1 >&-")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


# -- download, encode, pretrain ----------------------------------------------------------------


def test_the_bundled_model_is_copied(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "BUNDLED_FOLDER", work / "models" / "toy")
    assert run("download", "tiny", "--model-dir", "mine").out == "mine/tiny is complete\n"
    assert {path.name for path in (work / "mine/tiny").iterdir()} == set(FILES)
    assert run("download", "tiny", "--model-dir", "mine").out == "mine/tiny was there already\n"


def test_encoded_text_is_what_finetune_takes(work: Path) -> None:
    result = run("encode", "titles.csv", "--model-name", "toy", "--out-path", "titles")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "encoded into titles.npz"
    assert "3 documents" in result.out
    tokens = np.load(work / "titles.npz")["arr_0"]
    rows = TITLES.splitlines()[1:]
    text = "".join(f"<|startoftext|>{row}<|endoftext|>\n" for row in rows)
    assert tokens.tolist() == Tokenizer.load("models/toy").encode(text, special=True)
    result = run("finetune", "titles.npz", "--model-name", "toy", *QUICK, "--steps", 1)
    assert result.code == 0, result.err


def test_a_new_model_from_text(work: Path) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    arguments = (
        *("pretrain", "titles.csv", "--out", "models/new", "--vocab-size", 262, "--n-ctx", 8),
        *("--n-embd", 8, "--n-layer", 1, "--n-head", 2, "--batch-size", 1, "--steps", 2),
        *("--warmup-steps", 1, "--validation-split", 0.2, "--precision", "float32", "--dropout", 0),
    )
    result = run(*arguments)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "the new model is in models/new"
    assert "validation=" in result.out
    assert load_model(work / "models/new").config == ModelConfig(262, 8, 8, 2, 1)
    text = run("generate", "--model-name", "new", "--prefix", "What", "--length", 8)
    assert text.out.startswith("What")
    again = run(*arguments)
    assert (again.code, "loss=" in again.out) == (0, False)  # it is done already


# -- info --------------------------------------------------------------------------------------


def test_what_is_there(work: Path) -> None:
    (work / "models" / "torn").mkdir()
    (work / "models" / "torn" / "hparams.json").write_text("{}")
    result = run("info")
    assert (result.code, result.err) == (0, "")
    machine, models, runs = result.out.split("\n\n")
    assert f"gpt2-helpers {__version__}" in machine
    assert "tensorflow " in machine
    assert "processor: " in machine
    assert re.search(r"^  toy +[\d,]+ weights .* sees 24 tokens$", models, re.MULTILINE)
    assert re.search(r"^  tiny ", models, re.MULTILINE)
    assert re.search(r"^  torn +unusable: .* is missing n_vocab", models, re.MULTILINE)
    loss = f"{RunFolder('checkpoint', 'run1').read().record.losses[-1][1]:.2f}"
    shown = rf"^  run1 +3 steps, loss {loss}, validation [\d.]+; toy on titles.csv$"
    assert re.search(shown, runs, re.MULTILINE)
    assert "none yet" in run("info", "--checkpoint-dir", "elsewhere").out


def test_what_a_run_holds(work: Path) -> None:
    result = run("info", "run1")
    assert result == run("info", "--run-name", "run1")
    rows = dict(re.findall(r"^  ([\w ]+\.?\w*): +(.+)$", result.out, re.MULTILINE))
    record = RunFolder("checkpoint", "run1").read().record
    assert rows["folder"].startswith("checkpoint/run1, ")
    assert rows["checkpoints"] == "model-3 (newest)"
    assert rows["steps"] == "3"
    assert rows["begun from"] == "toy"
    assert rows["dataset"] == "titles.csv"
    assert rows["loss"].startswith(f"{record.losses[0][1]:.2f} at step 1, ")
    assert f"{record.losses[-1][1]:.2f} at step 3" in rows["loss"]
    assert f"{record.validation_losses[-1][1]:.2f} at step 3" in rows["validation"]
    assert {"steps=3", "seed=1", "validation_split=0.3"} <= set(rows["options"].split(", "))
    assert "batch_size" not in rows["options"]  # it is the default
    assert "tensorflow " in rows["made with"]


def test_a_run_of_gpt_2_simple(work: Path) -> None:
    place = GOLDEN
    result = run("info", "gpt_2_simple_run", "--checkpoint-dir", place)
    assert "model-20 (newest)" in result.out
    assert "gpt-2-simple" in result.out
    assert re.search(
        r"^  gpt_2_simple_run +20 steps$", run("info", "--checkpoint-dir", place).out, re.M
    )


def test_a_damaged_run_does_not_hide_the_others(work: Path) -> None:
    assert run(*finetune_arguments(), "--steps", 1, "--run-name", "run2").code == 0
    (work / "checkpoint/run2/run.json").write_text("{")
    lines = run("info").out.splitlines()
    assert any(line.startswith("  run1  3 steps, loss") for line in lines)
    assert any("run.json cannot be read" in line for line in lines)
    assert "run.json cannot be read" in refusal("info", "run2")
    (work / "checkpoint/run2/model-1.data-00000-of-00001").unlink()
    lines = run("info").out.splitlines()
    assert any(line.startswith("  run1  3 steps, loss") for line in lines)
    assert any(line.startswith("  run2  unusable: ") for line in lines)
