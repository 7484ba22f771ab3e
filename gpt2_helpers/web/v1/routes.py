"""Route handlers of OpenAI's API: /v1/completions and /v1/models."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gpt2_helpers.web import responses
from gpt2_helpers.web.event_streams import EventStream
from gpt2_helpers.web.metrics import Metrics
from gpt2_helpers.web.models import ServedModels
from gpt2_helpers.web.routes import client_closed_request, json_body, respond
from gpt2_helpers.web.v1.completions import Completion, CompletionEvents
from gpt2_helpers.web.v1.requests import CompletionParser


class V1Routes:
    """The route handlers of one server.

    Args:
        models: The models of the server.
        metrics: Its metrics.
        parser: Parses the requests.
        charge: Counts texts towards the rate limit of a request's client.
    """

    def __init__(
        self,
        models: ServedModels,
        metrics: Metrics,
        parser: CompletionParser,
        charge: Callable[[Request, int], None],
    ) -> None:
        self._models, self._metrics, self._parser, self._charge = models, metrics, parser, charge
        self._created = int(time.time())

    async def completions(self, request: Request) -> Response:
        """POST /v1/completions: continues texts."""
        on_first_text = self._metrics.first_text_observer()
        wanted = self._parser.parse(await json_body(request))
        model = self._models.get(wanted.parameters.model)
        completion = Completion(model.engine, wanted, model.info.name)
        self._charge(request, wanted.n_texts)
        if not wanted.parameters.stream:
            return await respond(request, completion.run(), lambda answer: answer)
        work = completion.prompt_logprobs()
        prompts = await responses.cancel_on_disconnect(work, request.receive)
        if prompts is None:
            return client_closed_request()
        events = CompletionEvents(completion, prompts)
        return EventStream(completion.chunks(stream=True), events, on_first_text)

    async def models(self, request: Request) -> Response:
        """GET /v1/models: the models that a request can name."""
        return JSONResponse({"object": "list", "data": [*map(self._model, self._models.names)]})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/NAME: one of them."""
        found = self._models.get(request.path_params["model"])
        return JSONResponse(self._model(found.info.name))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "gpt2-helpers"}
