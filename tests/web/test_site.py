"""The files of a static site. `test_site_in_browser.py` opens one."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.config import RunConfig
from gpt2_helpers.web.browser_runtime import add_runtime
from gpt2_helpers.web.model_info import ModelInfo
from gpt2_helpers.web.page import STATIC
from gpt2_helpers.web.site import complete_site, write_site

INFO = ModelInfo("run1", "GPT-2, finetuned on custom text", 124_000_000, 1024, "int8")
OWN = {"folder": "runtime/", "builds": {"wasm": {"module": {"name": "ort.js"}}}}


def write(out: Path, runtime: dict[str, Any] | None = None, dataset: str = "") -> dict[str, Any]:
    """Write a site with an empty model; returns site.json."""
    (out / "model").mkdir(exist_ok=True)
    model = {"files": [], "prompt_prefix": "<", **({"dataset": dataset} if dataset else {})}
    (out / "model" / "model.json").write_text(json.dumps(model))
    (out / "runtime").mkdir(exist_ok=True)
    (out / "runtime" / "ort.js").touch()
    write_site(out, INFO, runtime or OWN)
    site: dict[str, Any] = json.loads((out / "site.json").read_text(encoding="utf-8"))
    return site


class Addresses(HTMLParser):
    """The relative addresses that a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def test_every_address_in_the_site_is_a_file_of_it(tmp_path: Path) -> None:
    write(tmp_path)
    for page in ("index.html", "how.html"):
        parser = Addresses()
        parser.feed((tmp_path / page).read_text(encoding="utf-8"))
        assert parser.found
        for address in parser.found:
            # The link to the API docs is hidden.
            assert address in ("./", "docs") or (tmp_path / address).is_file(), address
    for script in (tmp_path / "static").rglob("*.js"):
        for imported in re.findall(r'(?:from|import) "(\./[^"]+)"', script.read_text("utf-8")):
            assert (script.parent / imported).is_file(), (script, imported)


def test_the_page_is_that_of_the_app(tmp_path: Path) -> None:
    write(tmp_path)
    for path in STATIC.glob("*.css"):
        assert (tmp_path / "static" / path.name).read_bytes() == path.read_bytes()
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<title>Write with run1</title>" in html
    assert '<html data-engine="browser"' in html
    assert "og:image" not in html  # it would need the address of the site


def test_pages_have_a_policy_without_inline_scripts(tmp_path: Path) -> None:
    write(tmp_path)
    for page in ("index.html", "how.html"):
        html = (tmp_path / page).read_text(encoding="utf-8")
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert html.index(policy) < html.index("<script")


def test_the_description_has_the_options_of_the_engine(tmp_path: Path) -> None:
    site = write(tmp_path, dataset="letters.txt")
    names = [option["name"] for option in site["info"]["options"]]
    assert {"max_new_tokens", "temperature", "top_k", "finish_sentence"} <= set(names)
    assert not {"regex", "choices", "best_of"} & set(names)
    assert site["info"]["models"] == ["run1"]
    assert site["info"]["description"].endswith("finetuned on letters.txt")
    assert site["model"]["prompt_prefix"] == "<"
    assert site["preset"]["top_k"] == 40
    assert "finetuned on letters" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_service_worker_changes_with_the_files(tmp_path: Path) -> None:
    write(tmp_path)
    first = (tmp_path / "sw.js").read_text(encoding="utf-8")
    version = re.match(r'const VERSION = "([0-9a-f]{64})", FILES = (\[.*\]);\n', first)
    assert version
    files = json.loads(version[2])
    assert {"", "site.json", "static/page.js", "runtime/ort.js"} <= set(files)
    assert not [name for name in files if not (tmp_path / name).exists()]
    write(tmp_path)
    assert (tmp_path / "sw.js").read_text(encoding="utf-8") == first
    write(tmp_path, dataset="other.txt")
    assert (tmp_path / "sw.js").read_text(encoding="utf-8") != first


@pytest.mark.parametrize("page", ["index.html", "how.html"])
def test_a_page_names_the_cdn_of_its_runtime(tmp_path: Path, page: str) -> None:
    write(tmp_path)
    assert "is loaded from" not in (tmp_path / page).read_text(encoding="utf-8")
    write(tmp_path, add_runtime(tmp_path, "cdn"))
    assert "is loaded from cdn.jsdelivr.net" in (tmp_path / page).read_text(encoding="utf-8")
    assert (
        "runtime"
        not in (tmp_path / "sw.js")
        .read_text(encoding="utf-8")
        .splitlines()[0]
        .split("static/engine/runtime.js")[0]
    )


def test_the_page_of_a_pretrained_model_names_it(tmp_path: Path) -> None:
    write(tmp_path)
    complete_site(tmp_path, RunConfig(model_name="tiny"), pretrained=True, runtime="cdn")
    site = json.loads((tmp_path / "site.json").read_text(encoding="utf-8"))
    assert site["info"]["name"] == "tiny"
    assert site["info"]["example_prompts"]
