"""Load time and speed of an exported site in a browser, beside those of the server.

    .venv/bin/python benchmarks/web.py
    .venv/bin/python benchmarks/web.py --models tiny --browsers chromium --tokens 50

The models are `tiny` and one of the shape of 124M with random weights. Each browser opens the site
of each model on one thread and on two, with WebAssembly, and the page of the server. The time to
load starts with an empty cache and ends when a text can be generated; the host is on this machine.
Speed is the median of several texts after the first token, whose time is shown too, for a short
prompt and for one of 600 tokens (if the context is longer). Browsers that are not installed are
skipped. Firefox needs `pip install websocket-client`.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from gpt2_helpers.bench.weights import PROMPT_TEXT
from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.checkpoint.model_files import save_weights
from gpt2_helpers.config import BUNDLED_FOLDER, PRETRAINED_CONFIGS, RunConfig
from gpt2_helpers.exchange.export_config import WEB, ExportConfig
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.site import complete_site
from load import server
from machine_info import machine

MODELS = ("tiny", "124M")
BROWSERS = {"chromium": ("chromium",), "firefox": ("firefox", "firefox-esr")}  # their commands
SHORT_PROMPT = "It was a dark night, and the keeper of the lighthouse counted the steps."
LONG_PROMPT_TOKENS = 600
ROUNDS = 3
# With them a page may use several threads.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
# Generates by the module that the page itself uses; returns the seconds of the first text, those of
# the rest, and the number of tokens.
_GENERATE = """async ({ prefix, tokens, seed }) => {
  const transport = await import("./static/transport.js");
  const start = performance.now();
  let first = null, count = 0;
  await transport.stream({ prefix, max_new_tokens: tokens, temperature: 0.7, top_k: 40, seed }, {
    text: () => (first ??= performance.now()),
    end: (_, { tokens }) => (count = tokens),
  });
  const end = performance.now();
  return [(first - start) / 1000, (end - first) / 1000, count];
}"""
_UNTIL_READY = """async () => {
  while (!document.querySelector("#generate:enabled")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""
_LOADED = """async () => {
  const { load } = await import("./static/transport.js");
  return load ? load(() => {}) : { threads: null };
}"""


@dataclass(frozen=True)
class Speed:
    """Medians of several texts: seconds to the first token, and tokens per second after it."""

    first: float
    rate: float


def prepare(name: str, folder: Path) -> Path:
    """A folder with models: the bundled one, or random weights with a vocabulary of that size."""
    models = folder / "models"
    if name != "tiny":
        config = PRETRAINED_CONFIGS[name]
        save_weights(models / name, "model.ckpt", config, random_weights(config))
        small = Tokenizer.load(BUNDLED_FOLDER)
        vocabulary = dict(small.vocabulary)
        for number in range(len(vocabulary), config.n_vocab):
            vocabulary[f"x{number}"] = number
        Tokenizer(vocabulary, small.merges).save(models / name)
    return models


@contextmanager
def hosting(folder: Path, headers: Mapping[str, str]) -> Iterator[str]:
    """Serve a folder of static files on a free port; yields its address."""

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{host.server_port}/"
        finally:
            host.shutdown()


def long_prompt(tokenizer: Tokenizer) -> str:
    """A prompt of about LONG_PROMPT_TOKENS."""
    ids = tokenizer.encode(PROMPT_TEXT * 20)
    return tokenizer.decode(ids[:LONG_PROMPT_TOKENS])


class Page(Protocol):
    """A page of a browser, as Playwright's."""

    def goto(self, url: str, /) -> Any:
        """Open an address."""

    def evaluate(self, expression: str, arg: Any = None, /) -> Any:
        """Call a JavaScript function."""


@dataclass(frozen=True)
class RunningBrowser:
    """A browser that was started: its name with the version, and a function that opens a page."""

    name: str
    new_page: Callable[[], AbstractContextManager[Page]]


@contextmanager
def started(kind: str, path: str | None = None) -> Iterator[RunningBrowser]:
    """Start a browser.

    Args:
        kind: Which one.
        path: Its program. Default: looked up on PATH.

    Raises:
        FileNotFoundError: It is not installed.
    """
    path = path or next(filter(None, map(shutil.which, BROWSERS[kind])), None)
    if path is None:
        raise FileNotFoundError(f"{kind} is not installed")
    if kind == "firefox":
        from firefox import running

        with running(path) as firefox:
            yield RunningBrowser(f"{kind} {firefox.version}", firefox.new_page)
        return
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        name = f"{kind} {chromium.version}"
        yield RunningBrowser(name, lambda: closing(chromium.new_page()))
        chromium.close()


def measure(page: Page, address: str, prompts: list[str], tokens: int) -> dict[str, Any]:
    """Open an address, and generate from each prompt: threads, seconds to load, a Speed each."""
    start = time.monotonic()
    page.goto(address)
    page.evaluate(_UNTIL_READY)
    seconds = time.monotonic() - start
    found: dict[str, Any] = {"threads": page.evaluate(_LOADED)["threads"], "load": seconds}
    found["speeds"] = []
    for prompt in prompts:
        texts = [
            page.evaluate(
                # Another start for each text, so that none is computed in advance.
                _GENERATE,
                {"prefix": f"{seed}. {prompt}", "tokens": tokens, "seed": seed},
            )
            for seed in range(ROUNDS + 1)
        ][1:]
        rates = [(count - 1) / rest for _, rest, count in texts if count > 1]
        found["speeds"].append(
            Speed(statistics.median(text[0] for text in texts), statistics.median(rates))
        )
    return found


def row(name: str, place: str, found: Mapping[str, Any]) -> str:
    """A row of the table."""
    cells = [name, place, "" if found["threads"] is None else str(found["threads"])]
    cells.append(f"{found['load']:.1f}")
    cells += [f"{speed.first:.2f}, {speed.rate:.1f}" for speed in found["speeds"]]
    return f"| {' | '.join(cells)} |"


def measure_model(name: str, options: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Yield a row for each browser and number of threads, and one for the server."""
    models = prepare(name, folder)
    run, site = RunConfig(model_name=name, model_dir=str(models)), folder / "site"
    export(site, run, ExportConfig(format=WEB), pretrained=True)
    complete_site(site, run, pretrained=True, runtime=options.runtime)
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    prompts = [SHORT_PROMPT]
    if name != "tiny":
        prompts.append(long_prompt(tokenizer))
    for kind in options.browsers:
        try:
            with started(kind) as browser:
                for headers in ({}, ISOLATION):
                    with hosting(site, headers) as address, browser.new_page() as page:
                        found = measure(
                            page, f"{address}?device=wasm&threads=2", prompts, options.tokens
                        )
                        yield row(name, browser.name, found)
                with (
                    server("--model-name", name, "--model-dir", str(models)) as (address, _),
                    browser.new_page() as page,
                ):
                    found = measure(page, address, prompts, options.tokens)
                    yield row(name, f"server, {kind}", found)
        except FileNotFoundError as error:
            yield f"| {name} | {error} |"


def main() -> None:
    """Measure the models in the browsers, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--browsers", nargs="+", default=[*BROWSERS], choices=BROWSERS)
    parser.add_argument("--tokens", type=int, default=100, help="length of the texts")
    parser.add_argument("--runtime", help="folder of onnxruntime-web (default: fetched by npm)")
    options = parser.parse_args()
    print(machine())
    print(
        "| model | in | threads | load, s | short prompt: first token, s; tokens/s | 600 tokens |"
    )
    print("|---|---|---|---|---|---|", flush=True)
    for name in options.models:
        with tempfile.TemporaryDirectory(prefix="gpt2-helpers-") as folder:
            for line in measure_model(name, options, Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
