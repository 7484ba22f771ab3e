"""The readers of files as functions of bytes that raise only this package's errors."""

from __future__ import annotations

import collections
import contextlib
import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import zstandard

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.config import DatasetConfig, ModelConfig
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.formats import has_records
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.data.token_files import read_tokens
from gpt2_helpers.data.token_shards import TokenIndex, read_token_dataset
from gpt2_helpers.errors import CheckpointError, Gpt2Error, printable
from gpt2_helpers.exchange import config_json as exchange_config
from gpt2_helpers.exchange.weights import SafetensorsWeights, save_weights
from gpt2_helpers.google import archive_checks, run_archive
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.tokenizer import TOKENIZER_FILES, Tokenizer
from index_files import sliced_index, with_valid_checksums

SMALLEST = ModelConfig(n_vocab=5, n_ctx=2, n_embd=2, n_head=1, n_layer=1)
SEPARATOR = b"\n====\n"  # between the two files of a tokenizer
# In memory if possible: nothing has to be written to a disk.
_FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


def _consume(items: object) -> None:
    collections.deque(items, maxlen=0)  # type: ignore[call-overload]


def npz(data: bytes) -> None:
    _consume(read_tokens(_file("ids.npz", data), 300))


def npy(data: bytes) -> None:
    _consume(read_tokens(_file("ids.npy", data), 300))


def token_index(data: bytes) -> None:
    _file("texts-0.npy", b"")
    _consume(read_token_dataset(_file("texts.tokens", data), 300))


def table(data: bytes) -> None:
    _consume(read_column(_file("titles.csv", data), ReadReport()))


def text(data: bytes) -> None:
    _consume(read_text(_file("text.txt", data), ReadReport()))


def json_lines(data: bytes) -> None:
    _read_records("texts.jsonl", data)


def json_list(data: bytes) -> None:
    _read_records("texts.json", data)


def parquet(data: bytes) -> None:
    _read_records("texts.parquet", data)


def gzipped(data: bytes) -> None:
    _read_records("texts.csv.gz", data)


def zstd(data: bytes) -> None:
    _read_records("texts.jsonl.zst", data)


def _read_records(name: str, data: bytes) -> None:
    report = ReadReport()
    path = _file(name, data)
    if has_records(path):
        _consume(read_records(path, report, DatasetConfig()))
    else:
        _consume(read_text(path, report))
    assert all(note == printable(note) for note in report.notes()), report.notes()


def config_json(data: bytes) -> None:
    path = _file("config.json", data)
    values = exchange_config.read_object(path)
    exchange_config.model_config(values, path)


def safetensors(data: bytes) -> None:
    _file("model.safetensors", data)
    weights = SafetensorsWeights(_FOLDER, SMALLEST)
    for name in weights:
        weights[name]


def hparams(data: bytes) -> None:
    _file("hparams.json", data)
    ModelConfig.load(_FOLDER)


def tokenizer(data: bytes) -> None:
    for name, part in zip(TOKENIZER_FILES, data.partition(SEPARATOR)[::2], strict=True):
        _file(name, part)
    loaded = Tokenizer.load(_FOLDER)
    assert loaded.decode(loaded.encode("What is the best?")) == "What is the best?"


def tar(data: bytes) -> None:
    archive_checks.read_contents(_file("checkpoint_run1.tar", data))


def index(data: bytes) -> None:
    _file("model.data-00000-of-00001", bytes(64))
    with contextlib.suppress(CheckpointError):
        _file("model.index", data)
        WeightsReader(_FOLDER / "model")
    # Changed files rarely have the right checksums, which are checked before everything else.
    _file("model.index", with_valid_checksums(data))
    reader = WeightsReader(_FOLDER / "model")
    for name in reader:
        with contextlib.suppress(CheckpointError):
            reader[name]


def record(data: bytes) -> None:
    _file("run.json", data)
    found = RunRecord.load(_FOLDER)
    texts = [found.dataset, found.base_model, *found.versions, *found.versions.values()]
    assert all(text == printable(text) for text in texts), texts
    found.epochs(5)
    found.forget_after(1)
    found.save(_FOLDER)
    assert RunRecord.load(_FOLDER) == found


TARGETS: dict[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (
        *(npz, npy, token_index, table, text, json_lines, json_list, parquet, gzipped, zstd),
        *(hparams, tokenizer, tar, index, record, config_json, safetensors),
    )
}


def memory_bomb(data: bytes) -> None:
    """Needs a gigabyte, to check that such a reader is found."""
    np.ones(1 << 30, np.uint8)


