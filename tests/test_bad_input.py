"""Invalid input on the command line: one helpful line, exit code 2, and no changed files.

The cases are damaged, unsupported and malicious files, unknown names and invalid option values.
tests/cli/test_app.py has the syntax of options.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

import gpt2_helpers as gpt2
from gpt2_helpers.checkpoint.tensor_bundle import DATA
from gpt2_helpers.checkpoint.weights import WeightsReader, write_weights
from gpt2_helpers.cli.app import main
from gpt2_helpers.data import remote_files
from gpt2_helpers.errors import Gpt2Error
from index_files import entry, index, slices
from toy_runs import save_run, write_model

MODEL, RUN = Path("models/toy"), Path("checkpoint/run1")
PROGRESS_BAR = r"^(encoding|finetuning|generating): .*\]"
FINETUNE = "finetune {} --model-name toy --steps 1 --sample-every 0 --restore-from fresh"
GENERATE = "generate --length 8"  # with run1


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a working folder: a model, a run and a table."""
    folder, before = tmp_path_factory.mktemp("template"), Path.cwd()
    os.chdir(folder)
    try:
        write_model()
        save_run()
        Path("titles.csv").write_text("title\nWhat is best?\nWhat would you start?\n")
        return contents(folder)
    finally:
        os.chdir(before)


@pytest.fixture
def work(template: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote_files, "_RETRY_PAUSES", ())
    for name, body in template.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size < 1 << 30
    }


def run_command(arguments: str) -> tuple[int, list[str]]:
    """Return the exit code of a command and its lines on stderr, without progress bars."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments.split())
    lines = err.getvalue().replace("\r", "\n").splitlines()
    return code, [line for line in lines if line.strip() and not re.search(PROGRESS_BAR, line)]


def file(name: str, body: bytes | str) -> Callable[[], None]:
    data = body.encode() if isinstance(body, str) else body
    return lambda: _write(name, data)


def _write(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)


def zip_file(name: str, member: str, body: bytes) -> Callable[[], None]:
    def make() -> None:
        with zipfile.ZipFile(name, "w") as zipped:
            zipped.writestr(member, body)

    return make


def parquet(name: str, **columns: list[Any]) -> Callable[[], None]:
    return lambda: pyarrow.parquet.write_table(pyarrow.table(columns), name)


def tar_file(name: str) -> Callable[[], None]:
    def make() -> None:
        Path("a.txt").write_text("What is best?")
        with tarfile.open(name, "w:gz") as tar:
            tar.add("a.txt")

    return make


def arrays(name: str, *values: Any, **options: Any) -> Callable[[], None]:
    return lambda: np.savez(name, *values, **options)


def npy(shape: str, version: bytes = b"\x01\x00\x76\x00") -> Callable[[], None]:
    """An .npy file with a false header. `version` contains the version and the header's length."""
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return file("ids.npy", b"\x93NUMPY" + version + header.encode() + bytes(10))


def pickled() -> None:
    """An array of objects: unpickling it would run arbitrary code."""
    np.savez("ids.npz", np.array([os.getcwd, {}], dtype=object), allow_pickle=True)


def hparams(**values: Any) -> Callable[[], None]:
    def make() -> None:
        path = RUN / "hparams.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return make


def weights(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], None]:
    """Change one array of the run's weights."""

    def make() -> None:
        prefix = RUN / "model-4"
        arrays = dict(WeightsReader(prefix))
        write_weights(prefix, {**arrays, name: change(arrays[name])})

    return make


def truncate(path: Path, size: int) -> Callable[[], None]:
    return lambda: os.truncate(path, size)


def sparse(path: Path) -> Callable[[], None]:
    """Make a file of a terabyte that needs no disk space."""
    return lambda: os.truncate(path, 1 << 40)


def pipe(path: Path) -> Callable[[], None]:
    def make() -> None:
        path.unlink()
        os.mkfifo(path)

    return make


def device(path: Path) -> Callable[[], None]:
    def make() -> None:
        path.unlink()
        path.symlink_to("/dev/zero")

    return make


def replace_merges() -> None:
    (RUN / "vocab.bpe").write_text("#version: 0.2\nzz yy\n", encoding="utf-8")


