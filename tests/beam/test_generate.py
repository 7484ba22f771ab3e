"""The Beam transform and the job that generate texts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from beam_pipelines import collect
from gpt2_helpers.config import BeamOutputConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from paths import ROOT

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam import GenerateTexts, ModelSource  # noqa: E402
from gpt2_helpers.beam.generate import plan_generation  # noqa: E402
from gpt2_helpers.beam.runner import make_options, run_pipeline  # noqa: E402
from gpt2_helpers.beam.text_inputs import TextInput  # noqa: E402

CONFIG = SamplingConfig(length=12, seed=5, batch_size=4, temperature=0.9)


def one_process(prompts: list[str], config: SamplingConfig) -> list[str]:
    session = Session()
    session.load_pretrained("tiny")
    results = sorted(session.generate(prompts, config), key=lambda result: result.index)
    return [result.text for result in results]


def test_elements_of_many_bundles_give_the_texts_of_one_process() -> None:
    prompts = [f"Why is {number}" for number in range(30)]
    rows = collect(
        lambda p: (
            p
            | beam.Create([*reversed([*enumerate(prompts)])])
            | beam.Reshuffle()
            | GenerateTexts(ModelSource("tiny"), CONFIG)
        )
    )
    rows.sort(key=lambda row: row["index"])
    assert [row["text"] for row in rows] == one_process(prompts, CONFIG)


def test_a_seed_is_needed() -> None:
    with pytest.raises(OptionError, match="seed is missing"):
        GenerateTexts(ModelSource("tiny"), SamplingConfig())


@pytest.mark.parametrize("options", [{}, {"best_of": 3}])
def test_the_files_of_a_job_have_the_texts_of_one_process(
    tmp_path: Path, options: dict[str, int]
) -> None:
    config = SamplingConfig(**vars(CONFIG) | {"nsamples": 3} | options)  # type: ignore[arg-type]
    output = BeamOutputConfig(destination_path=str(tmp_path / "texts.jsonl"), shard_size=2)
    prompts = ("Why is", "Who was", "What are")
    job, transform = plan_generation(TextInput(prompts), ModelSource("tiny"), config, output)
    run_pipeline(make_options([]), lambda p: p | beam.Create([job]) | transform)
    index = json.loads((tmp_path / "texts.index.json").read_text(encoding="utf-8"))
    rows = [
        json.loads(line)
        for shard in index["shards"]
        for line in (tmp_path / shard["file"]).read_text(encoding="utf-8").splitlines()
    ]
    assert [row["index"] for row in rows] == list(range(9))
    assert [row["text"] for row in rows] == one_process([*prompts], config)
    assert len(index["shards"]) == (2 if options else 5)


def test_workers_on_a_cpu_load_no_tensorflow(tmp_path: Path) -> None:
    script = f"""
import sys
from gpt2_helpers.system import device
from gpt2_helpers.cli import main
device.may_have_gpus = lambda: False
main(["beam-generate", "--model-name", "tiny", "--length", "5", "--seed", "1",
      "--destination-path", {str(tmp_path / "a.jsonl")!r}])
print(*{{name.split(".")[0] for name in sys.modules}} & {{"tensorflow", "keras", "torch"}})
"""
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    assert printed.splitlines()[-1] == "", printed
    assert (tmp_path / "a.index.json").is_file()
