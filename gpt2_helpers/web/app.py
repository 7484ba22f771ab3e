"""The app: routes, their guards, and who writes, who lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gpt2_helpers.checkpoint.stored_model import InferenceModel
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Writer
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.metrics import Metrics
from gpt2_helpers.web.middleware import SecurityMiddleware, refused
from gpt2_helpers.web.model_info import ModelCard, start_of
from gpt2_helpers.web.routes import GONE, PAGE, Routes
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.worker_pool import WorkerPool, processes_for

# What pages of other sites may ask for, where the guards let them.
SHARED = ("/", "/api/generate", "/api/stream", "/api/complete", "/api/model")


def build(
    session: Session, config: ServeConfig, key: str | None = None, frames: str = "'self'"
) -> tuple[ASGIApp, Writer]:
    """The ASGI app for a session's model, which nobody else may use meanwhile, and its writer.

    `key` is what requests for texts must bring, where it is given; `frames` are the sites that may
    show the page within theirs, as a content security policy names them.
    """
    metrics = Metrics()
    start = start_of(session) if config.prompt_prefix is None else config.prompt_prefix
    writer = _writer(session, config, metrics, start)
    metrics.watch(writer)
    routes = Routes(writer, metrics, ModelCard.of(session), config)

    @asynccontextmanager
    async def writing(_: Starlette) -> AsyncIterator[None]:
        writer.start()
        yield
        writer.stop()

    def answers_refusal(_: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, RequestError)
        return refused(refusal)

    def answers_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path, allowed = request.url.path, (error.headers or {}).get("Allow", "another method")
        words = {
            404: f"there is nothing at {path}: /docs lists what there is",
            405: f"{path} does not take {request.method}: send {allowed.replace(', ', ' or ')}",
        }
        message = words.get(error.status_code, error.detail)
        return JSONResponse({"error": message}, error.status_code, error.headers)

    def has_left(_: Request, error: Exception) -> Response:
        return Response(status_code=GONE)  # in the middle of its own body

    app = Starlette(
        routes=[
            Route("/", routes.plain, methods=["GET", "POST", "HEAD"]),
            Route("/api/generate", routes.generate, methods=["POST"]),
            Route("/api/stream", routes.stream, methods=["POST"]),
            Route("/api/complete", routes.complete, methods=["POST"]),
            Route("/api/model", routes.model),
            Route("/healthz", routes.healthy),
            Route("/readyz", routes.ready),
            Route("/metrics", routes.metrics),
            Route("/how", routes.how),
            Route("/docs", routes.docs),
            Route("/openapi.json", routes.description),
            *(Route(path, routes.allowed, methods=["OPTIONS"]) for path in SHARED),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        lifespan=writing,
        exception_handlers={
            RequestError: answers_refusal,
            HTTPException: answers_http,
            ClientDisconnect: has_left,
        },
    )
    app.router.redirect_slashes = False  # which would lead out of https behind a proxy
    return SecurityMiddleware(app, config, key, metrics.answered, frames), writer


def _writer(session: Session, config: ServeConfig, metrics: Metrics, start: str) -> Writer:
    """Who writes for this server: a thread, or several processes."""
    model, tokenizer = session.inference_model, session.tokenizer
    processes = processes_for(model, config)
    if processes > 1 and isinstance(model, InferenceModel):
        session.decoders.clear()  # the workers have their own
        return WorkerPool(model, tokenizer, config, processes, metrics.wrote, start)
    return Scheduler(session.decoders, tokenizer, config, metrics.wrote, start)
