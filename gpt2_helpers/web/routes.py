"""Route handlers: parse a request, pass it to `responses`, return a starlette response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
)

from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.web import docs_page, openapi, responses
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import ScoreSpec
from gpt2_helpers.web.errors import ServiceUnavailable, UnsupportedMediaType
from gpt2_helpers.web.event_streams import EventStream, NamedEvents
from gpt2_helpers.web.metrics import CONTENT_TYPE, Metrics
from gpt2_helpers.web.model_info import option_info
from gpt2_helpers.web.models import ServedModels
from gpt2_helpers.web.page import STATIC, Page, address_of, is_page_request
from gpt2_helpers.web.rate_limit import RateLimiter, client_of
from gpt2_helpers.web.schemas import RequestParser, parse_json_object
from gpt2_helpers.web.v1.requests import CompletionParser

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that disconnected; only logs show it


class Routes:
    """The route handlers of one server."""

    def __init__(
        self,
        models: ServedModels,
        metrics: Metrics,
        config: ServeConfig,
        completion_parser: CompletionParser,
        has_key: bool = False,
    ) -> None:
        self._models, self._metrics = models, metrics
        self._parser, self._config = RequestParser(config), config
        self._rate_limiter = RateLimiter(config.rate_limit)
        # A server with a key names its models only to those who have it.
        names = () if has_key else models.names
        self._openapi = openapi.document(self._parser, completion_parser, names)
        self._page = Page(None if has_key else models.default.info)

    async def root(self, request: Request) -> Response:
        """GET, POST and HEAD /: the API of gpt-2-cloud-run, or the page for a browser."""
        if is_page_request(request):
            page = self._page.render(address_of(request, self._config.trusted_proxies))
            return HTMLResponse(page, headers={"Cache-Control": "no-cache"})
        if request.method == "HEAD":
            return JSONResponse({"text": ""})
        parameters: Any = request.query_params
        if request.method == "POST":
            parameters = parse_json_object(await request.body())
        wanted = self._parser.parse_cloud_run(parameters)
        self.charge(request, 1)
        work = responses.generate(self._models.default.engine, wanted)
        return await respond(request, work, lambda results: {"text": results[0].text})

    async def generate(self, request: Request) -> Response:
        """POST /api/generate: all texts in one response."""
        wanted = self._parser.parse_generate(await json_body(request))
        engine = self._models.get(wanted.model).engine
        self.charge(request, wanted.sampling.n_candidates)
        return await respond(request, responses.generate(engine, wanted), _texts)

    async def stream(self, request: Request) -> Response:
        """POST /api/stream: texts as they are generated."""
        on_first_text = self._metrics.first_text_observer()
        wanted = self._parser.parse_generate(await json_body(request))
        engine = self._models.get(wanted.model).engine
        self.charge(request, wanted.sampling.n_candidates)
        chunks = responses.ChunkStream(engine, [wanted])
        return EventStream(chunks, NamedEvents(), on_first_text)

    async def complete(self, request: Request) -> Response:
        """POST /api/complete: short continuations to choose from."""
        wanted = self._parser.parse_complete(await json_body(request))
        engine = self._models.get(wanted.model).engine
        self.charge(request, wanted.count)
        work = responses.complete(engine, wanted)
        return await respond(request, work, lambda found: {"completions": found})

    async def score(self, request: Request) -> Response:
        """POST /api/score: the log-probability of each token of a text."""
        wanted = self._parser.parse_score(await json_body(request))
        engine = self._models.get(wanted.model).engine
        self.charge(request, 1)
        work = responses.score(engine, ScoreSpec(wanted.text))
        return await respond(request, work, _score)

    async def next_tokens(self, request: Request) -> Response:
        """POST /api/next-tokens: the likeliest next tokens of a text."""
        wanted = self._parser.parse_next_tokens(await json_body(request))
        engine = self._models.get(wanted.parameters.model).engine
        self.charge(request, 1)
        work = responses.next_tokens(engine, wanted)
        return await respond(request, work, lambda found: {"tokens": found})

    async def model(self, request: Request) -> Response:
        """GET /api/model: a model, the names of all, and the parameters of /api/generate."""
        info = self._models.get(request.query_params.get("model")).info
        return JSONResponse(
            {
                **asdict(info),
                "models": self._models.names,
                "max_prompt_chars": self._config.max_prompt_chars,
                "options": [option_info(option) for option in self._parser.generate_fields],
            }
        )

    async def health(self, request: Request) -> Response:
        """GET /healthz: liveness."""
        return JSONResponse({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        """GET /readyz: readiness."""
        responding, workers = self._models.n_responding, self._models.n_workers
        if not self._models.is_ready:
            raise ServiceUnavailable(
                f"the server is shutting down or no worker responds ({responding} of {workers})"
            )
        if responding < workers:
            return JSONResponse({"status": "degraded", "workers": f"{responding} of {workers}"})
        return JSONResponse({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: Prometheus metrics."""
        return Response(self._metrics.render(), media_type=CONTENT_TYPE)

    async def how(self, request: Request) -> Response:
        """GET /how: how generation works, for readers."""
        return FileResponse(STATIC / "how.html", headers={"Cache-Control": "no-cache"})

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json: the OpenAPI document."""
        return JSONResponse(self._openapi)

    async def docs(self, request: Request) -> Response:
        """GET /docs: the OpenAPI document as HTML."""
        address = address_of(request, self._config.trusted_proxies)
        return HTMLResponse(docs_page.page(self._openapi, address))

    async def preflight(self, request: Request) -> Response:
        """OPTIONS: CORS preflight. The middleware adds the allowed origin."""
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, HEAD",
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
                "Access-Control-Max-Age": "3600",
            },
        )

    def charge(self, request: Request, texts: int) -> None:
        """Count texts towards the client's rate limit; raises TooManyRequests."""
        client = client_of(request.scope, self._config.trusted_proxies)
        self._rate_limiter.charge(client, texts)


async def respond(
    request: Request, work: Awaitable[Any], to_json: Callable[[Any], dict[str, Any]]
) -> Response:
    """Wait for the result of `work` and return it as JSON, unless the client disconnects."""
    result = await responses.cancel_on_disconnect(work, request.receive)
    return client_closed_request() if result is None else JSONResponse(to_json(result))


def client_closed_request() -> Response:
    """The response to a client that has disconnected."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def json_body(request: Request) -> bytes:
    """Return a body declared as JSON, which a form of another site cannot send (CSRF)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType(
            f"the Content-Type must be application/json, got {kind or 'none'!r}"
        )
    return await request.body()


def _texts(results: list[GenerationResult]) -> dict[str, Any]:
    return {
        "texts": [
            {
                "text": result.text,
                **responses.result_values(result),
                **({} if result.logprob is None else {"logprob": result.logprob}),
            }
            for result in results
        ]
    }


def _score(score: TextScore) -> dict[str, Any]:
    numbers = score.measures.as_json()
    return {
        "tokens": score.tokens,
        "ids": score.ids,
        "logprobs": score.logprobs,
        "total": score.total,
        "perplexity": numbers["perplexity"],
        "bits_per_byte": numbers["bits_per_byte"],
    }
