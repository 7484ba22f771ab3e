// One text while it is generated: from token ids to segments of text, as generation/batch.py does it.

import { StreamingDetokenizer } from "./detokenizer.js";
import { processed, processorsFor } from "./processors.js";
import { START_OF_TEXT } from "./prompts.js";
import { RandomStream } from "./random.js";
import { sampleNextToken } from "./sampler.js";
import { SentenceFinisher } from "./sentences.js";

const BLANK_RETRIES = 20; // how often a text that came out blank is generated again

export class Sequence {
  // `prompt` is that of `encodePrompt`. `options` are the sampling options, with `maxNewTokens`,
  // `prompt_prefix` and `prompt_suffix` set. `seed` and `sample` determine the text.
  constructor(tokenizer, contextSize, prompt, options, seed, sample) {
    Object.assign(this, { tokenizer, contextSize, prompt, options });
    this.random = new RandomStream(seed, sample);
    this.retries = 0;
    this.start();
  }

  // The ids that the model computes the next logits from. A text that outgrows the context continues
  // from the last half of it.
  get context() {
    return this.ids.slice(this.contextStart);
  }

  get nTokens() {
    return this.ids.length - Math.max(1, this.prompt.ids.length);
  }

  // Samples the next token from its logits. Returns {segment, reason}: the text that became certain, and
  // why the text ends: "stop", "sentence", "length", or null if it does not.
  accept(logits) {
    const changed = processed(logits, this.processors, this.tokenizer.endOfText);
    return this.append(sampleNextToken(changed, this.random.next(), this.options));
  }

  start() {
    const { prompt, options, tokenizer } = this;
    const prefix = options.include_prefix !== false && !options.prompt_suffix ? prompt.text : "";
    // The start of another row also ends a row, if the model left out the end.
    const marker = (options.prompt_prefix ?? "").includes(START_OF_TEXT) ? [START_OF_TEXT] : [];
    this.detokenizer = new StreamingDetokenizer(prefix, [...(options.truncate ?? []), ...marker]);
    this.finisher = options.finish_sentence
      ? new SentenceFinisher(prompt.text, prefix.replace(/^\n+/, ""), options.maxNewTokens)
      : null;
    this.processors = processorsFor(options, tokenizer, prompt.ids);
    this.ids = prompt.ids.length ? [...prompt.ids] : [tokenizer.endOfText];
    this.contextStart = this.ids.length > this.contextSize ? this.windowStart() : 0;
    this.ignoredTokens = this.contextStart; // tokens at the start of the prompt that do not fit the context
  }

  windowStart() {
    return Math.max(0, this.ids.length - Math.max(1, Math.floor(this.contextSize / 2)));
  }

  append(token) {
    const { tokenizer, detokenizer } = this;
    this.ids.push(token);
    for (const processor of this.processors) processor.append(token);
    if (token === tokenizer.endOfText) detokenizer.finalize();
    else if (token < tokenizer.size) detokenizer.add(tokenizer.tokens[token]);
    const stopped = detokenizer.isFinished;
    // At temperature 0 the same tokens would be chosen again.
    if (stopped && detokenizer.isBlank && this.options.temperature > 0 && this.retries < BLANK_RETRIES) {
      this.retries += 1;
      this.start();
      return { segment: "", reason: null };
    }
    const isCut = !stopped && this.nTokens >= this.options.maxNewTokens;
    if (isCut) detokenizer.finalize();
    let reason = stopped ? "stop" : isCut ? "length" : null;
    let segment = detokenizer.nextSegment();
    if (this.finisher) [segment, reason] = this.finisher.add(segment, this.nTokens, reason);
    if (this.ids.length - this.contextStart > this.contextSize) this.contextStart = this.windowStart();
    return { segment, reason };
  }
}
