// Prompts: the part of a long one that is sent, and the part that is shown.

const FOLDED = 280, FOLD_FROM = 600; // characters of a folded prompt, and of one that is folded

// Returns the last `limit` characters of a text.
export function tail(text, limit) {
  const valid = text.toWellFormed?.() ?? text;
  const characters = [...valid]; // the server counts a surrogate pair as one
  return characters.length <= limit ? valid : characters.slice(-limit).join("");
}

// Returns the last part of a prompt, from the start of a word, without spaces at its end: the
// model's words start with a space of their own.
export function lastPart(prompt, limit) {
  const text = prompt.replace(/[ \t]+$/, "");
  const part = tail(text, limit);
  const isWordStart = part.length >= text.length || /\s/.test(text.at(-part.length - 1));
  const space = isWordStart ? -1 : part.slice(0, 50).search(/\s/);
  return part.slice(space + 1);
}

// Returns a remark if only the last part of a prompt can be used, else "".
export function limitRemark(prompt, limit, verb) {
  const size = [...prompt].length;
  if (size <= limit) return "";
  return `Only the last ${limit.toLocaleString("en")} of ${size.toLocaleString("en")} characters ${verb} used.`;
}

// Returns what a reader should know about the end of a text, or "". `end` is that of `api.stream`.
export function endRemark({ finish_reason: reason, ignored_tokens: ignored = 0 }) {
  const remarks = [];
  if (ignored) {
    const count = ignored.toLocaleString("en");
    remarks.push(`The prompt is longer than the model's context: its first ${count} tokens were not used.`);
  }
  if (reason === "length") remarks.push("Cut at the length limit.");
  return remarks.join(" ");
}

// Returns a long prompt without its beginning; a shorter one as it is.
export function folded(prompt) {
  if (prompt.length <= FOLD_FROM) return prompt;
  return `… ${lastPart(prompt, FOLDED).trimStart()}`;
}
