"""Load time and speed of an exported site in a browser, beside those of the server.

    .venv/bin/python benchmarks/web.py
    .venv/bin/python benchmarks/web.py --models tiny --browsers chromium --tokens 50

The models are `tiny` and one of the shape of 124M with random weights. Each browser opens the site
of each model on one thread and on two, with WebAssembly, and the page of the server. The time to
load starts with an empty cache and ends when a text can be generated; the host is on this machine.
Speed is the median of several texts after the first token, whose time is shown too, for a short
prompt and for one of 600 tokens (if the context is longer). Browsers that are not installed are
skipped.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

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
BROWSERS = ("chromium", "firefox")
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


def measure(browser: Any, address: str, prompts: list[str], tokens: int) -> dict[str, Any]:
    """Open a page, and generate from each prompt: threads, seconds to load, and a Speed each."""
    context = browser.new_context()
    context.set_default_timeout(600_000)
    page = context.new_page()
    start = time.monotonic()
    page.goto(address)
    page.locator("#generate:enabled").wait_for()
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
    context.close()
    return found


def row(name: str, place: str, found: Mapping[str, Any]) -> str:
    """A row of the table."""
    cells = [name, place, "" if found["threads"] is None else str(found["threads"])]
    cells.append(f"{found['load']:.1f}")
    cells += [f"{speed.first:.2f}, {speed.rate:.1f}" for speed in found["speeds"]]
    return f"| {' | '.join(cells)} |"


def measure_model(name: str, options: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Yield a row for each browser and number of threads, and one for the server."""
    from playwright.sync_api import Error, sync_playwright

    models = prepare(name, folder)
    run, site = RunConfig(model_name=name, model_dir=str(models)), folder / "site"
    export(site, run, ExportConfig(format=WEB), pretrained=True)
    complete_site(site, run, pretrained=True, runtime=options.runtime)
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    prompts = [SHORT_PROMPT]
    if name != "tiny":
        prompts.append(long_prompt(tokenizer))
    with sync_playwright() as playwright:
        for kind in options.browsers:
            path = shutil.which("chromium") if kind == "chromium" else None  # else Playwright's own
            flags = ["--no-sandbox"] if kind == "chromium" and os.geteuid() == 0 else []
            try:
                browser = getattr(playwright, kind).launch(executable_path=path, args=flags)
            except Error as error:
                yield f"| {name} | {kind} is not installed: {str(error).splitlines()[0]} |"
                continue
            for headers in ({}, ISOLATION):
                with hosting(site, headers) as address:
                    place = f"{kind} {browser.version}"
                    address = f"{address}?device=wasm"
                    yield row(name, place, measure(browser, address, prompts, options.tokens))
            with server("--model-name", name, "--model-dir", str(models)) as (address, _):
                found = measure(browser, address, prompts, options.tokens)
                yield row(name, f"server, {kind}", found)
            browser.close()


def main() -> None:
    """Measure the models in the browsers, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--browsers", nargs="+", default=BROWSERS, choices=BROWSERS)
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
