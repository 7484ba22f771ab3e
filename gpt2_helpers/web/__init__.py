"""The web app: a page and a JSON API for one or several models, with continuous batching.

A request passes through these modules, outermost first:

    server        uvicorn; connections closes idle and slow connections
    middleware    security headers, host names and CORS (origins), API key, body size, access log
    routes        one handler per route, registered in app; rate_limit counts texts per client
    models        finds the engine of the model that the request names
    schemas       JSON or query string -> GenerateRequest, CompleteRequest or ScoreRequest
    responses     submits the request to the engine; chunks -> JSON
    event_streams chunks -> server-sent events
    engine        tokenizes the prompt, checks the queue, makes one SequenceSpec per text
    scheduler     a background thread that runs the batch and passes chunks back

A web request becomes sequences of the running batch in two steps: `Engine.submit` (engine.py)
queues a `SequenceSpec` for each text, and `Scheduler._admit_waiting` (scheduler.py) adds queued
sequences to the batch between two decode steps. With several workers, `WorkerPool` (worker_pool.py)
takes the scheduler's place and sends each sequence to a `worker` process, which runs a scheduler
of its own. worker_process pings the processes; one that hangs is killed and replaced. A text to
score takes the same path; the scheduler computes a part of it after each decode step.

v1/ has OpenAI's API in place of routes and schemas.

The other modules: config (the options of `gpt2-helpers serve`), errors, metrics, model_info,
openapi with openapi_parts and docs_page, notebook (`gpt2.serve`), page (its HTML) and static/ (its
scripts and styles).

site writes the same page as static files: the engine in static/engine/ takes the place of the
server, and browser_runtime adds the runtime that computes its model.
"""
