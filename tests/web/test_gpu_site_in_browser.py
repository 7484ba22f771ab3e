"""A static site in a browser with WebGPU, which computes in software here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.session import Session
from jupyterlab_session import browser
from open_page import generate
from static_site import StaticHost, hosting, load_model, texts_of, write_model_site
from toy_runs import write_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LONG = "How would your people end it? What is the best thing?"
REQUESTS: list[dict[str, Any]] = [
    {"prefix": "What is the best", "max_new_tokens": 6, "temperature": 0.0, "seed": 0},
    # Starts like the one before, so that some keys and values are used again.
    {"prefix": "What is the best thing", "max_new_tokens": 4, "temperature": 0.0, "seed": 0},
    # Exceeds the context of 32 tokens.
    {"prefix": LONG, "max_new_tokens": 8, "temperature": 0.7, "top_k": 9, "seed": 5},
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser("--enable-unsafe-webgpu", has_gpu=True) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a toy model: a GPU in software takes seconds for a token of `tiny`."""
    session = Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("models"))
        write_model()
        session.load_pretrained("toy", precision="float32")
    return session


@pytest.fixture(scope="module")
def host(toy: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaticHost]:
    folder = tmp_path_factory.mktemp("host")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("site-models"))
        model = write_model().resolve()
    for dtype in ("float32", "int8"):
        write_model_site(folder / dtype, toy, dtype, model)
    with hosting(folder) as host:
        yield host


def has_webgpu(chromium: Browser, address: str) -> bool:
    page = chromium.new_page()
    page.goto(f"{address}float32/how.html")  # about:blank has no navigator.gpu
    found: bool = page.evaluate("async () => !!(await navigator.gpu?.requestAdapter())")
    page.close()
    return found


def test_texts_of_a_gpu_are_those_of_python(
    chromium: Browser, host: StaticHost, toy: Session
) -> None:
    if not has_webgpu(chromium, host.address):
        pytest.skip("this Chromium has no WebGPU, not even in software")
    page = chromium.new_page()
    loaded = load_model(page, f"{host.address}float32/?device=webgpu")
    assert loaded["device"] == "webgpu"
    asked = [path for path in host.asked if path.endswith((".onnx", ".wasm"))]
    assert [path.split("/")[-1] for path in asked] == [
        "ort-wasm-simd-threaded.asyncify.wasm",
        "model.gpu.onnx",
    ]
    for request, texts in zip(REQUESTS, texts_of(page, REQUESTS), strict=True):
        prefix, count = request["prefix"], request["max_new_tokens"]
        length = len(toy.tokenizer.encode(prefix)) + count
        options = {key: request[key] for key in request.keys() & {"temperature", "top_k", "seed"}}
        (result,) = toy.generate(prefix, SamplingConfig(length=length, **options))
        assert texts == [result.text]
    page.close()


def test_8_bit_matrices_work_on_a_gpu(chromium: Browser, host: StaticHost) -> None:
    if not has_webgpu(chromium, host.address):
        pytest.skip("this Chromium has no WebGPU, not even in software")
    page = chromium.new_page()
    assert load_model(page, f"{host.address}int8/?device=webgpu")["device"] == "webgpu"
    ((text,),) = texts_of(page, [{**REQUESTS[0], "max_new_tokens": 2}])
    assert text.startswith(REQUESTS[0]["prefix"])
    assert len(text) > len(REQUESTS[0]["prefix"])
    page.close()


def test_a_gpu_in_software_is_not_used_unless_it_is_wanted(
    chromium: Browser, host: StaticHost
) -> None:
    page = chromium.new_page()
    assert load_model(page, f"{host.address}int8/")["device"] == "wasm"
    page.close()


def test_a_gpu_that_fails_is_replaced(chromium: Browser, host: StaticHost) -> None:
    if not has_webgpu(chromium, host.address):
        pytest.skip("this Chromium has no WebGPU, not even in software")
    context = chromium.new_context(service_workers="block")
    broken = """export const env = { wasm: {} };
export const InferenceSession = { create() { throw new Error("lost"); } };"""
    context.route(
        "**/runtime/ort.webgpu*",
        lambda route: route.fulfill(body=broken, content_type="text/javascript"),
    )
    page = context.new_page()
    assert load_model(page, f"{host.address}int8/?device=webgpu")["device"] == "wasm"
    assert texts_of(page, REQUESTS[:1])[0][0].startswith(REQUESTS[0]["prefix"])
    assert len(page.workers) == 1  # the memory of the first one is free
    before = len(host.asked)
    page.reload()
    page.locator("#generate:enabled").wait_for()
    loaded = [path for path in host.asked[before:] if path.endswith((".wasm", ".onnx", ".bin"))]
    assert loaded == []
    context.close()


def test_a_gpu_that_fails_later_is_replaced_for_the_next_text(
    chromium: Browser, host: StaticHost, toy: Session
) -> None:
    if not has_webgpu(chromium, host.address):
        pytest.skip("this Chromium has no WebGPU, not even in software")
    context = chromium.new_context(service_workers="block")
    runtime = """
let calls = 0;
export const env = { wasm: {} };
export class Tensor {}
async function run() {
  if ((calls += 1) > 1) throw new Error("device lost");
  const tensor = { data: new Float32Array(%d), dispose() {} };
  return new Proxy({}, { get: (_, name) => name === "then" ? undefined : tensor });
}
export const InferenceSession = { create: async () => ({ run }) };
"""
    body = runtime % toy.tokenizer.n_vocab
    context.route(
        "**/runtime/ort.webgpu*",
        lambda route: route.fulfill(body=body, content_type="text/javascript"),
    )
    page = context.new_page()
    assert load_model(page, f"{host.address}int8/?device=webgpu")["device"] == "webgpu"
    page.fill("#editor", "What is")
    page.click("#generate")
    page.locator("#notice", has_text="The GPU stopped working. Try again").wait_for()
    assert generate(page, "What is").startswith("What is")
    loaded = page.evaluate("import('./static/transport.js').then(({ load }) => load(() => {}))")
    assert loaded["device"] == "wasm"
    context.close()
