"""OpenAI's completions API, for programs that know it: /v1/completions and /v1/models.

requests       JSON -> CompletionRequest
completions    generates and scores; results -> JSON or server-sent events
logprobs       tokens -> the `logprobs` of a choice
routes         one handler per route
documentation  its part of the OpenAPI document
errors         errors as OpenAI's API returns them
"""
