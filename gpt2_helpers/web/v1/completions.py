"""Completions: runs a request with the engine, as one JSON object or as server-sent events."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.likelihood import BestOf
from gpt2_helpers.generation.prompts import EncodedPrompt
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult, TokenLogprob
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web import responses
from gpt2_helpers.web.engine import Engine, ScoreSpec
from gpt2_helpers.web.errors import BadRequest, RequestError
from gpt2_helpers.web.event_streams import EventFormat
from gpt2_helpers.web.schemas import GenerateRequest
from gpt2_helpers.web.v1.errors import error_body
from gpt2_helpers.web.v1.logprobs import ChoiceLogprobs, joined, prompt_logprobs
from gpt2_helpers.web.v1.requests import CompletionRequest


class Completion:
    """A request to /v1/completions and its answer.

    Texts are numbered by prompt: the n texts of the first one come first.

    Args:
        engine: The engine of the model.
        request: The request.
        model: The name of the model, for the answer.

    Raises:
        BadRequest: If a token id is not in the vocabulary, or the engine cannot hold that many
            texts.

    Attributes:
        request: The request.
        prompts: Its prompts, encoded.
        head: What every part of the answer has in common.
        n_generated: Number of generated tokens so far, also of texts that best_of leaves out.
    """

    def __init__(self, engine: Engine, request: CompletionRequest, model: str) -> None:
        self._engine, self.request = engine, request
        if request.n_texts > engine.capacity:
            raise BadRequest(
                f"a request may ask for at most {engine.capacity} texts, got {request.n_texts}: "
                "send fewer prompts, or lower n and best_of",
                "prompt",
            )
        self.prompts = [self._encode(prompt) for prompt in request.prompts]
        self.head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        self.n_generated = 0

    def chunks(self, stream: bool) -> responses.ChunkStream:
        """Submit the texts to generate; there are none if max_tokens is 0.

        Raises:
            RequestError: If they cannot be submitted.
        """
        parameters, sampling = self.request.parameters, self.request.sampling
        top_logprobs = parameters.logprobs
        if sampling.nsamples > parameters.n:  # needed to choose the best
            top_logprobs = top_logprobs or 0
        requests = [
            GenerateRequest(
                prompt,
                sampling,
                parameters.max_tokens,
                exact=True,
                top_logprobs=top_logprobs,
                first_sample=order * sampling.nsamples,
            )
            for order, prompt in enumerate(self.prompts)
        ]
        return responses.ChunkStream(
            self._engine, requests if parameters.max_tokens else [], stream
        )

    async def run(self) -> dict[str, Any]:
        """Generate everything and return the answer.

        Raises:
            RequestError: If the request fails.
        """
        prompts = await self.prompt_logprobs()
        results: dict[int, GenerationResult] = {}
        with self.chunks(stream=False) as chunks:
            async for chunk in chunks:
                if chunk.result is not None:
                    results[chunk.index] = replace(chunk.result, index=chunk.index)
                    self.n_generated += chunk.result.n_tokens
        choices: list[dict[str, Any]] = []
        for order in range(len(self.prompts)):
            for result in self._best(results, order):
                choices.append(self._choice(len(choices), order, result, prompts[order]))
        return {**self.head, "choices": choices, "usage": self.usage}

    async def prompt_logprobs(self) -> list[dict[str, Any] | None]:
        """The `logprobs` of the prompts, or None each if they were not asked for.

        Raises:
            RequestError: If the request fails.
        """
        parameters = self.request.parameters
        if not parameters.echo or parameters.logprobs is None:
            return [None] * len(self.prompts)
        # One after another, so that they take one place in the queue.
        return [await self._prompt_logprobs(prompt) for prompt in self.prompts]

    @property
    def usage(self) -> dict[str, int]:
        """The tokens of the prompts and of all texts, also of those that best_of left out."""
        n_prompt = sum(len(prompt.ids) for prompt in self.prompts)
        return {
            "prompt_tokens": n_prompt,
            "completion_tokens": self.n_generated,
            "total_tokens": n_prompt + self.n_generated,
        }

    def _encode(self, prompt: str | tuple[int, ...]) -> EncodedPrompt:
        """Encode a prompt. Token ids are all that the model sees; nothing is put around them."""
        if isinstance(prompt, str):
            return self._engine.encode(prompt)
        self._engine.check_ids(prompt, "prompt")
        return EncodedPrompt(self._engine.tokenizer.decode(prompt), [*prompt], 0)

    async def _prompt_logprobs(self, prompt: EncodedPrompt) -> dict[str, Any]:
        # The first token has no log-probability, unless it follows the hidden prompt prefix.
        n_context = prompt.hidden or 1
        context, ids = prompt.ids[:n_context], prompt.ids[n_context:]
        scored: list[TokenLogprob] = []
        if ids:
            spec = ScoreSpec(ids=ids, context=context, top=self.request.parameters.logprobs or 0)
            scored = _tokens(await responses.score(self._engine, spec))
        return prompt_logprobs(self.tokenizer, prompt.ids[prompt.hidden :], scored)

    def _best(self, results: dict[int, GenerationResult], order: int) -> list[GenerationResult]:
        """The texts of a prompt to return."""
        count = self.request.sampling.nsamples
        own = [results[at] for at in range(order * count, (order + 1) * count) if at in results]
        n = self.request.parameters.n
        if not own:  # none were generated
            text = GenerationResult("", self.prompts[order].text, 0, 0, "length")
            return [text] * n
        if n == count:
            return own
        best = BestOf(replace(self.request.sampling, nsamples=n, best_of=count))
        ranked = [kept for result in own for kept in best.add(GenerationChunk(0, "", result))]
        return [chunk.result for chunk in ranked if chunk.result is not None]

    def _choice(
        self, index: int, order: int, result: GenerationResult, prompt: dict[str, Any] | None
    ) -> dict[str, Any]:
        before, echo = self.prompts[order].text, self.request.parameters.echo
        logprobs = None
        if self.request.parameters.logprobs is not None:
            own = ChoiceLogprobs(self.tokenizer, len(before))
            own.add(result.tokens)
            logprobs = own.take(len(before) + len(result.text), is_last=True)
            if prompt is not None:
                logprobs = joined(prompt, logprobs)
        return {
            "text": before + result.text if echo else result.text,
            "index": index,
            "logprobs": logprobs,
            "finish_reason": result.finish_reason,
        }

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._engine.tokenizer


class CompletionEvents(EventFormat):
    """The answer as server-sent events: `data: {...}` for each part, and `data: [DONE]`.

    Args:
        completion: The request.
        prompts: The `logprobs` of its prompts.
    """

    def __init__(self, completion: Completion, prompts: list[dict[str, Any] | None]) -> None:
        self._completion, self._prompts = completion, prompts
        self._parameters = completion.request.parameters
        self._ends: dict[int, int] = {}  # characters of the prompt and the text so far
        self._logprobs: dict[int, ChoiceLogprobs] = {}
        for index in range(len(prompts) * self._parameters.n):
            self._ends[index] = len(self._prompt_text(index))
            self._logprobs[index] = ChoiceLogprobs(completion.tokenizer, self._ends[index])

    def start(self) -> bytes:
        """The prompts, if they are echoed, and all there is if nothing is generated."""
        is_all = not self._parameters.max_tokens
        if not (self._parameters.echo or is_all):
            return b""
        return b"".join(
            self._part(
                index,
                self._prompt_text(index) if self._parameters.echo else "",
                self._prompts[index // self._parameters.n],
                "length" if is_all else None,
            )
            for index in self._ends
        )

    def chunk(self, chunk: GenerationChunk) -> bytes:
        """A part of a text."""
        is_last = chunk.result is not None
        if chunk.result is not None:
            self._completion.n_generated += chunk.result.n_tokens
        self._ends[chunk.index] += len(chunk.text)
        logprobs = None
        if self._parameters.logprobs is not None:
            self._logprobs[chunk.index].add(chunk.tokens)
            logprobs = self._logprobs[chunk.index].take(self._ends[chunk.index], is_last)
        reason = chunk.result.finish_reason if chunk.result is not None else None
        return self._part(chunk.index, chunk.text, logprobs, reason)

    def done(self) -> bytes:
        """The usage, if it was asked for, and the end of the stream."""
        usage = b""
        if self._completion.request.include_usage:
            usage = self._event([], self._completion.usage)
        return usage + b"data: [DONE]\n\n"

    def error(self, error: RequestError) -> bytes:
        """An error, which ends the stream."""
        return _data(error_body(str(error), error.status, error.param, error.code))

    def _prompt_text(self, index: int) -> str:
        return self._completion.prompts[index // self._parameters.n].text

    def _part(
        self, index: int, text: str, logprobs: dict[str, Any] | None, reason: str | None
    ) -> bytes:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}
        return self._event([choice], None)

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
        values: dict[str, Any] = {**self._completion.head, "choices": choices}
        if self._completion.request.include_usage:
            values["usage"] = usage
        return _data(values)


def _data(values: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(values)}\n\n".encode()


def _tokens(score: TextScore) -> list[TokenLogprob]:
    places: Iterable[tuple[tuple[int, float], ...]] = score.top or [()] * len(score.ids)
    return [
        TokenLogprob(token, logprob, top)
        for token, logprob, top in zip(score.ids, score.logprobs, places, strict=True)
    ]
