"""LangChain, llm and lm-evaluation-harness against /v1/completions: `make test-exchange`.

They are installed in another environment, whose Python EXCHANGE_PYTHON names.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.config import RunConfig
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.exchange.export_config import ExportConfig
from gpt2_helpers.session import Session
from paths import ROOT
from toy_runs import save_run
from web_server import serving

PYTHON = os.environ.get("EXCHANGE_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="make test-exchange runs these")

PROMPT = "What is the best"
# Contexts and continuations, as the harness sends them.
PAIRS = [["What is", " the best"], ["How would", " your people end it"], ["What", " it"]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Session]:
    """The results of all programs, and the model that they used."""
    folder, before = tmp_path_factory.mktemp("clients"), Path.cwd()
    python = Path(before, PYTHON)  # not resolved: a virtual environment's Python is a link
    os.chdir(folder)
    try:
        save_run("run1")
        export("run1", RunConfig(), ExportConfig())
        session = Session()
        session.load_run("run1", folder / "checkpoint")
        with serving(session) as client:
            job = {
                "address": f"{client.base_url}v1",
                "prompt": PROMPT,
                "pairs": PAIRS,
                "tokenizer": str(folder / "run1"),
                "out": "results.json",
            }
            Path("job.json").write_text(json.dumps(job), encoding="utf-8")
            script = ROOT / "tests" / "support" / "exchange" / "clients.py"
            environment = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
            command = [str(python), str(script), "job.json"]
            subprocess.run(command, check=True, env=environment, timeout=1200)
            expected = {"prompt": PROMPT, "max_tokens": 8, "temperature": 0}
            plain = client.post("/v1/completions", json=expected).json()["choices"][0]["text"]
            stopped = client.post("/v1/completions", json={**expected, "stop": "."}).json()
        results = json.loads(Path("results.json").read_text(encoding="utf-8"))
        results["expected"] = {"plain": plain, "stopped": stopped["choices"][0]["text"]}
        return results, session
    finally:
        os.chdir(before)


def test_langchain_gets_texts(served: tuple[dict[str, Any], Session]) -> None:
    found, text = served[0]["langchain"], served[0]["expected"]["plain"]
    assert text
    assert found == {"invoke": text, "batch": [text] * 12, "stream": text}


def test_llm_gets_texts(served: tuple[dict[str, Any], Session]) -> None:
    text = served[0]["expected"]["plain"]
    assert served[0]["llm"] == {"text": text, "stream": text}


def test_the_harness_gets_log_likelihoods(served: tuple[dict[str, Any], Session]) -> None:
    results, session = served
    scorer = session.scorer(ScoreConfig(precision="auto"))
    assert results["harness"]["until"] == [results["expected"]["stopped"]]
    for (context, continuation), (total, is_greedy) in zip(
        PAIRS, results["harness"]["loglikelihood"], strict=True
    ):
        before = session.tokenizer.encode(context)
        ids = session.tokenizer.encode(context + continuation)
        parts = scorer.parts_of_ids(ids[1:], ids[:1], top=1)
        (score,) = (part for part in parts if not isinstance(part, int))
        start = len(before) - 1
        assert total == pytest.approx(sum(score.logprobs[start:]), abs=1e-4)
        places = zip(score.ids[start:], score.top[start:], strict=True)
        assert is_greedy == all(top[0][0] == token for token, top in places)
