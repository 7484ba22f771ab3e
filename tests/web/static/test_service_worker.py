"""engine/service_worker.js where a browser's test cannot go: a cache that cannot be read."""

from __future__ import annotations

from pathlib import Path

from javascript import run_javascript

CODE = """
async function main({ isReadable }) {
  const listeners = {};
  const scope = "https://site.example/a%20site/";
  const self = {
    registration: { scope },
    addEventListener: (type, listener) => (listeners[type] = listener),
  };
  const fail = async () => { throw new DOMException("disk failure", "UnknownError"); };
  const match = async ({ url }) => url.endsWith("page.js") ? "cached" : undefined;
  const caches = { open: async () => ({ match: isReadable ? match : fail }) };
  const fetch = async () => "fetched";
  const source = readFileSync("static/engine/service_worker.js", "utf-8");
  const head = 'const VERSION = "1", FILES = ["", "static/page.js"];';
  Function("self", "caches", "fetch", `${head}\\n${source}`)(self, caches, fetch);
  const answers = [];
  for (const path of ["", "static/page.js?v=2", "model/weights-000.bin", "../other/"]) {
    let answer = null;
    const request = { method: "GET", url: new URL(path, scope).href.split("?")[0] };
    listeners.fetch({ request, respondWith: (promise) => (answer = promise) });
    answers.push(await answer);
  }
  return answers;
}
"""


def test_files_of_the_site_are_answered(tmp_path: Path) -> None:
    value = {"isReadable": True}
    assert run_javascript(tmp_path, CODE, value) == ["fetched", "cached", None, None]


def test_a_cache_that_cannot_be_read_does_not_hide_the_site(tmp_path: Path) -> None:
    value = {"isReadable": False}
    assert run_javascript(tmp_path, CODE, value) == ["fetched", "fetched", None, None]