DATASETS: list[tuple[str, str, Callable[[], Any], str]] = [
    # name of the case, file, function that creates it, part of the message
    ("no such file", "titels.csv", lambda: None, "did you mean 'titles.csv'?"),
    ("empty text", "x.txt", file("x.txt", ""), "no text"),
    ("empty CSV", "x.csv", file("x.csv", ""), "no text"),
    ("a header only", "x.csv", file("x.csv", "title\n"), "no text"),
    ("unequal columns", "x.csv", file("x.csv", "a,b\n1,2\n3\n"), "line 3"),
    ("an unclosed quote", "x.csv", file("x.csv", 'title\n"What is\nbest\n'), "quote"),
    ("NUL bytes in a CSV", "x.csv", file("x.csv", b"title\nWhat\x00is\n"), "NUL"),
    ("NUL bytes in a text", "x.txt", file("x.txt", b"What\x00is best"), "NUL"),
    ("a field of 100 MB", "x.csv", file("x.csv", b"title\n" + b"word " * 20_000_000), "long"),
    ("random bytes", "x.txt", file("x.txt", bytes(range(256)) * 40), "x.txt"),
    ("an image", "x.txt", file("x.txt", b"\x89PNG\r\n\x1a\n" + bytes(90)), "PNG"),
    ("an archive", "x.txt", zip_file("x.txt", "a.txt", b"What is best?"), "zip"),
    (
        "an unsupported encoding",
        "x.txt",
        file("x.txt", ("日本語の本" * 9).encode("shift_jis")),
        "x.txt",
    ),
    ("empty JSON", "x.json", file("x.json", ""), "line 1: not valid JSON"),
    ("empty JSON Lines", "x.jsonl", file("x.jsonl", "\n"), "no text"),
    ("an empty list", "x.json", file("x.json", "[]"), "no text"),
    ("a text named JSON", "x.json", file("x.json", "What is best?"), "name the file .txt"),
    ("a wrong line", "x.jsonl", file("x.jsonl", '{"text": "a"}\n{"text": \n'), "line 2"),
    ("a number as text", "x.jsonl", file("x.jsonl", '{"text": "a"}\n{"text": 5}\n'), "line 2"),
    ("a truncated list", "x.json", file("x.json", '["What is best?",\n"Wh'), "line 2"),
    ("no text key", "x.jsonl", file("x.jsonl", '{"a": "b", "c": "d"}\n'), "such as column="),
    ("deep nesting", "x.jsonl", file("x.jsonl", "[" * 999_999), "nested too deeply"),
    ("deep nesting in a list", "x.json", file("x.json", '[{"a":' + "[" * 999_999), "too deeply"),
    ("endless digits", "x.jsonl", file("x.jsonl", '{"text": ' + "9" * 99_999 + "}"), "line 1"),
    ("a line of 20 MB", "x.jsonl", file("x.jsonl", b'"' + b"word " * 4_000_000 + b'"'), "longer"),
    ("settings", "x.json", file("x.json", '{"strict": true}'), "without a list of texts"),
    ("a text named Parquet", "x.parquet", file("x.parquet", "What is best?"), "not a Parquet file"),
    ("a truncated Parquet", "x.txt", file("x.txt", b"PAR1\x15" + bytes(90)), "not a Parquet file"),
    ("Parquet without texts", "x.parquet", parquet("x.parquet", n=[1]), "0 columns of texts"),
    ("two text columns", "x.parquet", parquet("x.parquet", a=["b"], c=["d"]), "such as column="),
    ("a truncated gzip", "x.csv.gz", file("x.csv.gz", gzip.compress(b"title\na\n")[:-9]), "gzip"),
    ("a truncated zstd", "x.txt", file("x.txt", zstandard.compress(b"text" * 99)[:-4]), "zstd"),
    ("a tar in a gzip", "x.tar.gz", tar_file("x.tar.gz"), "is a tar archive"),
    ("a compressed npz", "x.npz.gz", file("x.npz.gz", gzip.compress(b"PK")), "not an .npz"),
    ("an unknown protocol", "nonsense://x.txt", lambda: None, "nonsense://x.txt cannot be opened"),
    ("a missing remote file", "memory://x.txt", lambda: None, "does not exist"),
    ("no server", "http://127.0.0.1:9/x.txt", lambda: None, "after 1 attempts"),
    ("a text named npz", "x.npz", file("x.npz", b"What is best?"), "not an .npz archive"),
    ("a truncated npz", "x.npz", file("x.npz", b"PK\x03\x04" + bytes(30)), "not an .npz archive"),
    ("pickled objects", "ids.npz", pickled, "token ids"),
    ("floats", "ids.npz", arrays("ids.npz", np.ones(5)), "float64"),
    ("a matrix of ids", "ids.npz", arrays("ids.npz", np.ones((2, 2), int)), "(2, 2)"),
    ("negative ids", "ids.npz", arrays("ids.npz", np.array([1, -5])), "must not be negative"),
    ("ids of another vocabulary", "ids.npz", arrays("ids.npz", np.array([1, 50256])), "50256"),
    (
        "a member that is not an array",
        "x.npz",
        zip_file("x.npz", "arr_0.npy", b"no"),
        "not an array",
    ),
    ("a negative count", "ids.npy", npy("(-5,)"), "token ids"),
    ("an endless header", "ids.npy", npy("(5,)", b"\x02\x00\xff\xff\xff\x7f"), "too long"),
    ("an invalid header", "ids.npy", npy("{[]: 1}"), "not an array"),
    ("an empty npz", "ids.npz", arrays("ids.npz", np.array([], int)), "no t"),
    ("one token", "ids.npz", arrays("ids.npz", np.array([1])), "at least two"),
    ("an empty folder", "empty", lambda: Path("empty").mkdir(), "empty"),
    ("a glob without matches", "*.text", lambda: None, "*.text"),
]


