"""The routes: each reads a request, has its texts written and responses."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.types import Receive, Scope, Send

from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.web import openapi, responses
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Writer
from gpt2_helpers.web.errors import ShuttingDown, WrongType
from gpt2_helpers.web.metrics import CONTENT_TYPE, Metrics
from gpt2_helpers.web.middleware import is_for_page
from gpt2_helpers.web.model_info import ModelCard, described
from gpt2_helpers.web.schemas import Asking, json_object

PAGE = Path(__file__).parent / "static"
GONE = 499  # the client has left, nobody reads it: the number that nginx writes into its log


class Routes:
    """Every answer of one server."""

    def __init__(
        self, writer: Writer, metrics: Metrics, card: ModelCard, config: ServeConfig
    ) -> None:
        self._writer, self._metrics, self._card, self._config = writer, metrics, card, config
        self._asking = Asking(config)
        self._document = openapi.document(self._asking)

    async def plain(self, request: Request) -> Response:
        """GET, POST and HEAD / as gpt-2-cloud-run has them; a browser gets the page."""
        if is_for_page(request.scope):
            return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})
        if request.method == "HEAD":
            return JSONResponse({"text": ""})
        given: Any = request.query_params
        if request.method == "POST":
            given = json_object(await request.body())
        asked = self._asking.as_gpt2_cloud_run(given)
        return await self._answer(
            request, responses.texts(self._writer, asked), lambda texts: {"text": str(texts[0])}
        )

    async def generate(self, request: Request) -> Response:
        """POST /api/generate: texts, when all of them are done."""
        asked = self._asking.generate(await _json_body(request))
        return await self._answer(request, responses.texts(self._writer, asked), _told)

    async def stream(self, request: Request) -> Response:
        """POST /api/stream: texts as they are written."""
        began = time.monotonic()
        asked = self._asking.generate(await _json_body(request))
        coming = responses.Coming(self._writer, asked)

        def first() -> None:
            self._metrics.first_piece(time.monotonic() - began)

        return _Events(coming, first)

    async def complete(self, request: Request) -> Response:
        """POST /api/complete: short continuations to choose from."""
        asked = self._asking.complete(await _json_body(request))
        return await self._answer(
            request,
            responses.completions(self._writer, asked),
            lambda found: {"completions": found},
        )

    async def model(self, request: Request) -> Response:
        """GET /api/model: which model this is, and what may be asked of it."""
        options = [described(option) for option in self._asking.generating]
        return JSONResponse({**asdict(self._card), "options": options})

    async def healthy(self, request: Request) -> Response:
        """GET /healthz: the process lives."""
        return JSONResponse({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        """GET /readyz: requests are taken."""
        if not self._writer.is_open:
            raise ShuttingDown("this server is about to end")
        return JSONResponse({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: counts for Prometheus."""
        return Response(self._metrics.shown(), media_type=CONTENT_TYPE)

    async def how(self, request: Request) -> Response:
        """GET /how: how such texts come to be."""
        return FileResponse(PAGE / "how.html", headers={"Cache-Control": "no-cache"})

    async def description(self, request: Request) -> Response:
        """GET /openapi.json: the routes for programs."""
        return JSONResponse(self._document)

    async def docs(self, request: Request) -> Response:
        """GET /docs: the routes for people."""
        return HTMLResponse(openapi.page(self._document))

    async def allowed(self, request: Request) -> Response:
        """OPTIONS: what a page of another site may send; the guards say which site may."""
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, HEAD",
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
                "Access-Control-Max-Age": "3600",
            },
        )

    async def _answer(
        self,
        request: Request,
        work: Awaitable[Any],
        shape: Callable[[Any], dict[str, Any]],
    ) -> Response:
        """Wait for the work, unless the client leaves first."""
        found = await responses.unless_gone(work, request.receive)
        return Response(status_code=GONE) if found is None else JSONResponse(shape(found))


class _Events(StreamingResponse):
    """A stream of events, whose texts end with it, whatever ends it."""

    def __init__(self, coming: responses.Coming, first: Callable[[], None]) -> None:
        # A proxy such as nginx would keep pieces back until there are many.
        headers = {"X-Accel-Buffering": "no"}
        events = responses.events(coming, first)
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._coming = coming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._coming:
            await super().__call__(scope, receive, send)


async def _json_body(request: Request) -> bytes:
    """The body of a request that says it is JSON: a form of another site cannot say so."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongType(
            f"the body must be sent as Content-Type: application/json, got {kind or 'none'!r}"
        )
    return await request.body()


def _told(results: list[GenerationResult]) -> dict[str, Any]:
    return {
        "texts": [
            {
                "text": result.text,
                "tokens": result.n_tokens,
                "finish_reason": result.finish_reason,
            }
            for result in results
        ]
    }
