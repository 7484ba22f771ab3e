"""Requests to /v1/completions: JSON -> validated dataclass.

The parameters are OpenAI's, and the samplers of `SamplingConfig` that OpenAI's API lacks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError, brief_repr
from gpt2_helpers.fields import ValidatedConfig, fields_of, option
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import BadRequest
from gpt2_helpers.web.schemas import (
    MAX_ITEMS,
    check_encodable,
    is_token_id,
    parse_json_object,
    validate_parameters,
)

# Samplers of this package that OpenAI's API lacks.
OTHER_SAMPLERS = (
    "top_k", "min_p", "typical_p", "repetition_penalty", "no_repeat_ngram_size", "banned_words",
)  # fmt: skip
_SMALLEST_TOP_P = (
    1e-9  # 0 leaves only the likeliest token here; in SamplingConfig it disables top-p
)
_SHARED = ("presence_penalty", "frequency_penalty", "logit_bias", "seed")


@dataclass(frozen=True)
class CompletionParameters(ValidatedConfig):
    """OpenAI's parameters of a completion, with OpenAI's defaults."""

    model: str | None = option(
        None, "id of the model, one of those in /v1/models; null for the first"
    )
    prompt: Sequence[str] | None = option(
        None,
        "text to continue, or a list of texts; also token ids, or a list of lists of token ids; "
        "null starts a new text",
    )
    max_tokens: int = option(
        16, "maximum number of tokens after the prompt; 0 generates none", minimum=0
    )
    temperature: float = option(
        1.0, "0 always picks the most likely token", minimum=0.0, maximum=2.0
    )
    top_p: float = option(
        1.0,
        "sample from the smallest set of tokens with total probability p",
        minimum=0.0,
        maximum=1.0,
    )
    n: int = option(1, "texts for each prompt", minimum=1)
    best_of: int | None = option(
        None,
        "generate this many for each prompt and return the n with the highest log-probability per "
        "token; not with stream",
        default_text="n",
        minimum=1,
    )
    stop: Sequence[str] | None = option(
        None, "end each text before the first occurrence of any of these", max_items=MAX_ITEMS
    )
    echo: bool = option(False, "start each text with the prompt")
    logprobs: int | None = option(
        None,
        "return the log-probability of each token and of this many of the likeliest tokens, by the "
        "model at temperature 1; with echo also of the prompt's tokens",
        default_text="none",
        minimum=0,
        maximum=20,
    )
    stream: bool = option(False, "send server-sent events, the last of which is [DONE]")
    stream_options: Mapping[str, float] | None = option(
        None, '{"include_usage": true} sends the usage before [DONE]'
    )
    suffix: str | None = option(None, "text after the completion; only null or an empty text")
    user: str | None = option(None, "ignored")


@dataclass(frozen=True)
class CompletionRequest:
    """A request to /v1/completions.

    Attributes:
        prompts: Texts or token ids to continue.
        parameters: The parameters.
        sampling: Sampling options; `nsamples` is the number of candidates for each prompt.
        include_usage: Whether a stream ends with the usage.
    """

    prompts: tuple[str | tuple[int, ...], ...]
    parameters: CompletionParameters
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    include_usage: bool = False

    @property
    def n_candidates(self) -> int:
        """Number of texts that are generated for each prompt, of which n are returned."""
        return self.sampling.nsamples

    @property
    def n_texts(self) -> int:
        """Number of texts that are generated or scored."""
        return len(self.prompts) * (self.n_candidates if self.parameters.max_tokens else 1)


class CompletionParser:
    """Parses requests within the limits of a server.

    Args:
        config: Options of the server.

    Attributes:
        fields: The parameters, for the OpenAPI document.
    """

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        limits = {
            "max_tokens": config.max_length - 1,
            "n": config.max_nsamples,
            "best_of": config.max_nsamples,
        }
        samplers = {field.name: field for field in fields_of(SamplingConfig)}
        own = [
            dataclasses.replace(field, maximum=limits.get(field.name, field.maximum))
            for field in fields_of(CompletionParameters)
        ]
        others = [
            dataclasses.replace(
                samplers[name],
                max_items=MAX_ITEMS if samplers[name].kind in (tuple, dict) else None,
            )
            for name in (*_SHARED, *OTHER_SAMPLERS)
        ]
        # As in OpenAI's API, null means the default of every parameter.
        self.fields = [dataclasses.replace(field, optional=True) for field in (*own, *others)]

    def parse(self, body: bytes) -> CompletionRequest:
        """Parse the JSON of a request.

        Raises:
            BadRequest: If the body is invalid, or a prompt is too long.
        """
        given = {
            name: value for name, value in parse_json_object(body).items() if value is not None
        }
        prompts = self._prompts(given.pop("prompt", ""))
        include_usage = _include_usage(given.pop("stream_options", None), given.get("stream"))
        values = validate_parameters(given, self.fields)
        defaults = {field.name: field.default for field in self.fields}
        values = {n: defaults[n] if value is None else value for n, value in values.items()}
        own = {n: v for n, v in values.items() if n in CompletionParameters.__dataclass_fields__}
        parameters = CompletionParameters(**own)
        if parameters.suffix:
            raise BadRequest("suffix must be null: this model cannot insert text", "suffix")
        candidates = parameters.best_of or parameters.n
        if candidates < parameters.n:
            raise BadRequest(
                f"best_of must be at least n={parameters.n}, got {candidates}", "best_of"
            )
        if parameters.stream and candidates > parameters.n:
            raise BadRequest(
                f"best_of must be n={parameters.n} with stream, got {candidates}: leave out one",
                "best_of",
            )
        _check_token_ids(values["logit_bias"])
        others = {name: values[name] for name in (*_SHARED, *OTHER_SAMPLERS)}
        try:
            sampling = SamplingConfig(
                length=parameters.max_tokens or 1,
                temperature=parameters.temperature,
                top_p=max(parameters.top_p, _SMALLEST_TOP_P) if parameters.top_p < 1 else 0.0,
                nsamples=candidates,
                truncate=parameters.stop,
                include_prefix=False,
                **others,
            )
        except OptionError as error:
            raise BadRequest(str(error)) from None
        return CompletionRequest(prompts, parameters, sampling, include_usage)

    def _prompts(self, value: Any) -> tuple[str | tuple[int, ...], ...]:
        prompts = value if isinstance(value, list) else [value]
        if isinstance(value, list) and value and all(map(is_token_id, value)):
            prompts = [value]
        kinds = {type(prompt) for prompt in prompts}
        are_valid = kinds == {str} or (
            kinds == {list} and all(p and all(map(is_token_id, p)) for p in prompts)
        )
        if not are_valid:
            raise BadRequest(
                "prompt must be a string, a list of strings, a list of token ids, or a list of "
                f"lists of token ids, none of them empty, got {brief_repr(value)}",
                "prompt",
            )
        if len(prompts) > self._config.max_prompts:
            raise BadRequest(
                f"prompt must have at most {self._config.max_prompts} texts, got {len(prompts)}: "
                "send the others in further requests",
                "prompt",
            )
        limit = self._config.max_prompt_chars
        for prompt in prompts:
            if len(prompt) > limit:
                unit = "characters" if isinstance(prompt, str) else "token ids"
                raise BadRequest(
                    f"a prompt must have at most {limit} {unit}, got {len(prompt)}: send only its "
                    "last part",
                    "prompt",
                )
            if isinstance(prompt, str):
                check_encodable("prompt", prompt)
        return tuple(p if isinstance(p, str) else tuple(p) for p in prompts)


def _include_usage(value: Any, stream: Any) -> bool:
    if value is None:
        return False
    usage = value.get("include_usage", False) if isinstance(value, dict) else None
    if not isinstance(usage, bool) or value.keys() - {"include_usage"}:
        raise BadRequest(
            'stream_options must be an object such as {"include_usage": true}, got '
            f"{brief_repr(value)}",
            "stream_options",
        )
    if stream is not True:
        raise BadRequest("stream_options needs stream: set it to true", "stream_options")
    return usage


def _check_token_ids(biases: Mapping[str, float] | None) -> None:
    for token in biases or ():
        if not (token.isascii() and token.isdigit()):
            raise BadRequest(
                f"the keys of logit_bias must be token ids, got {brief_repr(token)}: for texts use "
                "logit_bias of /api/generate",
                "logit_bias",
            )