ENCODE = "encode {} --model-name toy --out-path new.npz"
# `encode` is not for files of ids.
ROWS = [
    pytest.param(command, *row, id=f"{name}-{command.split()[0]}")
    for command in (FINETUNE, ENCODE)
    for name, *row in DATASETS
    if command == FINETUNE or not str(row[0]).endswith((".npz", ".npy"))
]


@pytest.mark.parametrize(("command", "file", "make", "message"), ROWS)
def test_a_dataset(
    work: Path, command: str, file: str, make: Callable[[], Any], message: str
) -> None:
    make()
    before = contents(work)
    code, lines = run_command(command.format(file))
    assert (code, len(lines)) == (2, 1), lines
    assert message in lines[0]
    assert len(lines[0]) < 600
    assert contents(work) == before


STRING = (b"a", entry(dtype=7))  # of a dtype that is not supported

RUNS: list[tuple[str, Callable[[], Any], str]] = [
    ("truncated weights", truncate(RUN / f"model-4{DATA}", 5000), "truncated or damaged"),
    ("missing weights", lambda: (RUN / f"model-4{DATA}").unlink(), "but one was saved before"),
    ("a truncated index", truncate(RUN / "model-4.index", 99), "is not a valid checkpoint index"),
    (
        "another file as index",
        file("checkpoint/run1/model-4.index", b"x" * 999),
        "is not a valid checkpoint index",
    ),
    *(
        (f"an index with {fault}", file("checkpoint/run1/model-4.index", content), message)
        for fault, content, message in [
            ("garbage", index(STRING, (b"b", b"b" + bytes([255] * 6))), "unexpected end of data"),
            ("a negative dimension", index(STRING, (b"b", entry(shape=(2**64 - 5,)))), "negative"),
            ("a slice twice", index((b"a", entry() + slices(((0, None),), ((0, None),)))), "slice"),
        ]
    ),
    ("NaN", weights("model/wpe", lambda a: a * np.nan), "NaN"),
    ("infinity", weights("model/h1/mlp/c_fc/b", lambda a: a / 0), "infinite"),
    ("integers", weights("model/wpe", lambda a: a.astype(np.int16)), "has dtype int16"),
    ("truth values", weights("model/h0/ln_1/g", lambda a: a > 0), "has dtype bool"),
    ("another shape", weights("model/wpe", lambda a: a[1:]), "has shape"),
    ("hparams that are not JSON", file("checkpoint/run1/hparams.json", "n_ctx: 5"), "JSON"),
    ("hparams nested too deeply", file("checkpoint/run1/hparams.json", "[" * 99999), "JSON"),
    ("hparams that are a list", file("checkpoint/run1/hparams.json", "[]"), "is missing"),
    ("hparams in another encoding", file("checkpoint/run1/hparams.json", b"\xff\xfe{"), "JSON"),
    ("a word instead of a number", hparams(n_layer="two"), "n_layer"),
    ("a fraction", hparams(n_embd=16.5), "n_embd"),
    ("a boolean", hparams(n_head=True), "n_head"),
    ("null", hparams(n_ctx=None), "n_ctx"),
    ("a negative number", hparams(n_ctx=-32), "n_ctx"),
    ("an enormous number", hparams(n_embd=10**12), "n_embd"),
    ("an enormous number of layers", hparams(n_layer=10**9), "n_layer"),
    ("too many layers", hparams(n_layer=3), "h2/"),
    ("hparams of 5,000 digits", file("checkpoint/run1/hparams.json", "9" * 5000), "digits"),
    ("a number of 4,000 digits", hparams(n_ctx=10**4000), "n_ctx"),
    ("hparams of a terabyte", sparse(RUN / "hparams.json"), "larger than"),
    ("a vocabulary of a terabyte", sparse(RUN / "encoder.json"), "larger than"),
    ("merges of a terabyte", sparse(RUN / "vocab.bpe"), "larger than"),
    ("an index of a terabyte", sparse(RUN / "model-4.index"), "larger than"),
    ("hparams that are a pipe", pipe(RUN / "hparams.json"), "not a regular file"),
    ("a vocabulary that is a pipe", pipe(RUN / "encoder.json"), "not a regular file"),
    ("an index that is a pipe", pipe(RUN / "model-4.index"), "model-4.index is missing"),
    ("weights that are a pipe", pipe(RUN / f"model-4{DATA}"), f"model-4{DATA} is missing"),
    ("a device", device(RUN / "vocab.bpe"), "not a regular file"),
    ("an empty vocabulary", file("checkpoint/run1/encoder.json", "{}"), "encoder.json"),
    ("a vocabulary without ids", file("checkpoint/run1/encoder.json", '{"a": "b"}'), "integers"),
    ("a vocabulary nested too deeply", file("checkpoint/run1/encoder.json", "[" * 99999), "read"),
    ("merges of another model", replace_merges, "does not match encoder.json"),
    ("malformed merges", file("checkpoint/run1/vocab.bpe", "a b c\nd\n"), "vocab.bpe"),
    ("merges in another encoding", file("checkpoint/run1/vocab.bpe", b"\xff\xfe\x00"), "read"),
    ("a larger vocabulary", hparams(n_vocab=330), "has shape"),
]


