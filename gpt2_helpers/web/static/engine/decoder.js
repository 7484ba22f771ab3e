// Computes logits with the ONNX graph, and keeps the keys and values of the last token ids.
//
// Keys and values of earlier tokens ("past") are passed to the graph unchanged; it returns those of the
// last few ("recent") with the new ones, so that little is copied for each token. Once there are
// BLOCK_TOKENS recent ones, they are appended to the past.

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
    this.past = this.names.map(() => new Float32Array()); // (heads, pastLength, headSize)
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
      inputs[`past_${name}`] = { type: "float32", data: this.past[at], dims: shape(this.pastLength) };
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
    const sizes = [this.pastLength * this.headSize, length * this.headSize];
    this.past = this.past.map((past, at) => {
      const joined = new Float32Array(past.length + this.recent[at].length);
      for (let head = 0; head < this.heads; head += 1) {
        const to = head * (sizes[0] + sizes[1]);
        joined.set(past.subarray(head * sizes[0], (head + 1) * sizes[0]), to);
        joined.set(this.recent[at].subarray(head * sizes[1], (head + 1) * sizes[1]), to + sizes[0]);
      }
      return joined;
    });
    this.recent = this.names.map(() => new Float32Array());
    this.pastLength = this.ids.length;
  }

  // Keeps the keys and values of the first `length` ids only.
  truncate(length) {
    if (length >= this.ids.length) return;
    const first = (arrays, from, to) => arrays.map((array) => this.firstTokens(array, from, to));
    this.recent = first(this.recent, this.ids.length - this.pastLength, Math.max(0, length - this.pastLength));
    if (length < this.pastLength) {
      this.past = first(this.past, this.pastLength, length);
      this.pastLength = length;
    }
    this.ids.length = length;
  }

  // (heads, from, headSize) -> (heads, to, headSize)
  firstTokens(array, from, to) {
    const kept = new Float32Array(this.heads * to * this.headSize);
    for (let head = 0; head < this.heads; head += 1) {
      const start = head * from * this.headSize;
      kept.set(array.subarray(start, start + to * this.headSize), head * to * this.headSize);
    }
    return kept;
  }
}
