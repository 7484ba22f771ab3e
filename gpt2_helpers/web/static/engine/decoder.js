// Computes logits with the ONNX graph, and keeps the keys and values of the last token ids.
//
// Keys and values of earlier tokens ("past") are passed to the graph unchanged; it returns those of the
// last few ("recent") with the new ones, so that little is copied for each token. Once there are
// BLOCK_TOKENS recent ones, they are appended to the past. The keys of the past are transposed.

const BLOCK_TOKENS = 64;

export class Decoder {
  // `run` computes the graph: named inputs -> named outputs, each {type, data, dims}. `config` is that
  // of model.json.
  constructor(run, { n_ctx: contextSize, n_embd: width, n_head: heads, n_layer: layers }) {
    Object.assign(this, { run, contextSize, heads });
    this.headSize = width / heads;
    this.names = Array.from({ length: layers }, (_, layer) => [`k_${layer}`, `v_${layer}`]).flat();
    this.clear();
  }

  clear() {
    this.ids = []; // those whose keys and values are in `past` and `recent`
    this.pastLength = 0;
    // Keys (heads, headSize, pastLength), values (heads, pastLength, headSize).
    this.past = this.names.map(() => new Float32Array());
    this.recent = this.names.map(() => new Float32Array()); // (heads, ids.length - pastLength, headSize)
  }

  // Returns the logits of the token after `ids`, which are at most `contextSize` and not empty. Only
  // what follows the longest common start with the previous ids is computed. `beforePass` is awaited
  // before each pass of up to BLOCK_TOKENS; if it throws, the ids computed so far are kept.
  async logits(ids, beforePass = () => {}) {
    let start = 0;
    while (start < ids.length - 1 && ids[start] === this.ids[start]) start += 1;
    this.truncate(start);
    let logits;
    for (; start < ids.length; start += BLOCK_TOKENS) {
      await beforePass();
      logits = await this.compute(ids.slice(start, start + BLOCK_TOKENS));
    }
    return logits;
  }

  async compute(ids) {
    const length = this.ids.length - this.pastLength;
    const inputs = this.idInputs(ids);
    this.names.forEach((name, at) => {
      const shape = (tokens) => [this.heads, tokens, this.headSize];
      const past = isKey(name) ? [this.heads, this.headSize, this.pastLength] : shape(this.pastLength);
      inputs[`past_${name}`] = { type: "float32", data: this.past[at], dims: past };
      inputs[`recent_${name}`] = { type: "float32", data: this.recent[at], dims: shape(length) };
    });
    const outputs = await this.run(inputs);
    this.recent = this.names.map((name) => outputs[`new_recent_${name}`].data);
    this.ids.push(...ids);
    if (length + ids.length >= BLOCK_TOKENS) this.appendRecent();
    return outputs.logits.data;
  }

  idInputs(ids) {
    return {
      input_ids: { type: "int64", data: BigInt64Array.from(ids, BigInt), dims: [ids.length] },
      past_length: { type: "int64", data: BigInt64Array.of(BigInt(this.ids.length)), dims: [] },
    };
  }

  appendRecent() {
    const length = this.ids.length - this.pastLength;
    this.past = this.past.map((past, at) =>
      isKey(this.names[at])
        ? this.appendColumns(past, this.recent[at], length)
        : this.appendRows(past, this.recent[at], length),
    );
    this.recent = this.names.map(() => new Float32Array());
    this.pastLength = this.ids.length;
  }

  // (heads, pastLength, headSize) and (heads, length, headSize) -> (heads, both, headSize)
  appendRows(past, recent, length) {
    const sizes = [this.pastLength * this.headSize, length * this.headSize];
    const joined = new Float32Array(past.length + recent.length);
    for (let head = 0; head < this.heads; head += 1) {
      const to = head * (sizes[0] + sizes[1]);
      joined.set(past.subarray(head * sizes[0], (head + 1) * sizes[0]), to);
      joined.set(recent.subarray(head * sizes[1], (head + 1) * sizes[1]), to + sizes[0]);
    }
    return joined;
  }

  // (heads, headSize, pastLength) and (heads, length, headSize) -> (heads, headSize, both)
  appendColumns(past, recent, length) {
    const { headSize, pastLength } = this;
    const joined = new Float32Array(past.length + recent.length);
    for (let row = 0; row < this.heads * headSize; row += 1) {
      const to = row * (pastLength + length);
      joined.set(past.subarray(row * pastLength, (row + 1) * pastLength), to);
      const from = Math.floor(row / headSize) * length * headSize + (row % headSize);
      for (let token = 0; token < length; token += 1) joined[to + pastLength + token] = recent[from + token * headSize];
    }
    return joined;
  }

  // Keeps the keys and values of the first `length` ids only.
  truncate(length) {
    if (length >= this.ids.length) return;
    const { headSize, heads, names } = this;
    const kept = Math.max(0, length - this.pastLength);
    const before = this.ids.length - this.pastLength;
    this.recent = this.recent.map((array) => firstColumns(array, heads, before * headSize, kept * headSize));
    if (length < this.pastLength) {
      const from = this.pastLength;
      this.past = this.past.map((array, at) =>
        isKey(names[at])
          ? firstColumns(array, heads * headSize, from, length)
          : firstColumns(array, heads, from * headSize, length * headSize),
      );
      this.pastLength = length;
    }
    this.ids.length = length;
  }
}

const isKey = (name) => name.startsWith("k");

// (rows, from) -> (rows, to)
function firstColumns(array, rows, from, to) {
  const kept = new Float32Array(rows * to);
  for (let row = 0; row < rows; row += 1) kept.set(array.subarray(row * from, row * from + to), row * to);
  return kept;
}
