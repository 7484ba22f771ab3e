"""A static site that runs a model in its reader's browser: the page of the web app and an engine.

index.html, how.html   the page; a meta tag has its content security policy
sw.js                  the service worker, which keeps the site for offline use
site.json              the model's description, and the files to load with their hashes
static/                scripts and styles, with the engine
model/                 the model: ONNX graph, weights and tokenizer, listed in model.json
runtime/               ONNX Runtime Web, unless a CDN serves it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gpt2_helpers.config import PRESET, RunConfig
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import atomic_write_text, copy_file, drain, ignore
from gpt2_helpers.web.browser_runtime import FOLDER, add_runtime
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.model_info import CUSTOM_TEXT, ModelInfo, option_info
from gpt2_helpers.web.page import STATIC, Page
from gpt2_helpers.web.schemas import RequestParser

MODEL = "model/"  # folder of the model's files, with model.json
# The options of /api/generate that the engine has. Not seed, which the page does not show either.
OPTIONS = (
    "prefix", "max_new_tokens", "nsamples", "temperature", "top_k", "top_p", "truncate",
    "finish_sentence", "min_p", "typical_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "no_repeat_ngram_size", "banned_words", "logit_bias",
)  # fmt: skip
COMPLETION_OPTIONS = ("temperature", "top_k", "top_p", "min_p", "typical_p")
# Nothing comes from elsewhere, and inline scripts never run. The worker has its own policy.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'none'; base-uri 'none'"
)
# The client of a server, a picture for link previews, and the template of sw.js.
_NOT_IN_SITE = ("api.js", "preview.svg", "engine/service_worker.js")


def complete_site(
    out: Path,
    run: RunConfig,
    pretrained: bool = False,
    runtime: str | None = None,
    on_status: Callable[[str], None] = ignore,
    checkpoint: str | None = None,
) -> None:
    """Write a site around a model that was exported into its folder `model`.

    Args:
        out: The folder of the site.
        run: The options of the run: `run_name` and `checkpoint_dir`, or `model_name` and
            `model_dir`.
        pretrained: Whether it is the pretrained model `run.model_name` instead of the run.
        runtime: Where ONNX Runtime Web is; see `add_runtime`.
        on_status: Called with a line of text before something is fetched.
        checkpoint: Name of the run's checkpoint that was exported. Defaults to the newest.

    Raises:
        CheckpointError: The run or model cannot be read.
        DownloadError: The runtime cannot be fetched.
        OptionError: `runtime` is not a folder with the runtime.
        OSError: A file cannot be read or written.

    Example:
        complete_site(Path("site"), RunConfig(run_name="run1"))
    """
    session = Session()
    if pretrained:
        session.load_pretrained(run.model_name, run.model_dir)
    else:
        session.load_run(run.run_name, run.checkpoint_dir, checkpoint)
    write_site(out, ModelInfo.of(session), add_runtime(out, runtime, on_status))


def write_site(out: Path, info: ModelInfo, runtime: dict[str, Any]) -> None:
    """Write a site around a model. The page says what the model was trained on if model.json does.

    Args:
        out: The folder, whose folder `model` has the exported model.
        info: The model's description.
        runtime: What `add_runtime` returned.

    Raises:
        OSError: A file cannot be read or written.
    """
    config = ServeConfig()
    model = json.loads((out / MODEL / "model.json").read_text(encoding="utf-8"))
    description = info.description
    if dataset := model.get("dataset"):
        description = description.replace(CUSTOM_TEXT, dataset)
    fields = {field.name: field for field in RequestParser(config).generate_fields}
    site = {
        "info": {
            **asdict(info),
            "description": description,
            "models": [info.name],
            "max_prompt_chars": config.max_prompt_chars,
            "options": [option_info(fields[name]) for name in OPTIONS],
        },
        "folder": MODEL,
        "model": model,
        "runtime": runtime,
        "preset": {name: getattr(PRESET, name) for name in COMPLETION_OPTIONS},
    }
    how = (STATIC / "how.html").read_text(encoding="utf-8")
    texts = {
        "site.json": json.dumps(site, indent=1),
        "index.html": _static_html(
            Page(replace(info, description=description)).render(None), runtime
        ),
        "how.html": _static_html(how, runtime),
        ".nojekyll": "",  # GitHub Pages publishes the folder as it is
    }
    for name, text in texts.items():
        atomic_write_text(out / name, text)
    own = ["site.json", "index.html", "how.html", *_copy_static(out)]
    if runtime["folder"] == FOLDER:
        own += [FOLDER + build["module"]["name"] for build in runtime["builds"].values()]
    atomic_write_text(out / "sw.js", _service_worker(out, own))


def _copy_static(out: Path) -> list[str]:
    """Copy scripts and styles; returns their paths in the site."""
    names = []
    for path in sorted(STATIC.rglob("*.*")):
        name = path.relative_to(STATIC).as_posix()
        if path.suffix in (".js", ".css", ".svg") and name not in _NOT_IN_SITE:
            names.append(f"static/{name}")
            (out / names[-1]).parent.mkdir(parents=True, exist_ok=True)
            drain(copy_file(path, out / names[-1]))
    return names


def _static_html(html: str, runtime: dict[str, Any]) -> str:
    """The HTML of a static site, from that of the server."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'
    html = html.replace("<html", '<html data-engine="browser"', 1)
    html = html.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{policy}', 1)
    html = html.replace('href="how"', 'href="how.html"')
    origin = urlsplit(runtime["folder"]).hostname
    remark = f" ONNX Runtime Web, which runs the model, is loaded from {origin}." if origin else ""
    return html.replace("<!-- runtime -->", escape(remark))


def _service_worker(out: Path, files: list[str]) -> str:
    """The service worker for these files; a change of any of them changes it."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + hashlib.sha256((out / name).read_bytes()).digest())
    worker = (STATIC / "engine" / "service_worker.js").read_text(encoding="utf-8")
    # "" is the address of the site itself.
    head = f'const VERSION = "{digest.hexdigest()}", FILES = {json.dumps(["", *files])};'
    return f"{head}\n{worker}"
