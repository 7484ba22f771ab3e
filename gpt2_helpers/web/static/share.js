// Links that contain a text: compressed, after the #, which browsers do not send to servers.

const KEY = "shared";
const MAX_BYTES = 1_000_000; // of a decompressed text

// Returns a link to a page that shows the text. {prompt, text, model} are strings.
export async function textLink({ prompt, text, model }) {
  const address = new URL(location.href);
  address.search = "";
  if (globalThis.CompressionStream) {
    const bytes = new TextEncoder().encode(JSON.stringify({ prompt, text, model }));
    const compressed = await piped(bytes, new CompressionStream("deflate"));
    address.hash = new URLSearchParams({ [KEY]: toBase64(compressed) }).toString();
  } else { // a browser older than 2023: longer, but readable
    address.hash = new URLSearchParams({ prompt, text, model }).toString();
  }
  return address.href;
}

// Returns the {prompt, text, model} of a link; null if it has none. Throws if it is damaged.
export async function linkedText(hash) {
  const parameters = new URLSearchParams(hash.slice(1));
  let values = Object.fromEntries(parameters);
  if (parameters.has(KEY)) {
    if (!globalThis.DecompressionStream) {
      throw new Error("This browser is too old to open the text of this link.");
    }
    try {
      const bytes = fromBase64(parameters.get(KEY));
      const text = await piped(bytes, new DecompressionStream("deflate"));
      values = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
    } catch {
      throw new Error("The link is incomplete or damaged: its text cannot be read. Ask for it again.");
    }
  } else if (!parameters.has("text")) {
    return null;
  }
  const [prompt, text, model] = ["prompt", "text", "model"].map((name) => {
    const value = values?.[name];
    return typeof value === "string" ? value.toWellFormed?.() ?? value : "";
  });
  if (!(prompt + text).trim()) throw new Error("The link contains no text.");
  return { prompt, text, model: model.slice(0, 100) };
}

async function piped(bytes, transform) {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  const chunks = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    size += value.length;
    if (size > MAX_BYTES) {
      await reader.cancel();
      throw new Error("too long");
    }
    chunks.push(value);
  }
}

// Base64 with - and _, which links keep as they are, and without padding.
function toBase64(bytes) {
  const characters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(characters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64(text) {
  const characters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}
