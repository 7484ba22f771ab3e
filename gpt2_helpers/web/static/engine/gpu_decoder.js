// A decoder whose keys and values stay on the GPU: the outputs of a call are inputs of the next one.

import { Decoder } from "./decoder.js";

export class GpuDecoder extends Decoder {
  clear() {
    this.ids = []; // those whose keys and values are in `cache`
    for (const tensor of this.cache ?? []) tensor.dispose();
    // A GPU has no empty tensors. The graph uses no more tokens than there are ids.
    const empty = () => new Float32Array(this.heads * this.headSize);
    this.cache = this.names.map(() => ({ type: "float32", data: empty(), dims: [this.heads, 1, this.headSize], dispose() {} }));
  }

  async compute(ids) {
    const inputs = this.idInputs(ids);
    this.names.forEach((name, at) => (inputs[`recent_${name}`] = this.cache[at]));
    const outputs = await this.run(inputs);
    for (const tensor of this.cache) tensor.dispose();
    this.cache = this.names.map((name) => outputs[`new_recent_${name}`]);
    this.ids.push(...ids);
    return outputs.logits.data;
  }

  truncate(length) {
    this.ids.length = Math.min(length, this.ids.length);
  }
}
