"""A local HTTP server with the part of the Hugging Face Hub's API that huggingface-hub uses.

Large files are sent by Git LFS's protocol, as on the Hub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

LARGE = ".safetensors"


class HubStandIn(ThreadingHTTPServer):
    """The server.

    Attributes:
        repositories: The files of each repository, by its name.
        tokens: Tokens that may write.
        private: Repositories that need a token.
        paths: The paths that were requested.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.tokens = {"good-token"}
        self.private: set[str] = set()
        self.paths: list[str] = []
        self.objects: dict[str, bytes] = {}  # uploaded large files by their SHA-256

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit_of(self, name: str) -> str:
        """A commit hash that changes with the files."""
        digest = hashlib.sha1()
        for path, content in sorted(self.repositories[name].items()):
            digest.update(path.encode() + content)
        return digest.hexdigest()


@contextmanager
def running_hub() -> Iterator[HubStandIn]:
    """Run a server for the block."""
    server = HubStandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use_hub(server: HubStandIn, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Let huggingface-hub use a server, an empty cache, and a token that may write."""
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("HF_TOKEN", "good-token")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    # Xet, the Hub's newer protocol for large files, has a server of its own.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


class _Handler(BaseHTTPRequestHandler):
    server: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._read(with_body=False)

    def do_GET(self) -> None:
        self._read(with_body=True)

    def _read(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.paths.append(path)
        match = re.fullmatch(r"/api/models/(.+?)/(revision|tree)/([^/]+)", path)
        file = re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path)
        name = (match or file or [path])[1] if match or file else ""
        files = self.server.repositories.get(name)
        if files is None or (name in self.server.private and not self._may_write()):
            self._answer(401, error="RepoNotFound")
        elif match and match[3] not in ("main", self.server.commit_of(name)):
            self._answer(404, error="RevisionNotFound")
        elif match and match[2] == "revision":
            siblings = [{"rfilename": file} for file in files]
            self._answer(
                200, {"id": name, "sha": self.server.commit_of(name), "siblings": siblings}
            )
        elif match:
            entries = [
                {"type": "file", "path": file, "size": len(content), "oid": _sha1(content)}
                for file, content in files.items()
            ]
            self._answer(200, entries)
        elif file and file[3] in files:
            content = files[file[3]]
            headers = {"ETag": f'"{_sha1(content)}"', "X-Repo-Commit": self.server.commit_of(name)}
            self._answer(200, content, with_body=with_body, **headers)
        else:
            self._answer(404, error="EntryNotFound")

    def do_PUT(self) -> None:
        self.server.objects[self.path.rpartition("/")[2]] = self._body()
        self._answer(200, {})

    def do_POST(self) -> None:
        body = self._body()
        self.server.paths.append(self.path)
        if not self._may_write():
            self._answer(401, {"error": "Invalid username or password."})
            return
        preupload = re.fullmatch(r"/api/models/(.+?)/preupload/main", self.path)
        commit = re.fullmatch(r"/api/models/(.+?)/commit/main", self.path.partition("?")[0])
        if self.path == "/api/repos/create":
            request = json.loads(body)
            owner = request.get("organization") or "me"
            name = f"{owner}/{request['name']}"
            if request.get("private") or request.get("visibility") == "private":
                self.server.private.add(name)
            self.server.repositories.setdefault(name, {})
            self._answer(200, {"url": f"{self.server.address}/{name}", "id": name, "name": name})
        elif self.path == "/api/validate-yaml":  # the metadata of README.md
            self._answer(200, {"errors": [], "warnings": []})
        elif preupload:
            modes = [
                {"path": file["path"], "shouldIgnore": False, "uploadMode": _mode(file["path"])}
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": modes})
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**entry, "actions": {"upload": {"href": f"{self.server.address}/{entry['oid']}"}}}
                for entry in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif commit:
            self._commit(commit[1], body)
        else:
            self._answer(404, {"error": "not found"})

    def _commit(self, name: str, body: bytes) -> None:
        files = self.server.repositories[name]
        for line in body.decode().splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                content = self.server.objects[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                files[value["path"]] = content
        oid = self.server.commit_of(name)
        url = f"{self.server.address}/{name}/commit/{oid}"
        self._answer(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def _may_write(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server.tokens

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(
        self,
        status: int,
        content: Any = b"",
        error: str = "",
        with_body: bool = True,
        **headers: str,
    ) -> None:
        is_json = not isinstance(content, bytes)
        data = json.dumps(content).encode() if is_json else content
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if is_json else "binary/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        if error:
            self.send_header("X-Error-Code", error)
            self.send_header("X-Error-Message", error)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)


def _mode(path: str) -> str:
    return "lfs" if path.endswith(LARGE) else "regular"


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
