// Generates, completes and scores texts with one model: what the server's API does, in the browser.

import { encodePrompt } from "./prompts.js";
import { randomSeed } from "./random.js";
import { highest } from "./sampler.js";
import { sentenceEnds } from "./sentences.js";
import { Sequence } from "./sequence.js";
import { isBlank, trimEnd, trimStart } from "./whitespace.js";

// As in web/responses.py.
const COMPLETION_CONTEXT = 1200; // characters before the cursor that are used for completions
const SAMPLES_PER_COMPLETION = 2; // texts sampled per wanted completion, since some come out equal
const utf8 = new TextEncoder();

export class Engine {
  // `model` is model.json. `preset` has the sampling options of completions. `beforePass` is awaited
  // before each pass of the model, and throws to stop. `betweenTokens` is awaited before each token that
  // is scored, and may use the engine.
  constructor(tokenizer, decoder, model, preset, beforePass, betweenTokens = () => {}) {
    Object.assign(this, { tokenizer, decoder, model, preset, beforePass, betweenTokens });
  }

  // Yields {index, text} for each segment and {index, tokens, finish_reason} after each text, with
  // ignored_tokens if the prompt is longer than the context. The request is that of /api/stream. The
  // texts are generated one after another.
  async *stream({ prefix = "", max_new_tokens: maxNewTokens, nsamples = 1, seed, ...options }) {
    const given = Object.entries(options).filter(([, value]) => value !== null);
    const wanted = { ...Object.fromEntries(given), maxNewTokens };
    const start = seed ?? randomSeed();
    for (let index = 0; index < nsamples; index += 1) {
      for await (const event of this.generate(prefix, wanted, start, index)) yield { index, ...event };
    }
  }

  // Returns up to `count` distinct short continuations of a text: the greedy one first.
  async complete({ text, count = 3, max_new_tokens: maxNewTokens = 12, temperature = 0.7 }) {
    const prefix = lastPart(text, COMPLETION_CONTEXT);
    // The end of a longer text isn't the start of a document.
    const ends = prefix.length < text.length ? { prompt_prefix: "" } : {};
    // A text is continued as it is, as in `nextTokens`.
    const greedy = { ...ends, prompt_suffix: "", maxNewTokens, temperature: 0 };
    const sampled = { ...this.preset, ...greedy, temperature, finish_sentence: false };
    const prompt = prefix.replace(/^\n+/, "");
    const seed = randomSeed();
    const found = new Set();
    for (let sample = -1; sample < SAMPLES_PER_COMPLETION * count && found.size < count; sample += 1) {
      if (sample >= 0 && !temperature) break;
      const options = sample < 0 ? greedy : sampled;
      let generated = "", reason;
      for await (const event of this.generate(prefix, options, seed, Math.max(0, sample))) {
        generated += event.text ?? "";
        reason = event.finish_reason ?? reason;
      }
      // Texts start with their prompt without leading newlines.
      if (generated.startsWith(prompt)) generated = generated.slice(prompt.length);
      const completion = firstLine(generated, reason === "stop");
      if (completion) found.add(completion);
    }
    return [...found];
  }

  // Returns {tokens, ids, logprobs, total, perplexity, bits_per_byte}. A token that ends inside a
  // character has an empty text; the token that completes the character has it.
  async score(text) {
    const { tokenizer, decoder } = this;
    const ids = tokenizer.encode(text);
    const all = [tokenizer.endOfText, ...tokenizer.encode(this.model.prompt_prefix, true), ...ids];
    const logprobs = [];
    const { contextSize } = decoder;
    let end = Math.min(all.length, contextSize + 1);
    for (let at = all.length - ids.length; at < all.length; at += 1) {
      // A window of the context's size moves by half of it, and at last to the end of the text.
      if (at === end) end = Math.min(all.length, end + Math.max(1, contextSize >> 1));
      await this.betweenTokens();
      const context = all.slice(Math.max(0, end - contextSize - 1), at);
      const logits = await decoder.logits(context, this.beforePass);
      logprobs.push(logProbabilities(logits)(all[at]));
    }
    const total = logprobs.reduce((sum, logprob) => sum + logprob, 0);
    const perplexity = Math.exp(-total / ids.length);
    return {
      tokens: tokenTexts(ids, tokenizer),
      ids,
      logprobs,
      total,
      perplexity: Number.isFinite(perplexity) ? perplexity : null,
      bits_per_byte: -total / Math.LN2 / utf8.encode(text).length,
    };
  }

