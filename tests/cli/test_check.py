"""gpt2-helpers check: a file of generated texts against the training text."""

from __future__ import annotations

import http.server
import json
import signal
import threading
from pathlib import Path

import pytest

from command_line import error_of, process, run, stderr_of, stdout_of
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.generation.output_file import SAMPLE_DELIM

TITLES = ["Why is the sky blue?", "What did you dream of last night?"]
TEXTS = ["why is the sky blue", "What did you dream about last night?", "Ships", "ships!"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("titles.csv").write_text("title\n" + "\n".join(TITLES) + "\n", encoding="utf-8")
    texts = "".join(f"{text}\n{SAMPLE_DELIM}" for text in TEXTS)
    Path("texts.txt").write_text(texts, encoding="utf-8")


def test_counts_and_examples_are_printed() -> None:
    result = run("check", "texts.txt", "--dataset", "titles.csv")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("Of 4 texts, 1 is a copy of the training text, 1 is a near copy")
    assert "duplicates of another text       1  25.0%" in lines
    assert "  What did you dream about last night?" in lines
    assert "comparing 4 texts" in result.err
    assert "titles.csv: the first row, 'title', is read as the header" in result.err


def test_json_can_be_parsed_and_has_every_text() -> None:
    rows = "".join(json.dumps({"n": n, "body": text}) + "\n" for n, text in enumerate(TEXTS))
    Path("texts.jsonl").write_text(rows, encoding="utf-8")
    arguments = ("--generated-column", "body", "--dataset", "titles.csv", "--column", "title")
    found = json.loads(run("check", "texts.jsonl", *arguments, "--json").out)
    kinds = [text["kind"] for text in found["texts"]]
    assert kinds == ["copy", "near copy", "novel", "novel"]
    assert found["texts"][1]["nearest"] == TITLES[1]


def test_several_files_and_datasets() -> None:
    Path("more.txt").write_text("Ships", encoding="utf-8")
    datasets = ("--dataset", "titles.csv", "--dataset", "more.txt")
    result = run("check", "texts.txt", "more.txt", *datasets, "--examples", 0)
    assert result.out.startswith("Of 5 texts, 1 is a copy")


def test_a_run_is_compared_with_the_text_that_it_was_trained_on() -> None:
    folder = RunFolder("runs", "titles")
    folder.path.mkdir(parents=True)
    RunRecord(dataset="titles.csv").save(folder.path)
    result = run("check", "texts.txt", "--run-name", "titles", "--checkpoint-dir", "runs")
    assert result.out.startswith("Of 4 texts, 1 is a copy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("texts.txt",), "set --dataset or --run-name to the training text: got neither"),
        (("texts.txt", "--dataset", "a", "--run-name", "b"), "got both"),
        (("gone.txt", "--dataset", "titles.csv"), "gone.txt does not exist"),
        (("texts.txt", "--dataset", "gone.csv"), "gone.csv does not exist"),
        (("texts.txt", "--dataset", "titles.csv", "--column", "x"), "column 'x'"),
        (("texts.txt", "--dataset", "titles.csv", "--examples", "-1"), "examples must be at least"),
        (("texts.txt", "--run-name", "run1", "--column", "title"), "column needs --dataset"),
        ((), "FILE is missing"),
    ],
)
def test_wrong_input_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    assert message in error_of("check", *arguments)


def test_an_interrupt_ends_the_command(tmp_path: Path) -> None:
    asked, done = threading.Event(), threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        """Sends a part of the dataset, and then nothing."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"title\nWhy?\n")
            self.wfile.flush()
            asked.set()
            done.wait()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/titles.csv"
        with process(tmp_path, "check", "texts.txt", "--dataset", url) as command:
            assert asked.wait(120)
            command.send_signal(signal.SIGINT)
            assert command.wait(120) == 130
            assert stdout_of(command).read() == b""
        done.set()
        server.shutdown()
    assert stderr_of(tmp_path).endswith("gpt2-helpers: interrupted\n")
