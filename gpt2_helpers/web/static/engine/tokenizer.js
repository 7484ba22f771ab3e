// GPT-2's byte-level byte-pair encoding, with the ids of the Python package's tokenizer.

export const END_OF_TEXT = "<|endoftext|>";

// In Python's regex \s is \p{White_Space}. In JavaScript it is not: U+0085 and U+FEFF differ.
const WORD =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const MAX_CACHED_WORDS = 50_000;
const LONG_WORD = 48; // bytes; longer ones are rare, and not cached
const utf8 = new TextEncoder();

export class Tokenizer {
  // `vocabulary` maps tokens to ids, `merges` lists pairs of tokens in the order of merging; both in
  // the printable characters that stand for bytes.
  constructor(vocabulary, merges) {
    const characters = byteCharacters();
    const ids = new Map(Object.entries(vocabulary));
    this.size = ids.size;
    this.endOfText = ids.get(END_OF_TEXT) ?? this.size - 1;
    this.byteIds = characters.map((character) => ids.get(character));
    this.ranks = new Map(); // key of a pair of ids -> position of the merge
    this.merged = []; // the id that each merge results in
    for (const [left, right] of merges) {
      const key = this.pairKey(ids.get(left), ids.get(right));
      if (!this.ranks.has(key)) this.ranks.set(key, this.merged.length);
      this.merged.push(ids.get(left + right));
    }
    this.tokens = tokenBytes(ids, characters); // by id
    if ([...this.byteIds, ...this.merged].includes(undefined) || this.tokens.includes(undefined)) {
      throw new Error("vocab.bpe does not match encoder.json: copy both files from the same model");
    }
    this.cache = new Map(); // word -> ids
  }

  // From the contents of encoder.json and vocab.bpe.
  static parse(encoder, bpe) {
    const lines = bpe.split("\n").filter((line, number) => line && !(number === 0 && line.startsWith("#version")));
    const merges = lines.map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)];
    });
    return new Tokenizer(JSON.parse(encoder), merges);
  }

  // Returns token ids. A lone surrogate is encoded as U+FFFD. With `special`, <|endoftext|> is one id.
  encode(text, special = false) {
    if (special && text.includes(END_OF_TEXT)) {
      const parts = text.split(END_OF_TEXT).map((part) => this.encode(part));
      return parts.slice(1).reduce((ids, part) => [...ids, this.endOfText, ...part], parts[0]);
    }
    const ids = [];
    for (const [word] of text.matchAll(WORD)) {
      let wordIds = this.cache.get(word);
      if (!wordIds) {
        wordIds = this.merge(Array.from(utf8.encode(word), (byte) => this.byteIds[byte]));
        if (this.cache.size >= MAX_CACHED_WORDS) this.cache.clear();
        if (word.length <= LONG_WORD) this.cache.set(word, wordIds);
      }
      for (const id of wordIds) ids.push(id);
    }
    return ids;
  }

  // All occurrences of the pair with the lowest rank are merged, from left to right, before the next pair.
  merge(ids) {
    const rankAt = (at) => this.ranks.get(this.pairKey(ids[at], ids[at + 1])) ?? Infinity;
    let ranks = ids.slice(1).map((_, at) => rankAt(at));
    for (;;) {
      const lowest = ranks.reduce((least, rank) => Math.min(least, rank), Infinity);
      if (lowest === Infinity) return ids;
      const shorter = [];
      for (let at = 0; at < ids.length; at += 1) {
        const isPair = ranks[at] === lowest && ids[at + 1] !== undefined;
        shorter.push(isPair ? this.merged[lowest] : ids[at]);
        if (isPair) at += 1;
      }
      ids = shorter;
      ranks = ids.slice(1).map((_, at) => rankAt(at));
    }
  }

  pairKey(left, right) {
    return left * this.size + right;
  }
}

// The printable character of each byte in encoder.json and vocab.bpe.
function byteCharacters() {
  const isPrintable = (byte) =>
    (byte >= 33 && byte < 127) || (byte >= 161 && byte < 173) || (byte >= 174 && byte < 256);
  let others = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : others++));
}

// The bytes of each token. A token with any other character is UTF-8.
function tokenBytes(ids, characters) {
  const bytes = new Map(characters.map((character, byte) => [character, byte]));
  const tokens = Array(ids.size);
  for (const [token, id] of ids) {
    const own = Array.from(token, (character) => bytes.get(character));
    tokens[id] = own.includes(undefined) ? utf8.encode(token) : Uint8Array.from(own);
  }
  return tokens;
}
