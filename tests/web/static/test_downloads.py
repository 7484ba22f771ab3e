"""engine/downloads.js: files from the cache or the host, whatever state the cache is in."""

from __future__ import annotations

from pathlib import Path

from javascript import run_javascript

SETUP = """
import { fetchFiles } from "./static/engine/downloads.js";
const content = new Uint8Array([1, 2, 3]);
const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
const sha256 = Buffer.from(digest).toString("hex");
const fileAt = (name) => ({ url: `https://site.example/model/${name}`, size: 3, sha256 });
const keyOf = ({ url }) => `${url}?sha256=${sha256}`;
const read = async (files, kept) => {
  const found = await fetchFiles(files, kept, "/", () => {});
  return [...found.values()].map((bytes) => [...bytes]);
};
"""
BROKEN_CACHE = """
async function main() {
  const fail = async () => { throw new DOMException("the disk is full", "QuotaExceededError"); };
  const damaged = { arrayBuffer: fail };
  const broken = { keys: fail, match: async () => damaged, delete: fail, put: fail };
  globalThis.caches = { open: async () => broken };
  globalThis.fetch = async () => new Response(content);
  const unreadable = await read([fileAt("a")], [fileAt("a")]);
  broken.keys = async () => [{ url: "https://site.example/old" }];
  broken.match = async () => new Response(new Uint8Array([9, 9, 9]));
  return [unreadable, await read([fileAt("a")], [fileAt("a")])];
}
"""
OTHERS = """
async function main() {
  const stored = new Map([fileAt("gpu"), fileAt("old")].map((file) => [keyOf(file), content]));
  globalThis.caches = {
    open: async () => ({
      keys: async () => [...stored.keys()].map((url) => ({ url })),
      match: async (key) => stored.has(key) ? new Response(stored.get(key)) : undefined,
      delete: async ({ url }) => stored.delete(url),
      put: async (key, response) => stored.set(key, new Uint8Array(await response.arrayBuffer())),
    }),
  };
  globalThis.fetch = async () => new Response(content);
  await read([fileAt("wasm")], [fileAt("wasm"), fileAt("gpu")]);
  return [...stored.keys()].map((url) => url.split("/").at(-1).split("?")[0]);
}
"""
MISSING = """
async function main() {
  globalThis.caches = { open: async () => { throw new Error("refused"); } };
  globalThis.fetch = async () => new Response("", { status: 404 });
  return read([fileAt("a")], []).catch((error) => error.message);
}
"""
REMAINING = """
async function main() {
  let now = 0;
  performance.now = () => now;
  globalThis.caches = {
    open: async () => ({
      keys: async () => [],
      match: async (key) => {
        now += 60_000; // the cache is slow
        return key.includes("/cached") ? new Response(content) : undefined;
      },
      put: async () => {},
    }),
  };
  globalThis.fetch = async () => new Response(new ReadableStream({
    async pull(controller) {
      now += 2000;
      const at = this.sent = (this.sent ?? -1) + 1;
      if (at < 3) controller.enqueue(content.subarray(at, at + 1));
      else controller.close();
    },
  }, { highWaterMark: 0 }));
  const seconds = [];
  const files = [fileAt("cached"), fileAt("fetched")];
  await fetchFiles(files, files, "/", (progress) => seconds.push(progress.seconds));
  return seconds;
}
"""


def test_a_cache_that_fails_does_not_stop_loading(tmp_path: Path) -> None:
    assert run_javascript(tmp_path, SETUP + BROKEN_CACHE, None) == [[[1, 2, 3]], [[1, 2, 3]]]


def test_files_of_another_device_are_kept_and_old_ones_deleted(tmp_path: Path) -> None:
    assert sorted(run_javascript(tmp_path, SETUP + OTHERS, None)) == ["gpu", "wasm"]


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    message = run_javascript(tmp_path, SETUP + MISSING, None)
    assert "The file a cannot be loaded: the site answered with status 404." in message
    assert "its owner must upload the file again" in message


def test_the_remaining_time_is_that_of_the_connection(tmp_path: Path) -> None:
    # The first byte starts the clock; after the second, 2 s for two of three bytes have passed.
    assert run_javascript(tmp_path, SETUP + REMAINING, None) == [None, None, 1, 0]
