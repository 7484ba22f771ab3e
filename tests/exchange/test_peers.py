"""Round trips with transformers and PEFT themselves: the same ids, logits equal to 1e-4.

They are installed in another environment, whose Python EXCHANGE_PYTHON names: `make test-exchange`.
The other tests use their results in support/golden/hugging_face instead.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import command_line
from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.checkpoint.import_model import import_run
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.config import RunConfig
from gpt2_helpers.exchange.export_config import ExportConfig
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.tokenizer import Tokenizer
from hard_strings import HARD_STRINGS
from hugging_face import SIZES, TEXTS
from paths import ROOT
from toy import toy_tokenizer, toy_weights
from toy_runs import SHAPE, save_run, write_model

PYTHON = os.environ.get("EXCHANGE_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="make test-exchange runs these")

ALL_TEXTS = [*TEXTS, *(text for text in HARD_STRINGS if text), "What is the best?<|endoftext|>"]
SIZES_OF_RUN1 = [(window, stride) for window, stride in SIZES if window <= SHAPE.n_ctx]
GERMAN = {"n_positions": 48, "n_embd": 16, "n_layer": 2, "n_head": 2}
DISTILGPT2 = {"n_positions": 1024, "n_embd": 768, "n_layer": 6, "n_head": 12}


def save_adapted_run() -> None:
    """A run with adapters that change the model, on models/toy."""
    random = np.random.default_rng(7)
    arrays = new_adapters(SHAPE, 2, seed=1)
    arrays = {n: random.normal(0, 0.1, a.shape).astype(np.float32) for n, a in arrays.items()}
    model = GPT2(SHAPE, toy_weights(SHAPE))
    model.load_adapters(arrays)
    record = RunRecord(base_model="toy")
    RunFolder("checkpoint", "lora").save(model, toy_tokenizer(), 4, {}, record)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Everything that was exported here, and made and computed by the peers in one process."""
    folder, before = tmp_path_factory.mktemp("peers"), Path.cwd()
    python = Path(before, PYTHON)  # not resolved: a virtual environment's Python is a link
    os.chdir(folder)
    try:
        save_run("run1")
        write_model()
        save_adapted_run()
        export("run1", RunConfig(), ExportConfig())
        export("old", RunConfig(), ExportConfig())
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            Path("old", name).unlink()
        export("half", RunConfig(), ExportConfig(dtype="float16"))
        export("base", RunConfig(model_name="toy"), ExportConfig(), pretrained=True)
        lora = RunConfig(run_name="lora")
        export("adapters", lora, ExportConfig(adapters=True, base_model="base"))
        jobs: list[dict[str, Any]] = [
            {"do": "make_model", "folder": "german", "texts": TEXTS * 3, "vocab_size": 310},
            {"do": "make_model", "folder": "distil", "texts": TEXTS * 3, "vocab_size": 310},
            {"do": "save_again", "folder": "german", "out": "shards", "dtype": "bfloat16"},
            {"do": "make_adapters", "folder": "theirs", "base": "german", "rank": 3},
        ]
        jobs[0] |= GERMAN
        jobs[1] |= {**DISTILGPT2, "initializer_range": 0.02}
        jobs[2] |= {"max_shard_size": "20KB"}
        jobs[3] |= {"targets": ["attn.c_proj", "c_fc"], "lora_alpha": 4}
        for name in ("run1", "old", "half", "german", "distil", "shards"):
            jobs.append({"do": "results", "folder": name, "texts": ALL_TEXTS, "out": f"{name}.npz"})
        for base, adapters in (("base", "adapters"), ("german", "theirs")):
            results = {"do": "results", "folder": base, "adapters": adapters}
            jobs.append({**results, "texts": ALL_TEXTS, "out": f"{adapters}.npz"})
        for name in ("run1", "german"):
            sizes = SIZES_OF_RUN1 if name == "run1" else SIZES
            scores = {"do": "scores", "folder": name, "sizes": sizes, "texts": TEXTS}
            jobs.append({**scores, "out": f"{name}-scores.npz"})
        Path("jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
        script = ROOT / "tests" / "support" / "exchange" / "peer.py"
        environment = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
        subprocess.run([python, script, "jobs.json"], check=True, env=environment, timeout=1200)
        yield folder
    finally:
        os.chdir(before)


def assert_same_results(folder: Path, run: str, results: str, tolerance: float = 1e-4) -> None:
    """Compare a run's ids and logits with those of the peer."""
    path = Path("checkpoint", run)
    tokenizer, model = Tokenizer.load(path), load_model(path)
    with np.load(folder / f"{results}.npz") as expected:
        assert tokenizer.end_of_text == expected["end"]
        for order, text in enumerate(ALL_TEXTS):
            ids = tokenizer.encode(text, special=tokenizer.n_vocab == SHAPE.n_vocab)
            assert ids == expected[f"ids_{order}"].tolist(), text
            logits = model.logits([ids[: model.config.n_ctx]])[0]
            np.testing.assert_allclose(logits, expected[f"logits_{order}"], atol=tolerance)


@pytest.mark.parametrize(("results", "tolerance"), [("run1", 1e-4), ("old", 1e-4), ("half", 0.1)])
def test_an_exported_run_is_the_same(folder: Path, results: str, tolerance: float) -> None:
    assert_same_results(folder, "run1", results, tolerance)


@pytest.mark.parametrize("name", ["german", "distil", "shards"])
def test_an_imported_model_is_the_same(folder: Path, name: str) -> None:
    import_run(name, RunConfig(run_name=name))
    assert_same_results(folder, name, name)


def test_exported_adapters_are_the_same(folder: Path) -> None:
    assert_same_results(folder, "lora", "adapters")


def test_imported_adapters_are_the_same(folder: Path) -> None:
    import_run("theirs", RunConfig(run_name="theirs", model_name="german"))
    assert_same_results(folder, "theirs", "theirs")


def test_evaluations_are_the_same(folder: Path) -> None:
    import_run("german", RunConfig(run_name="german-scores"))
    Path("text.txt").write_text("<|endoftext|>".join(TEXTS), encoding="utf-8")
    for run, results, sizes in (
        ("run1", "run1-scores", SIZES_OF_RUN1),
        ("german-scores", "german-scores", SIZES),
    ):
        assert sizes
        with np.load(folder / f"{results}.npz") as expected:
            for window, stride in sizes:
                command = ("evaluate", "text.txt", "--json", "--run-name", run, "--window", window)
                (model,) = json.loads(command_line.run(*command, "--stride", stride).out)["models"]
                documents, nats, tokens = model["documents"], 0.0, 0
                for order, document in enumerate(documents):
                    logprobs = expected[f"logprobs_{order}_{window}_{stride}"]
                    assert document["loss"] == pytest.approx(-logprobs.mean(), abs=1e-4)
                    nats, tokens = nats - logprobs.sum(), tokens + len(logprobs)
                assert len(documents) == len(TEXTS)
                assert model["total"]["loss"] == pytest.approx(nats / tokens, abs=1e-4)
                assert model["total"]["perplexity"] == pytest.approx(
                    np.exp(nats / tokens), rel=1e-4
                )
