"""The description of the served model, and the prompt prefix of a run."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.fields import fields_of
from gpt2_helpers.session import Session
from gpt2_helpers.web.model_info import ModelInfo, option_info
from toy_runs import save_run, write_model
from web_server import serving


@pytest.mark.parametrize(("dataset", "prefix"), [("titles.csv", "<|startoftext|>"), ("a.txt", "")])
def test_a_run_finetuned_on_a_table_prefixes_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, prefix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    save_run(step=1)
    path = tmp_path / "checkpoint" / "run1" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(
        json.dumps({**record, "dataset": dataset, "example_prompts": ["What is"]}), encoding="utf-8"
    )
    session = Session()
    session.load_run("run1")
    assert session.prompt_prefix == prefix
    info = ModelInfo.of(session)
    assert (info.name, info.steps) == ("run1", 1)
    assert info.example_prompts == ("What is",)
    assert info.default_prompt == ("" if prefix else "What is")
    assert info.description.endswith("finetuned on custom text for 1 step")


def test_the_prompt_prefix_is_not_part_of_the_texts(client: httpx.Client, tiny: Session) -> None:
    parameters = {"prefix": "“I am ", "max_new_tokens": 20, "seed": 5}
    prefix = "She turned to him. "
    with serving(tiny, prompt_prefix=prefix) as prefixing:
        (text,) = prefixing.post("/api/generate", json=parameters).json()["texts"]
    parameters["prefix"] = prefix + "“I am "
    (expected,) = client.post("/api/generate", json=parameters).json()["texts"]
    parameters |= {"prefix": "“I am ", "prompt_prefix": prefix}
    assert client.post("/api/generate", json=parameters).json()["texts"] == [text]
    assert text["text"].startswith("“I am ")
    assert prefix + text["text"] == expected["text"]


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("124M", "OpenAI's pretrained GPT-2 124M"),
        ("mine", "a custom model with GPT-2's architecture"),
    ],
)
def test_only_openais_models_are_called_openais(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, description: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(name)
    session = Session()
    session.load_pretrained(name)
    assert ModelInfo.of(session).description == description


def test_options_are_json() -> None:
    options = {field.name: option_info(field) for field in fields_of(SamplingConfig)}
    assert options["top_p"]["type"] == "number"
    assert options["top_p"]["suggested_range"] == [0.0, 1.0]
    assert (options["top_k"]["default"], options["top_k"]["preset"]) == (0, 40)
    assert json.loads(json.dumps(options)) == options


def test_a_run_of_prompts_answers_with_completions_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    save_run(step=1)
    path = tmp_path / "checkpoint" / "run1" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    recorded = {
        "has_prompts": True,
        "prompt_prefix": "<|startoftext|>",
        "example_prompts": ["Who?"],
    }
    path.write_text(json.dumps({**record, **recorded}), encoding="utf-8")
    session = Session()
    session.load_run("run1")
    info = ModelInfo.of(session)
    assert (info.default_prompt, info.continues_prompt) == ("Who?", False)
    sampling = SamplingConfig(length=6, seed=5)
    (expected,) = session.generate("What is it?", sampling)
    assert not expected.text.startswith("What")
    with serving(session) as client:
        parameters = {"prefix": "What is it?", "max_new_tokens": 6, "seed": 5}
        (answer,) = client.post("/api/generate", json=parameters).json()["texts"]
    assert answer["text"] == expected.text
