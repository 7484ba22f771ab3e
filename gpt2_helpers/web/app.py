"""The ASGI app: routes, error handlers, middleware, and a lifespan that runs the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Engine
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.metrics import Metrics
from gpt2_helpers.web.middleware import SecurityMiddleware, error_response
from gpt2_helpers.web.model_info import ModelInfo
from gpt2_helpers.web.models import ServedModel, ServedModels
from gpt2_helpers.web.page import STATIC
from gpt2_helpers.web.routes import CLIENT_CLOSED_REQUEST, Routes
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.v1.errors import error_body, has_openai_errors
from gpt2_helpers.web.v1.requests import CompletionParser
from gpt2_helpers.web.v1.routes import V1Routes
from gpt2_helpers.web.worker_pool import WorkerPool, worker_count

CORS_PATHS = (
    "/", "/api/generate", "/api/stream", "/api/complete", "/api/score",
    "/api/next-tokens", "/api/model", "/v1/completions", "/v1/models", "/v1/models/{model}",
)  # fmt: skip


def create_app(
    session: Session,
    config: ServeConfig,
    key: str | None = None,
    frame_ancestors: str = "'self'",
    others: Sequence[Session] = (),
) -> tuple[ASGIApp, ServedModels]:
    """Create the app for the models of one or several sessions.

    Args:
        session: The session, which nothing else may use while the app runs.
        config: The options of the server.
        key: The API key that requests must send. Defaults to none.
        frame_ancestors: The sites that may embed the page, in the syntax of a content security
            policy.
        others: Sessions with more models, which requests choose by name.

    Returns:
        The ASGI app, and its models with their engines.

    Raises:
        OptionError: Two models have the same name.
    """
    metrics = Metrics()
    if others and not config.workers:  # processes for each model would need too much memory
        config = replace(config, workers=1)
    models = _create_models((session, *others), config, metrics)
    metrics.watch(models)
    completion_parser = CompletionParser(config)
    routes = Routes(models, metrics, config, completion_parser, has_key=key is not None)
    v1 = V1Routes(models, metrics, completion_parser, routes.charge)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        models.start()
        yield
        models.stop()

    app = Starlette(
        routes=_routes(routes, v1),
        lifespan=lifespan,
        exception_handlers={
            RequestError: _on_request_error,
            HTTPException: _on_http_exception,
            ClientDisconnect: _on_disconnect,
        },
    )
    # A redirect would have the scheme http even behind a proxy that terminates TLS.
    app.router.redirect_slashes = False
    return SecurityMiddleware(app, config, key, metrics.count_request, frame_ancestors), models


def _routes(routes: Routes, v1: V1Routes) -> list[BaseRoute]:
    """The paths and methods of the server."""
    return [
        Route("/", routes.root, methods=["GET", "POST", "HEAD"]),
        Route("/api/generate", routes.generate, methods=["POST"]),
        Route("/api/stream", routes.stream, methods=["POST"]),
        Route("/api/complete", routes.complete, methods=["POST"]),
        Route("/api/score", routes.score, methods=["POST"]),
        Route("/api/next-tokens", routes.next_tokens, methods=["POST"]),
        Route("/api/model", routes.model),
        Route("/v1/completions", v1.completions, methods=["POST"]),
        Route("/v1/models", v1.models),
        Route("/v1/models/{model}", v1.model),
        Route("/healthz", routes.health),
        Route("/readyz", routes.ready),
        Route("/metrics", routes.metrics),
        Route("/how", routes.how),
        Route("/docs", routes.docs),
        Route("/openapi.json", routes.openapi),
        *(Route(path, routes.preflight, methods=["OPTIONS"]) for path in CORS_PATHS),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _create_models(
    sessions: Sequence[Session], config: ServeConfig, metrics: Metrics
) -> ServedModels:
    """Create the engine of each session; if one fails, those before it are stopped."""
    served: list[ServedModel] = []
    try:
        for session in sessions:
            engine = _create_engine(session, config, metrics)
            served.append(ServedModel(ModelInfo.of(session), engine))
        return ServedModels(served)
    except BaseException:  # also KeyboardInterrupt
        for model in served:
            model.engine.stop()
        raise


def _create_engine(session: Session, config: ServeConfig, metrics: Metrics) -> Engine:
    """Return a Scheduler or a WorkerPool, depending on the model and the options."""
    prompt_prefix = config.prompt_prefix
    if prompt_prefix is None:
        prompt_prefix = session.prompt_prefix
    suffix = session.prompt_suffix
    model, tokenizer, on_tokens = session.inference_model, session.tokenizer, metrics.count_tokens
    workers = worker_count(model, config)
    if workers > 1 and isinstance(model, InferenceModel):
        session.decoders.clear()  # the workers have their own
        on_failure = metrics.count_worker_failure
        return WorkerPool(
            model, tokenizer, config, workers, on_tokens, prompt_prefix, on_failure, suffix
        )
    return Scheduler(session.decoders, tokenizer, config, on_tokens, prompt_prefix, suffix)


def _on_request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return error_response(error, request.url.path)


def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path, allowed = request.url.path, (error.headers or {}).get("Allow", "another method")
    messages = {
        404: f"not found: {path}; see /docs for the routes",
        405: f"{path} does not accept {request.method}: use {allowed.replace(', ', ' or ')}",
    }
    message = messages.get(error.status_code, error.detail)
    body: dict[str, Any] = {"error": message}
    if has_openai_errors(path):
        body = error_body(message, error.status_code)
    return JSONResponse(body, error.status_code, error.headers)


def _on_disconnect(_: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # while its body was read