@pytest.mark.parametrize(("make", "message"), [r[1:] for r in RUNS], ids=[row[0] for row in RUNS])
def test_a_run(work: Path, make: Callable[[], Any], message: str) -> None:
    with np.errstate(all="ignore"):
        make()
    before = contents(work)
    code, lines = run_command(GENERATE)
    assert (code, len(lines)) == (2, 1), lines
    assert message in lines[0]
    assert len(lines[0]) < 600
    assert contents(work) == before


@pytest.mark.parametrize(
    "counts",
    [
        np.full(5, -1),
        np.array([4, -1, 0, 5, 0]),
        np.full(5, np.nan),
        np.full(5, np.inf),
        np.ones((5, 5), int),
        np.ones(4, int),
    ],
)
def test_an_optimizer_state(work: Path, counts: np.ndarray) -> None:
    write_weights(RUN / "optimizer-4", {"numbers": np.ones(3), "counts": counts})
    before = contents(work)
    code, lines = run_command("finetune titles.csv --model-name toy --steps 1 --sample-every 0")
    assert (code, len(lines)) == (2, 1), lines
    assert "optimizer state of step 4" in lines[0]
    assert contents(work) == before


def test_names_of_files_that_are_not_text(work: Path) -> None:
    name = os.fsdecode(b"\xff\x1b[2J\n.txt")
    Path(name).write_bytes("Où est-ce? ".encode("latin-1") * 40)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["finetune", name, *FINETUNE.split()[2:], "--run-name", "new"])
    assert code == 0, err.getvalue()
    card = Path("checkpoint/new/MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (out.getvalue(), err.getvalue(), card):
        assert r"\udcff\x1b[2J\n.txt" in text or text == err.getvalue()
        assert "\x1b" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("generate --run-name rum1", "did you mean 'run1'?"),
        ("generate --model-name 124m", "did you mean '124M'?"),
        ("finetune titles.csv --model-name tiyn --restore-from fresh", "did you mean 'tiny'?"),
        ("finetune titles.csv --steps 1.5", "steps must be a whole number, got 1.5"),
        ("finetune titles.csv --learning-rate -1", "learning_rate"),
        ("finetune titles.csv", "the optimizer state of step 4 in checkpoint/run1 is damaged"),
        ("finetune titles.csv --learning-rate nan", "learning_rate"),
        ("finetune titles.csv --learning-rate inf", "learning_rate"),
        ("finetune titles.csv --batch-size -1", "batch_size"),
        ("finetune titles.csv --lora-rank -1", "lora_rank"),
        ("finetune titles.csv --run-name ..", "run_name"),
        ("finetune titles.csv --run-name /etc", "run_name"),
        ("generate --length 0", "length must be at least 1"),
        ("generate --length ten", "length must be a whole number, got 'ten'"),
        ("generate --nsamples 0", "nsamples must be at least 1, got 0"),
        ("generate --batch-size 0", "batch_size"),
        ("generate --temperature -1", "temperature"),
        ("generate --temperature nan", "temperature"),
        ("generate --temperature hot", "temperature must be a number, got 'hot'"),
        ("generate --top-k -1", "top_k"),
        ("generate --top-p -0.1", "top_p"),
        ("generate --top-p inf", "top_p"),
        ("generate --seed -1", "seed"),
        ("generate --include-prefix=maybe", "include_prefix"),
        ("generate --precision float7", "precision"),
        (f"generate --seed {'9' * 4000}", "a whole number, got a number of about 4,000 digits"),
        (f"generate --seed {'9' * 5000}", "seed must be a whole number, got '9999"),
        (f"generate --temperature {'9' * 5000}", "temperature must be a number, got '9999"),
        ("generate --temperature 1e400", "temperature must be a number, got '1e400'"),
        (f"generate --precision {'9' * 5000}", "precision must be one of"),
        (f"finetune titles.csv --column {'9' * 5000}", "has no column"),
    ],
)
def test_an_option(work: Path, arguments: str, message: str) -> None:
    before = contents(work)
    code, lines = run_command(arguments)
    assert (code, len(lines)) == (2, 1), lines
    assert message in lines[0]
    assert len(lines[0]) < 600
    assert contents(work) == before


