"""`gpt2.serve`, which starts the web app from a notebook."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.errors import OptionError
from lora_runs import write_base_and_runs
from web_server import TIMEOUT


def test_the_next_call_replaces_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    first = gpt2.serve(batch_size=2)
    assert f"tiny at {first.url}" in capsys.readouterr().out
    assert httpx.get(first.url, params={"length": 3}, timeout=TIMEOUT).json()["text"]
    second = gpt2.serve(model_name="tiny", batch_size=2)
    try:
        with pytest.raises(httpx.TransportError):
            httpx.get(first.url, timeout=2)
        policy = httpx.get(f"{second.url}how", timeout=TIMEOUT).headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'self'")
    finally:
        second.stop()
    second.stop()  # has no effect the second time


def test_colab_shows_the_page_below_the_cell(
    fake_colab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.colab import output

    shown: list[int] = []
    monkeypatch.setattr(output, "serve_kernel_port_as_iframe", lambda port, **_: shown.append(port))
    server = gpt2.serve(batch_size=2)
    try:
        assert shown == [server.port]
        policy = httpx.get(f"{server.url}how", timeout=TIMEOUT).headers["content-security-policy"]
        assert "https://colab.research.google.com" in policy
    finally:
        server.stop()


def test_several_models_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_base_and_runs()
    server = gpt2.serve("one", models=["two"], batch_size=2)
    try:
        assert httpx.get(f"{server.url}api/model", timeout=TIMEOUT).json()["models"] == [
            "one",
            "two",
        ]
    finally:
        server.stop()


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(OptionError, match="no option 'prot'.*'port'"):
        gpt2.serve(prot=3)
    with pytest.raises(OptionError, match="set only one of them"):
        gpt2.serve("run1", model_name="tiny")
    with pytest.raises(OptionError, match="run_name must be a string, got 5"):
        gpt2.serve(5)  # type: ignore[arg-type]
