"""gpt2-helpers generate: texts on stdout and in files."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import gpt2_helpers as gpt2
from command_line import (
    error_of,
    process,
    run,
    stderr_of,
    stdout_of,
)
from gpt2_helpers.config import PRESET
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.similarity import normalize
from gpt2_helpers.generation.output_file import SAMPLE_DELIM
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session
from sampler_options import SAMPLER_OPTIONS
from web_server import wait_until


def texts_of(workspace: Path, prompts: list[str], **options: object) -> list[str]:
    """The texts of the Python API with the same options, in order."""
    session = Session()
    session.load_run("run1", workspace / "checkpoint")
    options = {"prompt_prefix": session.prompt_prefix, **options}
    config = dataclasses.replace(PRESET, **options)  # type: ignore[arg-type]
    results = session.generate(prompts, config)
    return [result.text for result in in_order(results)]


def test_stdout_has_only_the_texts(workspace: Path) -> None:
    texts = texts_of(workspace, [""], nsamples=3, batch_size=2, length=12, seed=5)
    result = run("generate", "--nsamples", 3, "--batch_size", 2, "--length", 12, "--seed", 5)
    assert result.code == 0
    assert result.out == "".join(f"{text}\n{SAMPLE_DELIM}" for text in texts)
    assert "generating" in result.err


def test_a_single_text_has_no_delimiter(workspace: Path) -> None:
    (text,) = texts_of(workspace, ["What"], length=12, seed=5)
    result = run("generate", "--prefix", "What", "--length", 12, "--seed", 5)
    assert result.out == f"{text}\n"
    assert text.startswith("What")


def test_a_run_of_a_table_is_generated_from_as_such(workspace: Path) -> None:
    arguments = ("generate", "--prefix", "What", "--length", 40, "--seed", 5)
    marked = run(*arguments).out
    assert marked.startswith("What")
    assert "<|" not in marked
    assert marked == run(*arguments, "--prompt-prefix", "<|startoftext|>").out
    (plain,) = texts_of(workspace, ["What"], length=40, seed=5, prompt_prefix="")
    assert run(*arguments, "--prompt-prefix", "").out == f"{plain}\n" != marked


@pytest.mark.parametrize("options", SAMPLER_OPTIONS, ids=lambda options: "-".join(options))
def test_samplers_give_the_texts_of_the_package(workspace: Path, options: dict[str, Any]) -> None:
    if "regex" in options:
        pytest.importorskip("llguidance")
    arguments: list[object] = []
    for name, value in options.items():
        if isinstance(value, dict):
            value = [f"{text}={number}" for text, number in value.items()]
        for entry in value if isinstance(value, (list, tuple)) else [value]:
            arguments += [f"--{name.replace('_', '-')}", entry]
    (text,) = texts_of(workspace, ["What"], length=16, seed=5, **options)
    assert (
        run("generate", "--prefix=What", "--length=16", "--seed=5", *arguments).out == f"{text}\n"
    )


def test_the_help_shows_the_preset() -> None:
    help = " ".join(run("generate", "--help").out.split())
    assert "0 disables it, 40 is typical (default: 40)" in help


def test_several_prompts_and_a_custom_delimiter(workspace: Path) -> None:
    options = {"nsamples": 2, "batch_size": 4, "length": 14, "seed": 2, "include_prefix": False}
    texts = texts_of(workspace, ["What", "How is\nthat"], **options)
    result = run(
        *("generate", "--prefix", "What", "--prefix", "How is\nthat", "--nsamples", 2),
        *("--batch-size", 4, "--length", 14, "--seed", 2, "--include-prefix", "False"),
        *("--sample-delim", "-----"),
    )
    assert len(texts) == 4
    assert result.out == "".join(f"{text}\n-----" for text in texts)


def test_texts_in_one_file(workspace: Path) -> None:
    arguments = ("generate", "--nsamples", 4, "--length", 9, "--seed", 8)
    printed = run(*arguments).out
    result = run(*arguments, "--destination-path", "new/out.txt")
    assert result.out == "4 texts in new/out.txt\n"
    assert (workspace / "new/out.txt").read_bytes().decode() == printed


def test_json_lines_and_csv_say_how_each_text_was_made(workspace: Path) -> None:
    (workspace / "questions.csv").write_text("n,question\n1,What is it?\n2,Who?\n")
    arguments: tuple[object, ...] = ("generate", "--length", 14, "--seed", 8, "--nsamples", 2)
    arguments += ("--prompts", "questions.csv", "--prompts-column", "question")
    texts = texts_of(workspace, ["What is it?", "Who?"], length=14, seed=8, nsamples=2)
    result = run(*arguments, "--destination-path", "out.jsonl")
    assert result.out == "4 texts in out.jsonl\n"
    rows = [json.loads(line) for line in (workspace / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == texts
    assert [row["prompt"] for row in rows] == ["What is it?"] * 2 + ["Who?"] * 2
    assert {(row["model"], row["step"], row["seed"]) for row in rows} == {("run1", 3, 8)}
    assert all(row["logprob"] < 0 for row in rows)
    assert run(*arguments, "--destination-path", "out", "--output-format", "csv").code == 0
    with (workspace / "out").open(newline="", encoding="utf-8") as file:
        assert [row["text"] for row in csv.DictReader(file)] == texts
    for name in ("out.jsonl.record.json", "out.record.json"):
        assert json.loads((workspace / name).read_text())["options"]["length"] == 14
    assert "needs destination_path" in error_of("generate", "--output-format", "csv")
    assert "needs --prompts" in error_of("generate", "--prompts-column", "question")


@pytest.mark.parametrize("is_unique", [False, True])
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_command_is_resumed_without_a_duplicate(workspace: Path, is_unique: bool) -> None:
    name = "out.jsonl"
    (workspace / "prompts.txt").write_text("What\nHow\n")
    arguments: tuple[object, ...] = ("generate", "--nsamples", 500, "--prompts", "prompts.txt")
    arguments += ("--batch-size", 4, "--length", 9)
    if is_unique:  # of two tokens, some texts are equal
        arguments = (*arguments[:-1], 3, "--unique", "--novel-against", "titles.csv")
    arguments += ("--destination-path", name)
    with process(workspace, *arguments) as started:
        wait_until(lambda: (workspace / name).is_file() and line_count(workspace / name) > 9)
        started.kill()
        assert started.wait(timeout=300) == -signal.SIGKILL
    progress = (workspace / f"{name}.progress").read_text().splitlines()
    seed = json.loads(progress[0])["seed"]
    finished = len(progress) - 1
    assert 0 < finished < 1000
    resumed = run(*arguments)
    assert resumed.code == 0
    assert f"resuming: {name} has {finished:,} of 1,000 texts" in resumed.err
    assert run(*arguments[:-1], "whole.jsonl", "--seed", seed).code == 0
    assert (workspace / name).read_bytes() == (workspace / "whole.jsonl").read_bytes()
    assert not (workspace / f"{name}.progress").exists()
    if is_unique:
        rows = [json.loads(line) for line in (workspace / name).read_text("utf-8").splitlines()]
        found = {normalize(row["text"]) for row in rows}
        assert finished < len(found) == len(rows)
        assert len({row["seed"] for row in rows}) > 1, "no text was generated again"


def line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_texts_in_several_files(workspace: Path) -> None:
    arguments = ("generate", "--nsamples", 2, "--length", 9, "--seed", 8)
    first, again = run(*arguments, "--nfiles", 3), run(*arguments, "--folder", "gen")
    assert (first.code, again.code) == (0, 0)
    names = re.findall("^2 texts in (.+)$", first.out + again.out, re.MULTILINE)
    files = [workspace / name for name in names]
    assert sorted(files) == sorted((workspace / "gen").iterdir())
    assert len(set(files)) == 4  # none was overwritten, although created in the same second
    assert all(re.fullmatch(r"gpt2_gentext_\d{8}_\d{6}(_\d+)?\.txt", f.name) for f in files)
    contents = [file.read_bytes() for file in files]
    assert contents[0].decode() == run(*arguments).out == contents[3].decode()
    assert len(set(contents[:3])) == 3


def test_a_warning_is_one_line_on_stderr(workspace: Path) -> None:
    """A prompt longer than the context is a Python warning, shown without its source line."""
    result = run("generate", "--prefix", "z" * 30, "--length", 32)
    assert result.code == 0
    (line,) = (line for line in result.err.splitlines() if "prefix" in line)
    assert "gpt2-helpers: the prefix has 30 tokens" in line
    assert "Warning" not in result.err


def test_ctrl_c_leaves_complete_texts(workspace: Path) -> None:
    arguments = ("generate", "--nsamples", 10**4, "--length", 9, "--prefix", "ä")
    # stdout is UTF-8 even if the locale has another encoding.
    with process(workspace, *arguments, PYTHONIOENCODING="ascii") as started:
        written = stdout_of(started).readline()
        started.send_signal(signal.SIGINT)
        written += stdout_of(started).read()
        code = started.wait(timeout=300)
    assert code == 130, stderr_of(workspace)
    assert stderr_of(workspace).splitlines()[-1] == "gpt2-helpers: interrupted"
    assert "Traceback" not in stderr_of(workspace)
    assert written.decode().startswith("ä")
    assert written.decode().endswith(f"\n{SAMPLE_DELIM}")


def test_a_run_of_prompts_shows_completions_alone(workspace: Path) -> None:
    path = workspace / "checkpoint" / "run1" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "has_prompts": True}))
    prompts = ["What is it?", "Who?"]
    options = {"prompt_suffix": "\n<|completion|>\n", "length": 6, "seed": 5}
    expected = texts_of(workspace, prompts, **options)
    (workspace / "prompts.txt").write_text("What is it?\n\nWho?\n")
    given = ("generate", "--length", 6, "--seed", 5)
    shown = "".join(f"{text}\n{SAMPLE_DELIM}" for text in expected)
    assert run(*given, "--prefix", prompts[0], "--prefix", prompts[1]).out == shown
    assert run(*given, "--prompts", "prompts.txt").out == shown
    session = gpt2.start_tf_sess()
    gpt2.load_gpt2(session)
    arguments: dict[str, Any] = {"length": 6, "seed": 5, "return_as_list": True, "top_k": 40}
    arguments["finish_sentence"] = True
    assert gpt2.generate(session, prefix=prompts, **arguments) == expected
    assert gpt2.generate(session, prompts="prompts.txt", **arguments) == expected
    plain = gpt2.generate(session, prefix="What", prompt_suffix="", **arguments)
    assert plain is not None
    assert plain[0].startswith("What")


def test_prompts_are_given_once(workspace: Path) -> None:
    (workspace / "prompts.txt").write_text("What\n")
    result = run("generate", "--prefix", "Who", "--prompts", "prompts.txt")
    assert result.code == 2
    assert "use --prefix or --prompts, not both" in result.err
    with pytest.raises(OptionError, match="set prefix or prompts, not both"):
        gpt2.generate(gpt2.start_tf_sess(), prefix="Who", prompts="prompts.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--novel-column", "title"), "novel_column needs novel_against"),
        (("--destination-path", "a.jsonl", "--sample-delim", "+"), "sample_delim is not possible"),
    ],
)
def test_options_without_effect_are_rejected(
    workspace: Path, options: tuple[str, ...], message: str
) -> None:
    assert message in error_of("generate", "--length", 5, *options)


def test_tensorflow_lite_prints_nothing(tmp_path: Path) -> None:
    with process(tmp_path, "generate", "--model-name", "tiny", "--length", 4) as started:
        assert stdout_of(started).read()
    lines = [line for line in stderr_of(tmp_path).splitlines() if line.strip()]
    assert all(line.startswith("generating") for line in lines), lines
