// Talks to the server: JSON in, JSON or server-sent events out. Knows nothing of the page.

export class Refused extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status; // 0 where the server could not be reached
    this.retryAfter = retryAfter; // in seconds, where the server said so
  }
}

const GONE = "The server cannot be reached. What is written stays here: try again in a while.";

let given = null; // where the browser keeps nothing for the page
export const key = {
  get: () => {
    try {
      return given ?? sessionStorage.getItem("key");
    } catch {
      return null;
    }
  },
  set: (value) => {
    given = value;
    try {
      sessionStorage.setItem("key", value);
    } catch {
      // it lasts as long as the page
    }
  },
};

export async function model() {
  return (await answered("api/model", {})).json();
}

export async function completions(text, signal) {
  const response = await answered("api/complete", { body: { text }, signal });
  return (await response.json()).completions;
}

// Calls on.text(index, text) and on.end(index, about); returns when all texts are done.
export async function stream(asked, on, signal) {
  const response = await answered("api/stream", { body: asked, signal });
  for await (const [name, data] of events(response.body)) {
    if (name === "text") on.text(data.index, data.text);
    if (name === "end") on.end(data.index, data);
    if (name === "error") throw new Refused(data.error, data.status);
    if (name === "done") return;
  }
  throw new Refused(GONE, 0); // it broke off
}

async function answered(path, { body, signal }) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
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
    throw new Refused(GONE, 0);
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    const wait = Number(response.headers.get("Retry-After")) || undefined;
    const words = told.error ?? `the server answered ${response.status}: try again in a while`;
    throw new Refused(words, response.status, wait);
  }
  return response;
}

// The events of a stream as [name, data], whole ones only.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      waiting += value;
      const whole = waiting.split("\n\n");
      waiting = whole.pop();
      for (const event of whole) {
        const lines = event.split("\n").map((line) => line.split(/: (.*)/s));
        const parts = Object.fromEntries(lines.filter(([name]) => name));
        if (parts.event) yield [parts.event, JSON.parse(parts.data)];
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(GONE, 0);
  } finally {
    reader.cancel().catch(() => {});
  }
}