def feed(target: str, data: bytes) -> str:
    """Run a reader on an input; returns its error message, or an empty string.

    Other exceptions than this package's, and messages of several lines, are failures.
    """
    try:
        {**TARGETS, "memory_bomb": memory_bomb}[target](data)
    except Gpt2Error as error:
        message = str(error)
        assert message == printable(message), message
        assert len(message) < 2000, message
        return message
    return ""


def seeds(target: str, folder: Path) -> None:
    """Write valid files as the initial corpus."""
    from gpt2_helpers.checkpoint.tensor_bundle_writer import write_bundle
    from gpt2_helpers.system.files import drain, sha256_path
    from toy import toy_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    source = _FOLDER / "seed"
    source.mkdir(exist_ok=True)
    if target == "npz":
        np.savez(source / "a.npz", np.arange(50, dtype=np.uint16), np.arange(9))
    elif target == "npy":
        np.save(source / "a.npy", np.arange(50, dtype=np.int64))
    elif target == "token_index":
        index = TokenIndex(300, (), after=(1, 2), notes=("read as text",))
        (source / "a.tokens").write_text(index.to_json())
    elif target == "table":
        (source / "a.csv").write_text('title\n"What, is ""best""?"\nHow\tso\n')
    elif target == "text":
        (source / "a.txt").write_bytes("What is «best»?\r\n".encode())
        (source / "b.txt").write_bytes("What is best?".encode("utf-16"))
    elif target in ("json_lines", "json_list", "parquet", "gzipped", "zstd"):
        _write_records(target, source)
    elif target == "hparams":
        ModelConfig().save(source)
    elif target == "config_json":
        values = exchange_config.config_json(SMALLEST, 4, "float32")
        (source / "a.json").write_text(exchange_config.to_json(values))
    elif target == "safetensors":
        save_weights(source / "a.safetensors", random_weights(SMALLEST))
    elif target == "tokenizer":
        toy_tokenizer().save(source)
        parts = [(source / name).read_bytes() for name in TOKENIZER_FILES]
        (folder / "tokenizer").write_bytes(SEPARATOR.join(parts))
    elif target == "record":
        parameters = {"steps": 2, "learning_rate": 1e-4, "validation": "0.1", "schedule": "cosine"}
        full = RunRecord("a", parameters=parameters, versions={"python": "3"}, checkpoints=[2])
        full.earlier_datasets, full.prompt_prefix = [("b", None, 1)], ""
        full.save(source)
        (folder / "full").write_bytes((source / "run.json").read_bytes())
        losses = [[1, 2.5], [2, 2.25]]
        (source / "run.json").write_text(json.dumps({"dataset": "a", "losses": losses}))
    elif target in ("tar", "index"):
        run = RunFolder(source, "run1")
        run.path.mkdir(exist_ok=True)
        SMALLEST.save(run.path)
        write_bundle(run.path / "model-1", [("model/wpe", np.ones((2, 2), np.float32))])
        (run.path / "checkpoint").write_text('model_checkpoint_path: "model-1"\n')
        if target == "index":
            (folder / "a").write_bytes((run.path / "model-1.index").read_bytes())
            (folder / "sliced").write_bytes(sliced_index())
        else:
            drain(run_archive.pack(run_archive.archive_members(run.require()), folder / "a"))
            sha256_path(folder / "a").unlink()
    for path in source.iterdir():
        if path.is_file() and target != "tokenizer":
            (folder / path.name).write_bytes(path.read_bytes())
        if path.is_file():
            path.unlink()


def _write_records(target: str, folder: Path) -> None:
    lines = '{"text": "What is \\u00abbest\\u00bb?", "score": 3}\n{"text": "How so?"}\n'
    if target == "json_lines":
        (folder / "a.jsonl").write_text(lines)
        (folder / "b.jsonl").write_text('"What is best?"\n"How so?"\n')
    elif target == "json_list":
        (folder / "a.json").write_text('{"posts": [' + lines.strip().replace("\n", ",") + "]}")
        (folder / "b.json").write_text('["What is best?", "How so?"]')
    elif target == "gzipped":
        (folder / "a.gz").write_bytes(gzip.compress(b'title\n"What, is ""best""?"\nHow\tso\n'))
    elif target == "zstd":
        (folder / "a.zst").write_bytes(zstandard.compress(lines.encode()))
    else:
        table = pyarrow.table({"text": ["What is best?", "How so?", None], "score": [1, 2, 3]})
        pyarrow.parquet.write_table(table, folder / "a.parquet")


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path
