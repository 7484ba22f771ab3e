"""gpt2-helpers beam-generate."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from command_line import process, run, stderr_of

GENERATE = ("beam-generate", "--model-name", "toy", "--length", "8", "--seed", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (GENERATE[:-2], "seed is missing"),
        ((*GENERATE, "--prefix", "a", "--prompts", "a.txt"), "only one of prefix, prompts and"),
        ((*GENERATE, "--prompts-column", "a"), "prompts_column needs prompts"),
        ((*GENERATE, "--destination-path", "a.txt"), "must end with .jsonl or .parquet"),
    ],
)
def test_invalid_options_are_one_line(
    workspace: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert message in result.err


def test_the_texts_are_those_of_generate(workspace: Path) -> None:
    pytest.importorskip("apache_beam", reason="needs the package apache-beam")
    options = (*GENERATE, "--prefix", "What", "--prefix", "How", "--nsamples", "3")
    output = ("--destination-path", "out/texts.jsonl", "--shard-size", "4")
    result = run(*options, *output)
    assert (result.code, result.out.strip()) == (0, "6 texts in out/texts.index.json"), result.err
    assert "complete already" in run(*options, *output).out
    one = run("generate", *options[1:], "--destination-path", "one.jsonl")
    assert one.code == 0, one.err
    index = json.loads(Path("out/texts.index.json").read_text(encoding="utf-8"))
    assert len(index["shards"]) == 2
    texts = b"".join((Path("out") / shard["file"]).read_bytes() for shard in index["shards"])
    assert texts == Path("one.jsonl").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_an_interrupt_ends_all_processes_without_a_traceback(tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="needs the package apache-beam")
    prompts = "\n".join(f"Why is number {number}" for number in range(400))
    (tmp_path / "prompts.txt").write_text(prompts, encoding="utf-8")
    arguments = ("beam-generate", "--model-name", "tiny", "--prompts", "prompts.txt", "--seed", 1)
    output = ("--length", 12, "--shard-size", 2, "--destination-path", "out/texts.jsonl")
    beam = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    with process(tmp_path, *arguments, *output, *beam, start_new_session=True) as command:
        deadline = time.monotonic() + 120
        while not [*tmp_path.glob("out/*.jsonl")]:
            assert command.poll() is None, stderr_of(tmp_path)
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(command.pid, signal.SIGINT)  # as a terminal does
        assert command.wait(120) == 130
    assert stderr_of(tmp_path).endswith("gpt2-helpers: interrupted\n")
    assert "Traceback" not in stderr_of(tmp_path)
