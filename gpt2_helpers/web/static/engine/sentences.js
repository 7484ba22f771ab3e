// Sentence ends, and texts that end at one, as in generation/sentences.py, which explains the rules.

import { trimEnd } from "./whitespace.js";

const HOLD_TOKENS = 150, HOLD_FRACTION = 0.75;
const END_TOKENS = 50, END_FRACTION = 0.4;
const LONGEST_MARK = 20; // characters

const S = "\\p{White_Space}";
const CLOSING = `["'\\p{Pe}\\p{Pf}\\p{Pi}]*(?:${S}»(?=${S}))?`;
const SENTENCE_END = new RegExp(
  `[\\p{Sentence_Terminal}…]+${CLOSING}` +
    `(?=(?<lineEnd>${S}*\\n)|${S}+[^\\p{L}\\p{N}\\n]*[\\p{Lu}\\p{Lt}\\p{Lo}\\p{N}]` +
    `|(?<=[。．！？｡]\\p{P}*)[^${S}\\p{P}])`,
  "gu",
);
// The same at the end of a text, before it is known which word follows.
const POSSIBLE_END = new RegExp(
  `[\\p{Sentence_Terminal}…]+${CLOSING}(?<rest>(?:${S}[^\\p{L}\\p{N}\\n]*)?)(?=\\n?$)`,
  "gu",
);
const NO_WORD_BEFORE = "(?<![\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}])"; // \b of Python's regex
const ABBREVIATION = new RegExp(
  `(?:${NO_WORD_BEFORE}(?:Mr|Mrs|Ms|Messrs|Mme|Mlle|Dr|St|Prof|Rev|Hon|Capt|Col|Gen|Lt|Maj|Sgt|Jr|Sr|vs|Hr|Fr)` +
    `|(?<![\\p{L}'’])(?!I\\.)\\p{L}|^${S}*\\p{N}+)\\.$`,
  "u",
);

// Ends a text at the end of a sentence within its maximum number of tokens, if there is one.
export class SentenceFinisher {
  // `prompt` is continued, and the first segment starts with `shown`, a part of it or nothing.
  constructor(prompt, shown, nTokens) {
    this.holdFrom = nTokens - Math.min(HOLD_TOKENS, roundHalfToEven(HOLD_FRACTION * nTokens));
    this.endFrom = nTokens - Math.min(END_TOKENS, roundHalfToEven(END_FRACTION * nTokens));
    this.line = shown ? "" : lastLine(prompt); // what has been passed on of it
    this.earliest = this.line.length + shown.length; // a sentence end in the prompt is none
    this.held = "";
    this.isHolding = false;
    this.text = ""; // all text passed on so far
  }

  // Adds a segment of text after so many tokens. `reason` says why the text ends with it, or is null.
  // Returns [the text to pass on, why the text ends or null].
  add(segment, nTokens, reason) {
    this.held += segment;
    if (reason === "stop") return [this.passOn(this.held.length), reason];
    if (nTokens >= this.holdFrom) {
      const start = Math.max(this.earliest + 1, this.line.length);
      const ends = sentenceEnds(this.line + this.held, start).map((end) => end - this.line.length);
      if (ends.length && nTokens >= this.endFrom) return [this.passOn(ends[0]), "sentence"];
      if (ends.length) {
        this.isHolding = true;
        const passed = this.passOn(ends.at(-1));
        this.earliest = this.line.length; // the next sentence end is a later one
        return [passed, null];
      }
    }
    if (reason === null) return [this.passOn(this.isHolding ? 0 : this.certain(nTokens)), null];
    const whole = this.line + this.held;
    if (whole.length > this.earliest && endsSentence(whole)) return [this.passOn(this.held.length), "sentence"];
    if (this.isHolding) return [this.passOn(0), "sentence"];
    return [this.passOn(this.held.length), reason];
  }

  // Length of the held text that belongs to the text in any case.
  certain(nTokens) {
    if (nTokens < this.holdFrom) return this.held.length;
    POSSIBLE_END.lastIndex = Math.max(0, this.line.length - LONGEST_MARK);
    const possible = POSSIBLE_END.exec(this.line + this.held);
    return Math.max(0, this.held.length - (possible?.groups.rest.length ?? 0));
  }

  passOn(length) {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    this.text += text;
    const line = this.line + text;
    this.line = lastLine(line);
    this.earliest -= line.length - this.line.length;
    return text;
  }
}

// Returns where sentences end, as far as the following text shows it, from the index `start` on.
export function sentenceEnds(text, start = 0) {
  const ends = [];
  SENTENCE_END.lastIndex = Math.max(0, start - LONGEST_MARK);
  for (let match; (match = SENTENCE_END.exec(text)); ) {
    const end = match.index + match[0].length;
    if (end < start) continue;
    if (match.groups.lineEnd !== undefined || isComplete(lastLine(text.slice(0, end)))) ends.push(end);
  }
  return ends;
}

// Whether a text ends with a complete sentence.
export function endsSentence(text) {
  const trimmed = trimEnd(text);
  POSSIBLE_END.lastIndex = 0;
  return POSSIBLE_END.test(trimmed) && isComplete(lastLine(trimmed));
}

// Whether the full stop at the end of a line ends a sentence outside quotes and parentheses.
function isComplete(line) {
  const [opening, closing] = line.includes("„") ? ["„", "“"] : ["“", "”"];
  const count = (mark) => line.split(mark).length - 1;
  const isQuoted = count('"') % 2 === 1 || count(opening) > count(closing) || count("(") > count(")");
  return !isQuoted && !ABBREVIATION.test(line);
}

function lastLine(text) {
  return text.slice(text.lastIndexOf("\n") + 1);
}

function roundHalfToEven(number) {
  const floor = Math.floor(number);
  return number - floor === 0.5 ? floor + (floor % 2) : Math.round(number);
}
