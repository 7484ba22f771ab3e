"""The benchmark of exported sites, with a toy model."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import web
from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig, RunConfig
from gpt2_helpers.exchange.export_config import WEB, ExportConfig
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.site import complete_site
from jupyterlab_session import find_chromium
from static_site import runtime_folder

VOCABULARY = Tokenizer.load(BUNDLED_FOLDER).n_vocab
SHAPE = ModelConfig(VOCABULARY + 5, n_ctx=32, n_embd=16, n_head=2, n_layer=1)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(web, "PRETRAINED_CONFIGS", {"124M": SHAPE})
    return web.prepare("124M", tmp_path)


def test_random_weights_have_a_token_for_each_row(models: Path) -> None:
    tokenizer = Tokenizer.load(models / "124M")
    assert tokenizer.n_vocab == SHAPE.n_vocab
    assert tokenizer.encode("It was") == Tokenizer.load(BUNDLED_FOLDER).encode("It was")
    assert tokenizer.decode([SHAPE.n_vocab - 1]) == f"x{SHAPE.n_vocab - 1}"


def test_the_host_sends_headers(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("text")
    with web.hosting(tmp_path, web.ISOLATION) as address:
        answer = httpx.get(f"{address}page.txt")
    assert answer.text == "text"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_long_prompt_has_as_many_tokens() -> None:
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    count = len(tokenizer.encode(web.long_prompt(tokenizer)))
    assert abs(count - web.LONG_PROMPT_TOKENS) < 5


@pytest.mark.parametrize("kind", web.BROWSERS)
def test_a_site_is_measured_in_a_browser(kind: str, models: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs pip install onnx")
    pytest.importorskip("playwright" if kind == "chromium" else "websocket")
    run, site = RunConfig(model_name="124M", model_dir=str(models)), tmp_path / "site"
    export(site, run, ExportConfig(format=WEB), pretrained=True)
    complete_site(site, run, pretrained=True, runtime=runtime_folder())
    try:
        with (
            web.started(kind, find_chromium() if kind == "chromium" else None) as browser,
            web.hosting(site, web.ISOLATION) as address,
            browser.new_page() as page,
        ):
            found = web.measure(page, f"{address}?device=wasm", ["It was"], 6)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert found["threads"] >= 1
    assert found["load"] > 0
    (speed,) = found["speeds"]
    assert speed.first > 0
    assert speed.rate > 0
    assert web.row("124M", browser.name, found).startswith(f"| 124M | {kind} ")
