// Client of the server's API.

import * as storage from "./storage.js";

export class ApiError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status; // 0 if the server could not be reached
    this.retryAfter = retryAfter; // in seconds, if the server sent it
  }
}

const UNREACHABLE = "The server cannot be reached. Your texts are still here: try again later.";

let memory = null; // the key, if the browser blocks storage
export const key = {
  get: () => memory ?? storage.read("sessionStorage", "key", (value) => typeof value === "string"),
  set: (value) => {
    memory = value;
    storage.write("sessionStorage", "key", value);
  },
};

// Describes the model of this name; without a name the server's first.
export async function model(name) {
  const query = name ? `?${new URLSearchParams({ model: name })}` : "";
  return (await request(`api/model${query}`, {})).json();
}

export async function complete(text, model, signal) {
  const response = await request("api/complete", { body: { text, model }, signal });
  return (await response.json()).completions;
}

// Returns {tokens, ids, logprobs, total, perplexity, bits_per_byte} of a text.
export async function score(text, model, signal) {
  return (await request("api/score", { body: { text, model }, signal })).json();
}

// Returns [{id, text, probability}, ...], the likeliest next tokens of a text. `ids` are those of an
// incomplete character after it.
export async function nextTokens(text, ids, model, signal) {
  const response = await request("api/next-tokens", { body: { text, ids, model }, signal });
  return (await response.json()).tokens;
}

// Calls on.text(index, text) and on.end(index, {tokens, finish_reason, ignored_tokens}); returns at the end.
export async function stream(parameters, on, signal) {
  const response = await request("api/stream", { body: parameters, signal });
  for await (const [name, data] of events(response.body)) {
    if (name === "text") on.text(data.index, data.text);
    if (name === "end") on.end(data.index, data);
    if (name === "error") throw new ApiError(data.error, data.status);
    if (name === "done") return;
  }
  throw new ApiError(UNREACHABLE, 0); // the connection was lost
}

async function request(path, { body, signal }) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (/[^ -~]/.test(key.get() ?? "")) throw new ApiError("wrong API key", 401); // not for a header
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  let response;
  try {
    response = await fetch(path, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE, 0);
  }
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
    const message = error ?? `The server returned status ${response.status}: try again later`;
    throw new ApiError(message, response.status, retryAfter);
  }
  return response;
}

// Yields the complete server-sent events of a stream as [name, data].
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer += value;
      const complete = buffer.split("\n\n");
      buffer = complete.pop();
      for (const event of complete) {
        const lines = event.split("\n").map((line) => line.split(/: (.*)/s));
        const fields = Object.fromEntries(lines.filter(([name]) => name));
        if (fields.event) yield [fields.event, JSON.parse(fields.data)];
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE, 0);
  } finally {
    reader.cancel().catch(() => {});
  }
}