  // Returns [{id, text, probability}, ...], the likeliest next tokens of a text, as /api/next-tokens
  // does. `ids` are those of an incomplete character after it.
  async nextTokens({ text, ids = [], count = 10 }) {
    const { tokenizer, decoder } = this;
    const encoded = encodePrompt(tokenizer, text, this.model.prompt_prefix, "");
    const prompt = { ...encoded, ids: [...encoded.ids, ...ids] };
    const { context } = new Sequence(tokenizer, decoder.contextSize, prompt, {}, 0, 0);
    const logits = await decoder.logits(context, this.beforePass);
    const logprobs = logProbabilities(logits);
    return highest(logits, count).map((id) => ({
      id,
      text: id === tokenizer.endOfText ? "" : completeText([...ids, id], tokenizer),
      probability: Math.exp(logprobs(id)),
    }));
  }

  // Computes the keys and values of a prompt, so that generating from it starts at once.
  async prepare(text) {
    const { prompt_prefix: before, prompt_suffix: after } = this.model;
    const prompt = encodePrompt(this.tokenizer, text, before, after);
    const { context } = new Sequence(this.tokenizer, this.decoder.contextSize, prompt, {}, 0, 0);
    await this.decoder.logits(context, this.beforePass);
  }

  async *generate(text, options, seed, sample) {
    const { tokenizer, decoder, model } = this;
    const { prompt_prefix: before, prompt_suffix: after } = model;
    const own = { prompt_prefix: before, prompt_suffix: after, ...options };
    const prompt = encodePrompt(tokenizer, text, own.prompt_prefix, own.prompt_suffix);
    const sequence = new Sequence(tokenizer, decoder.contextSize, prompt, own, seed, sample);
    for (;;) {
      const logits = await decoder.logits(sequence.context, this.beforePass);
      const { segment, reason } = sequence.accept(logits);
      if (segment) yield { text: segment };
      if (reason) {
        const end = { tokens: sequence.nTokens, finish_reason: reason };
        yield sequence.ignoredTokens ? { ...end, ignored_tokens: sequence.ignoredTokens } : end;
        return;
      }
    }
  }
}

// The last part of a text that is being typed, as in web/schemas.py: it starts at the same character for
// many keystrokes, so that what was computed for one can be used for the next.
export function lastPart(text, limit) {
  const characters = [...text];
  const step = Math.max(1, Math.floor(limit / 3));
  const start = Math.ceil(Math.max(0, characters.length - limit) / step) * step;
  return characters.slice(start).join("");
}

// Cuts a continuation at the end of its first line, or after its last whole sentence or word.
export function firstLine(text, isComplete) {
  if (isBlank(text)) return "";
  const rest = trimStart(text);
  const start = text.slice(0, text.length - rest.length);
  const newline = rest.indexOf("\n");
  let line = newline < 0 ? rest : rest.slice(0, newline);
  if (!isComplete && newline < 0) {
    const ends = sentenceEnds(line);
    if (ends.length) line = line.slice(0, ends.at(-1));
    else if (line.includes(" ")) line = line.slice(0, line.lastIndexOf(" "));
  }
  return start + trimEnd(line);
}

// Returns a function from an id to the natural logarithm of its probability.
function logProbabilities(logits) {
  let maximum = -Infinity, sum = 0;
  for (const logit of logits) maximum = Math.max(maximum, logit);
  for (const logit of logits) sum += Math.exp(logit - maximum);
  return (id) => logits[id] - maximum - Math.log(sum);
}

// The text of ids; null if a character of it is incomplete.
function completeText(ids, tokenizer) {
  const bytes = ids.flatMap((id) => [...(tokenizer.tokens[id] ?? [0xff])]);
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}

function tokenTexts(ids, tokenizer) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return ids.map((id, at) => decoder.decode(tokenizer.tokens[id], { stream: at < ids.length - 1 }));
}
