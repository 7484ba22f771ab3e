"""A folder for ONNX Runtime: manifest, checksums, file sizes, and the quality of 8 bits."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import open_weights
from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.errors import MissingPackageError
from gpt2_helpers.exchange.onnx_folder import OnnxFacts, write_onnx
from gpt2_helpers.tokenizer import COMPLETION_MARKER, START_OF_TEXT, Tokenizer
from onnx_runner import OnnxRunner
from paths import ROOT
from toy import TOY, toy_tokenizer, toy_weights

pytest.importorskip("onnx")

TOKENIZER = toy_tokenizer()
SHAPE = dataclasses.replace(TOY, n_vocab=TOKENIZER.n_vocab)


def test_the_manifest_describes_the_model_and_its_files(tmp_path: Path) -> None:
    facts = OnnxFacts("run1", 40, "124M", "titles.csv", START_OF_TEXT, COMPLETION_MARKER)
    write_onnx(tmp_path / "out", SHAPE, TOKENIZER, toy_weights(SHAPE), facts)
    manifest = json.loads((tmp_path / "out" / "model.json").read_text(encoding="utf-8"))
    files = {file["name"]: file for file in manifest.pop("files")}
    assert manifest == {
        "version": 1,
        "name": "run1",
        "step": 40,
        "base_model": "124M",
        "dataset": "titles.csv",
        "config": dataclasses.asdict(SHAPE),
        "dtype": "int8",
        "parameters": SHAPE.n_parameters,
        "end_of_text": TOKENIZER.end_of_text,
        "prompt_prefix": START_OF_TEXT,
        "prompt_suffix": COMPLETION_MARKER,
        "stop": ["<|endoftext|>", "<|startoftext|>"],
    }
    written = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    del written["model.json"]
    assert written.keys() == {"model.onnx", "weights-000.bin", "encoder.json", "vocab.bpe"}
    assert files == {
        name: {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in written.items()
    }
    assert Tokenizer.load(tmp_path / "out").vocabulary == TOKENIZER.vocabulary


def test_what_is_unknown_is_left_out_of_the_manifest(tmp_path: Path) -> None:
    write_onnx(tmp_path, SHAPE, TOKENIZER, toy_weights(SHAPE), OnnxFacts("mine"), "float32")
    manifest = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert not manifest.keys() & {"step", "base_model", "dataset"}
    assert (manifest["dtype"], manifest["stop"]) == ("float32", ["<|endoftext|>"])


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_small_files_have_the_same_model(dtype: str, tmp_path: Path) -> None:
    weights, facts = toy_weights(SHAPE), OnnxFacts("mine")
    one, several = tmp_path / "one", tmp_path / "several"
    write_onnx(one, SHAPE, TOKENIZER, weights, facts, dtype)
    write_onnx(several, SHAPE, TOKENIZER, weights, facts, dtype, max_file_bytes=700)
    sizes = [path.stat().st_size for path in several.glob("weights-*.bin")]
    assert len(sizes) > 5
    assert max(sizes) <= 700
    ids = [3, TOKENIZER.end_of_text, 250, 0, 99]
    expected = OnnxRunner(one, SHAPE).read(ids)
    np.testing.assert_allclose(OnnxRunner(several, SHAPE).read(ids), expected, rtol=0, atol=1e-5)


def test_an_export_of_fewer_files_deletes_the_others(tmp_path: Path) -> None:
    weights, facts = toy_weights(SHAPE), OnnxFacts("mine")
    write_onnx(tmp_path, SHAPE, TOKENIZER, weights, facts, max_file_bytes=5000)
    (tmp_path / "notes.txt").touch()
    assert (tmp_path / "weights-001.bin").is_file()
    write_onnx(tmp_path, SHAPE, TOKENIZER, weights, facts)
    assert [p.name for p in tmp_path.glob("weights-*")] == ["weights-000.bin"]
    assert (tmp_path / "notes.txt").is_file()


def test_8_bits_change_the_perplexity_by_less_than_a_percent(tmp_path: Path) -> None:
    config, weights = open_weights(BUNDLED_FOLDER, None)
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    text = (ROOT / "data" / "stories.txt").read_text(encoding="utf-8")
    ids = tokenizer.encode(text[2000:3000])[:200]
    assert len(ids) == 200
    found = {}
    for dtype in ("float32", "int8"):
        write_onnx(tmp_path / dtype, config, tokenizer, weights, OnnxFacts("tiny"), dtype)
        found[dtype] = OnnxRunner(tmp_path / dtype, config).perplexity(ids)
    assert 20 < found["float32"] < 100
    assert found["int8"] == pytest.approx(found["float32"], rel=0.01)
    size = sum(path.stat().st_size for path in (tmp_path / "int8").glob("weights-*.bin"))
    assert size < 1.07 * config.n_parameters  # bytes: 8 bits, and some vectors and positions


def test_a_missing_package_is_reported_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=r"gpt2-helpers\[onnx\]"):
        write_onnx(tmp_path / "out", SHAPE, TOKENIZER, toy_weights(SHAPE), OnnxFacts("mine"))
    assert not (tmp_path / "out").exists()
