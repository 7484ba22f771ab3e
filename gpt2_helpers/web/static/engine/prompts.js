// Prompts as token ids, with the markers that a run was trained with, as in generation/prompts.py.

import { trim } from "./whitespace.js";

export const START_OF_TEXT = "<|startoftext|>";

// Returns {text, ids, hidden}: the prompt without what is put around it, all ids that the model sees,
// and how many of them are not shown and not counted in the length of a text.
export function encodePrompt(tokenizer, prompt, prefix, suffix) {
  const isMarked = prefix.startsWith(START_OF_TEXT) && prompt.startsWith(START_OF_TEXT);
  const text = isMarked ? prompt.slice(START_OF_TEXT.length) : prompt;
  const whole = prefix + (suffix ? trim(text) : text) + suffix;
  const ids = tokenizer.encode(whole, true);
  const hidden = suffix ? ids.length : tokenizer.encode(prefix, true).length;
  return { text, ids, hidden };
}
