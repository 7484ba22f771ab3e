// Token bytes to displayable text, as generation/detokenizer.py does it.

import { END_OF_TEXT } from "./tokenizer.js";
import { isBlank } from "./whitespace.js";

const utf8 = new TextEncoder();

// Holds text back while it could be part of a stop string or of a character, and until it is not blank.
// Text that has been returned once never changes. Leading newlines are stripped.
export class StreamingDetokenizer {
  // `prefix` is shown before the text. Each of `stops` ends the text, as the end-of-text token does.
  constructor(prefix = "", stops = []) {
    // Runs of gpt-2-simple end their texts with the plain characters of the end token.
    this.stops = [END_OF_TEXT, ...stops].filter(Boolean).map((stop) => utf8.encode(stop));
    this.held = new Uint8Array(); // may become part of a stop string
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    this.pending = prefix;
    this.text = ""; // all segments returned so far
    this.hasStarted = false;
    this.isBlank = true; // whether the text without the prefix is blank so far
    this.isFinished = false;
  }

  // Adds a token's bytes. Sets `isFinished` if they complete a stop string.
  add(token) {
    const held = concatenated(this.held, token);
    const found = this.stops.map((stop) => indexOf(held, stop)).filter((start) => start >= 0);
    const end = found.length ? Math.min(...found) : held.length - this.partialStopLength(held);
    this.decode(held.subarray(0, end));
    this.held = found.length ? new Uint8Array() : held.slice(end);
    if (found.length) this.finalize();
  }

  // Ends the text: nothing is held back any longer.
  finalize() {
    this.decode(this.held, true);
    this.held = new Uint8Array();
    this.isFinished = true;
  }

  // Returns the text that became certain since the last call; it may be empty.
  nextSegment() {
    if (this.isBlank && !this.isFinished) return "";
    let segment = this.pending;
    this.pending = "";
    if (!this.hasStarted) segment = segment.replace(/^\n+/, "");
    this.hasStarted = true;
    this.text += segment;
    return segment;
  }

  decode(certain, isLast = false) {
    const text = this.decoder.decode(certain, { stream: !isLast });
    this.pending += text;
    this.isBlank &&= isBlank(text);
  }

  // How many of the last bytes could be the start of a stop string.
  partialStopLength(held) {
    const sizes = this.stops.map((stop) => {
      let size = Math.min(stop.length - 1, held.length);
      while (size && !startsAt(held, held.length - size, stop.subarray(0, size))) size -= 1;
      return size;
    });
    return Math.max(...sizes);
  }
}

function concatenated(first, second) {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function indexOf(bytes, part) {
  for (let at = 0; at + part.length <= bytes.length; at += 1) if (startsAt(bytes, at, part)) return at;
  return -1;
}

function startsAt(bytes, at, part) {
  return part.every((byte, offset) => bytes[at + offset] === byte);
}
