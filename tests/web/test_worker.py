"""The protocol of a worker process: lines of JSON on stdin and stdout."""

from __future__ import annotations

import io
import json
import select
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import SequenceSpec
from gpt2_helpers.web.worker import MessageWriter, WorkerConfig, parse_message
from paths import ROOT
from web_server import TIMEOUT

TINY = ROOT / "gpt2_helpers" / "models" / "tiny"
COMMAND = [sys.executable, "-c", "from gpt2_helpers.web.worker import main; main()"]


def config(folder: Path) -> str:
    serve = asdict(ServeConfig(batch_size=2))
    return json.dumps(WorkerConfig(str(folder), "model.ckpt", "int8", 1, serve).to_dict()) + "\n"


def test_a_worker_generates_what_it_is_sent() -> None:
    sampling = SamplingConfig(length=9, temperature=0.0)
    spec = asdict(SequenceSpec("It was", [1026, 373], sampling, seed=1, sample=0))
    message = {"enqueue": 7, "sequence": spec, "stream": False, "urgent": False, "timeout": 60}
    with subprocess.Popen(
        COMMAND, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(config(TINY) + json.dumps(message) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"ready": True}
        chunks: list[list[object]] = []
        while not chunks:
            chunks = json.loads(process.stdout.readline()).get("chunks", [])
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0
    ((sequence_id, _, _, end),) = chunks
    assert sequence_id == 7
    assert isinstance(end, list)
    assert end[1:] == [7, "length", None, 0, []]


def test_a_worker_answers_pings_unless_its_scheduler_hangs() -> None:
    program = (
        "import sys, time\n"
        "from gpt2_helpers.generation.batch import ContinuousBatch\n"
        "from gpt2_helpers.web import scheduler, worker\n"
        "scheduler.STEP_TIMEOUT = 0.2\n"
        "def hang(self):\n"
        "    print('hangs', file=sys.stderr, flush=True)\n"
        "    time.sleep(1000)\n"
        "ContinuousBatch.step = hang\n"
        "worker.main()\n"
    )
    spec = asdict(SequenceSpec("It was", [1026, 373], SamplingConfig(length=9), seed=1, sample=0))
    message = {"enqueue": 7, "sequence": spec, "stream": False, "urgent": False, "timeout": 60}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        text=True,
        bufsize=1,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(config(TINY) + '{"ping": true}\n')
        assert json.loads(process.stdout.readline()) == {"ready": True}
        assert json.loads(process.stdout.readline()) == {"pong": True}
        process.stdin.write(json.dumps(message) + "\n")
        assert "hangs\n" in process.stderr
        time.sleep(0.5)  # longer than STEP_TIMEOUT
        process.stdin.write('{"ping": true}\n')
        readable, _, _ = select.select([process.stdout], [], [], 1.0)
        assert not readable
        process.kill()


def test_a_worker_reports_a_model_that_it_cannot_load(tmp_path: Path) -> None:
    done = subprocess.run(
        COMMAND, cwd=ROOT, text=True, input=config(tmp_path), capture_output=True, timeout=TIMEOUT
    )
    assert done.returncode == 0
    assert str(tmp_path) in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(("line", "message"), [('{"a": 1}\n', {"a": 1}), ('{"a"', {}), ("", {})])
def test_an_incomplete_line_is_ignored(line: str, message: object) -> None:
    assert parse_message(line) == message


def test_messages_to_a_closed_pipe_are_dropped() -> None:
    stream = io.StringIO()
    messages = MessageWriter(stream)
    messages.send({"a": 1})
    assert stream.getvalue() == '{"a": 1}\n'
    stream.close()
    messages.send({"a": 2})