# -- Archives from Google Drive


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 3, link: str = "") -> Any:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, size, link
        tar.addfile(info, io.BytesIO(b"xyz"))

    return add


def bomb(tar: tarfile.TarFile) -> None:
    """A header that states a size larger than any disk."""
    info = tarfile.TarInfo("checkpoint/run1/model-4.index")
    info.size = 1 << 60
    assert tar.fileobj is not None
    tar.fileobj.write(info.tobuf())  # `addfile` wants as many bytes


@pytest.mark.parametrize(
    "add",
    [
        member("../outside"),
        member("checkpoint/../../outside"),
        member("/etc/outside"),
        member("checkpoint/run1/model-4.index", tarfile.SYMTYPE, 0, "/etc/passwd"),
        member("checkpoint/run1/model-4.index", tarfile.LNKTYPE, 0, "/etc/passwd"),
        member("checkpoint/run1/model-4.index", tarfile.CHRTYPE, 0),
        member("checkpoint/run1/model-4.index", tarfile.FIFOTYPE, 0),
        bomb,
    ],
    ids=["..", "inner ..", "absolute", "symbolic link", "hard link", "device", "pipe", "bomb"],
)
def test_an_archive(work: Path, monkeypatch: pytest.MonkeyPatch, add: Any) -> None:
    drive = work / "drive" / "MyDrive"
    drive.mkdir(parents=True)
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(work / "drive"))
    with tarfile.open(drive / "checkpoint_run1.tar", "w") as tar:
        add(tar)
    before = contents(work)
    with pytest.raises(Gpt2Error) as caught:
        gpt2.copy_checkpoint_from_gdrive("run1")
    assert "\n" not in str(caught.value)
    assert contents(work) == before
    assert not (work.parent / "outside").exists()
