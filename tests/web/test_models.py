"""Several models on one server, which requests choose by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.server import Server
from lora_runs import write_base_and_runs
from open_page import OpenPage, sent_by
from web_server import TIMEOUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ["base", "one", "two"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The text of each model loaded alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("models"))
        write_base_and_runs()
        config = SamplingConfig(length=25, seed=1)
        yield {name: next(session(name).generate("What", config)).text for name in NAMES}


def session(name: str) -> Session:
    loaded = Session()
    loaded.load_named(name)
    return loaded


@pytest.fixture(scope="module", params=[0, 2], ids=["threads", "processes"])
def several(request: pytest.FixtureRequest, alone: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of a server with three models, in this process or in two workers each."""
    config = ServeConfig(port=0, workers=request.param)
    first, *others = map(session, NAMES)
    server = Server(first, config, others=others)
    server.start()
    try:
        with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
            yield client
    finally:
        server.stop()


def test_each_model_generates_its_own_texts(several: httpx.Client, alone: dict[str, str]) -> None:
    shared = {"prefix": "What", "length": 25, "seed": 1}
    for name in (*NAMES, None):
        answer = several.post("/api/generate", json={**shared, "model": name}).json()
        assert [text["text"] for text in answer["texts"]] == [alone[name or "base"]]
        assert several.post("/api/stream", json={**shared, "model": name}).status_code == 200
        answer = several.post("/api/complete", json={"text": "What", "model": name})
        assert answer.status_code == 200
    answer = several.get("/", params={"prefix": "What", "length": 25, "temperature": 0})
    assert answer.json()["text"].startswith("What")


def test_an_unknown_model_is_not_found(several: httpx.Client) -> None:
    for path, prompt in [("generate", "prefix"), ("stream", "prefix"), ("complete", "text")]:
        answer = several.post(f"/api/{path}", json={prompt: "What", "model": "oen"})
        assert answer.status_code == 404
        assert answer.json() == {
            "error": "no model 'oen' (did you mean 'one'?): this server has base, one, two"
        }
    assert several.get("/api/model", params={"model": "x"}).status_code == 404


def test_the_models_are_listed(several: httpx.Client) -> None:
    assert several.get("/api/model").json()["models"] == NAMES
    assert several.get("/api/model", params={"model": "two"}).json()["name"] == "two"
    paths = several.get("/openapi.json").json()["paths"]
    for path in ("generate", "stream", "complete"):
        content = paths[f"/api/{path}"]["post"]["requestBody"]["content"]
        properties = content["application/json"]["schema"]["properties"]
        assert properties["model"]["enum"] == [*NAMES, None]
    assert "one of base, one, two" in several.get("/docs").text
    assert several.get("/readyz").json() == {"status": "ready"}


def test_the_page_offers_the_models(chromium: Browser, several: httpx.Client) -> None:
    opened = OpenPage(chromium, str(several.base_url))
    page = opened.page
    page.locator("#model option").last.wait_for(state="attached")
    assert page.locator("#model option").all_inner_texts() == NAMES
    page.select_option("#model", "two")
    page.locator("#title", has_text="Write with two").wait_for()
    with page.expect_request("**/api/stream") as request:
        opened.generate("What")
    assert sent_by(request)["model"] == "two"
    assert page.locator(".result-info").inner_text().endswith("Machine-generated: two")
    opened.context.close()


@pytest.mark.usefixtures("alone")
def test_a_server_with_a_key_does_not_name_its_models() -> None:
    server = Server(session("base"), ServeConfig(port=0, workers=1), "key", others=[session("one")])
    server.start()
    try:
        document = httpx.get(f"{server.url}openapi.json", timeout=TIMEOUT).json()
        assert httpx.get(f"{server.url}api/model", timeout=TIMEOUT).status_code == 401
    finally:
        server.stop()
    content = document["paths"]["/api/generate"]["post"]["requestBody"]["content"]
    assert "enum" not in content["application/json"]["schema"]["properties"]["model"]


@pytest.mark.usefixtures("alone")
def test_a_name_is_served_once() -> None:
    with pytest.raises(OptionError, match="two models are named 'one': serve it only once"):
        Server(session("one"), ServeConfig(port=0, workers=1), others=[session("one")])
