// Options that change the logits of a text by its own history, as generation/processors.py does.

import { EngineError } from "./errors.js";

const MAX_BIAS = 100; // as in config/sampling.py
const { fround } = Math;
const utf8 = new TextEncoder();

// Returns the processors that the options need, in the order of the Python package. Each has
// append(token), which adds a generated token, and apply(logits), which changes logits in place.
export function processorsFor(options, tokenizer, promptIds) {
  const { repetition_penalty: repetition = 1, presence_penalty: presence, frequency_penalty: frequency } = options;
  const found = [];
  if (options.logit_bias) found.push(new LogitBias(options.logit_bias, tokenizer, promptIds));
  if (repetition !== 1 || presence || frequency) {
    found.push(new Penalties(repetition, presence ?? 0, frequency ?? 0, promptIds));
  }
  if (options.no_repeat_ngram_size) found.push(new NoRepeatNgrams(options.no_repeat_ngram_size, promptIds));
  if (options.banned_words?.length) found.push(new BannedWords(options.banned_words, tokenizer, promptIds));
  return found;
}

// Applies processors to a copy of the logits. The text ends if they exclude every token.
export function processed(logits, processors, endOfText) {
  if (!processors.length) return logits;
  const changed = Float32Array.from(logits);
  for (const processor of processors) processor.apply(changed);
  if (changed.every((logit) => logit === -Infinity)) changed[endOfText] = 0;
  return changed;
}

// Repetition, presence and frequency penalty.
class Penalties {
  constructor(repetition, presence, frequency, promptIds) {
    this.repetition = fround(repetition);
    Object.assign(this, { presence, frequency });
    this.seen = new Set(promptIds);
    this.counts = new Map(); // generated token -> how often
  }

  append(token) {
    this.seen.add(token);
    this.counts.set(token, (this.counts.get(token) ?? 0) + 1);
  }

  apply(logits) {
    if (this.repetition !== 1) {
      for (const id of this.seen) {
        logits[id] = logits[id] < 0 ? logits[id] * this.repetition : logits[id] / this.repetition;
      }
    }
    for (const [id, count] of this.counts) logits[id] -= fround(this.presence + this.frequency * count);
  }
}

// Excludes tokens that would complete an n-gram that occurred before.
class NoRepeatNgrams {
  constructor(size, promptIds) {
    this.size = size;
    this.last = []; // at most size - 1 tokens
    this.followers = new Map();
    for (const token of promptIds) this.append(token);
  }

  append(token) {
    const key = this.last.join();
    if (this.last.length === this.size - 1) this.followers.set(key, [...(this.followers.get(key) ?? []), token]);
    this.last = this.size > 1 ? [...this.last, token].slice(1 - this.size) : [];
  }

  apply(logits) {
    if (this.last.length < this.size - 1) return;
    for (const token of this.followers.get(this.last.join()) ?? []) logits[token] = -Infinity;
  }
}

// Excludes tokens with which a banned text would be complete, in any division into tokens.
class BannedWords {
  constructor(words, tokenizer, promptIds) {
    this.words = words.map((word) => binary(utf8.encode(word)));
    this.tokens = tokenizer.tokens.map(binary);
    this.tokens[tokenizer.endOfText] = "";
    this.always = this.containing((token) => this.words.some((word) => token.includes(word)));
    this.room = Math.max(...this.words.map(({ length }) => length)) - 1; // bytes before a token that matter
    this.last = "";
    for (const token of promptIds) this.append(token);
  }

  append(token) {
    this.last = this.room ? (this.last + (this.tokens[token] ?? "")).slice(-this.room) : "";
  }

  apply(logits) {
    for (const id of this.always) logits[id] = -Infinity;
    for (const word of this.words) {
      for (let size = 1; size < Math.min(word.length, this.last.length + 1); size += 1) {
        if (!this.last.endsWith(word.slice(0, size))) continue;
        const rest = word.slice(size);
        for (const id of this.containing((token) => token.startsWith(rest))) logits[id] = -Infinity;
      }
    }
  }

  containing(matches) {
    return [...this.tokens.keys()].filter((id) => matches(this.tokens[id]));
  }
}

// Adds numbers to the logits of token ids or texts. That of a text of several tokens is added to the
// last one where the others come before it.
class LogitBias {
  constructor(biases, tokenizer, promptIds) {
    const entries = Object.entries(biases).filter(([text]) => text);
    for (const [text, bias] of entries) checkBias(text, bias);
    this.entries = entries.map(([text, bias]) => [tokenIds(text, tokenizer), bias]);
    this.room = Math.max(0, ...this.entries.map(([ids]) => ids.length - 1));
    this.last = promptIds.slice(-this.room || promptIds.length);
  }

  append(token) {
    this.last = [...this.last, token].slice(-this.room || this.last.length + 1);
  }

  apply(logits) {
    const sums = new Map(); // of single tokens, which are added first
    for (const [[id, ...others], bias] of this.entries) {
      if (!others.length) sums.set(id, (sums.get(id) ?? 0) + bias);
    }
    for (const [id, bias] of sums) logits[id] += fround(bias);
    for (const [ids, bias] of this.entries) {
      const before = ids.slice(0, -1);
      const isNext = before.length && before.every((id, at) => id === this.last.at(at - before.length));
      if (isNext) logits[ids.at(-1)] += fround(bias);
    }
  }
}

function checkBias(text, bias) {
  if (Math.abs(bias) <= MAX_BIAS) return; // false for NaN
  throw new EngineError(
    `logit_bias must be texts with a number from -${MAX_BIAS} to ${MAX_BIAS} each, such as "${text}=2"` +
      (Number.isNaN(bias) ? "" : `, got ${bias}`),
  );
}

function tokenIds(text, tokenizer) {
  if (!/^[0-9]+$/.test(text)) return tokenizer.encode(text, true);
  if (Number(text) < tokenizer.size) return [Number(text)];
  throw new EngineError(
    `logit_bias: token ids must be between 0 and ${tokenizer.size - 1}, got ${text}: ` +
      "a number in a text has a space before it",
  );
}

// Bytes as a string with a character each, which has methods for searching.
const binary = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
