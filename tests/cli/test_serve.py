"""gpt2-helpers serve: its arguments and environment variables."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from lora_runs import write_base_and_runs
from toy_runs import save_run, write_model
from web_server import TIMEOUT, address_of, started


@pytest.mark.parametrize(
    ("arguments", "port", "message"),
    [
        (["--checkpoint", "model-5"], "0", "--checkpoint needs a run: add --run-name"),
        ([], "abc", "environment variable PORT must be a port number, got 'abc'"),
        (["--host", "0.0.0.0"], "99999", "port must be between 0 and 65535"),
    ],
)
def test_invalid_options_exit_with_a_message(
    tmp_path: Path, arguments: list[str], port: str, message: str
) -> None:
    with started(tmp_path, *arguments, PORT=port) as process:
        last_line = process.communicate(timeout=TIMEOUT)[1].splitlines()[-1]
        assert process.returncode == 2
        assert message in last_line


def test_a_run_and_its_key_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    save_run(step=1)
    options = ("--run-name", "run1", "--port", "0", "--workers", "1")
    with started(tmp_path, *options, GPT2_SERVE_KEY="open sesame") as process:
        url = f"{address_of(process)}api/model"
        assert httpx.get(url, timeout=TIMEOUT).status_code == 401
        headers = {"Authorization": "Bearer open sesame"}
        assert httpx.get(url, headers=headers, timeout=TIMEOUT).json()["name"] == "run1"


def test_several_models_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_base_and_runs()
    options = ("--model-name", "base", "--models", "one", "--models", "two", "--port", "0")
    with started(tmp_path, *options) as process:
        info = httpx.get(f"{address_of(process)}api/model", timeout=TIMEOUT).json()
    assert info["models"] == ["base", "one", "two"]


def test_the_port_comes_from_the_environment(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started(tmp_path, PORT=str(port)) as process:
        address = address_of(process)
        assert address.endswith(f":{port}/")
        assert httpx.get(f"{address}healthz", timeout=TIMEOUT).json() == {"status": "alive"}
