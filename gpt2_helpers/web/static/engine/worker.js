// The web worker that runs the model. It takes messages {id, method, value} and {cancel: id}, and
// answers with {id, event}, {id, result} or {id, error}; see client.js.

import { Decoder } from "./decoder.js";
import { chooseDevice } from "./device.js";
import { fetchFiles } from "./downloads.js";
import { Engine } from "./engine.js";
import { EngineError, explained } from "./errors.js";
import { GpuDecoder } from "./gpu_decoder.js";
import { openModel } from "./runtime.js";
import { Tokenizer } from "./tokenizer.js";

let engine = null;
let modelSize = 0; // bytes
let last = Promise.resolve(); // requests run one after another
let running = null;
const waiting = new Map(); // id -> request that waits or runs

const methods = {
  load,
  async *stream(request) {
    yield* engine.stream(request);
  },
  complete: (request) => engine.complete(request),
  score: ({ text }) => engine.score(text),
  nextTokens: (request) => engine.nextTokens(request),
  prepare: ({ text }) => engine.prepare(text),
};

addEventListener("message", ({ data }) => {
  if ("cancel" in data) {
    const request = waiting.get(data.cancel);
    if (request) request.isCancelled = true;
    return;
  }
  // Preparing for a prompt never delays another request.
  for (const request of waiting.values()) request.isCancelled ||= request.method === "prepare";
  waiting.set(data.id, { ...data, isCancelled: false });
  last = last.then(() => answer(waiting.get(data.id)));
});

async function answer(request) {
  const { id, method, value } = request;
  running = request;
  try {
    const outcome = methods[method](value, (event) => postMessage({ id, event }));
    if (outcome[Symbol.asyncIterator]) for await (const event of outcome) postMessage({ id, event });
    postMessage({ id, result: await (outcome[Symbol.asyncIterator] ? null : outcome) });
  } catch (error) {
    const { message, name, status } = explained(error, modelSize);
    postMessage({ id, error: { message, name, status } });
  } finally {
    waiting.delete(id);
  }
}

// Awaited before each pass of the model: lets messages arrive, and stops a cancelled request.
const channel = new MessageChannel();
async function beforePass() {
  await new Promise((resolve) => {
    channel.port1.onmessage = resolve; // setTimeout would wait for 4 ms
    channel.port2.postMessage(null);
  });
  if (running.isCancelled) throw new DOMException("stopped", "AbortError");
}

// Loads the model of a site. `site` is site.json, `base` the address of its folder, `wanted` a device or
// null. Returns {threads, device}.
async function load({ site, base, wanted }, onProgress) {
  const device = await chooseDevice(site.runtime.builds, wanted, navigator.gpu);
  try {
    return await open(site, base, device, onProgress);
  } catch (error) {
    if (device === "wasm" || error instanceof EngineError) throw error;
    return open(site, base, "wasm", onProgress); // the GPU has too little memory, or lacks an operation
  }
}

async function open({ model, runtime, preset, folder }, base, device, onProgress) {
  const build = runtime.builds[device];
  const graph = device === "webgpu" ? "model.gpu.onnx" : "model.onnx";
  const used = model.files.filter(({ name }) => !name.endsWith(".onnx") || name === graph);
  const at = (folder, file) => ({ ...file, url: new URL(folder + file.name, base).href });
  const module = at(runtime.folder, build.module);
  const isOwn = new URL(module.url).origin === location.origin;
  const files = {
    binary: at(runtime.folder, build.binary),
    ...(isOwn ? {} : { module }),
    ...Object.fromEntries(used.map((file) => [file.name, at(folder, file)])),
  };
  modelSize = used.reduce((sum, { size }) => sum + size, 0);
  const found = await fetchFiles(Object.values(files), new URL(base).pathname, onProgress);
  const bytes = (file) => found.get(files[file].url);
  const weights = used.filter(({ name: file }) => file.endsWith(".bin"));
  const opened = await openModel({
    // A module of another site must be the one whose hash was checked.
    moduleUrl: isOwn ? module.url : URL.createObjectURL(new Blob([bytes("module")], { type: "text/javascript" })),
    binary: bytes("binary"),
    model: bytes(graph),
    weights: Object.fromEntries(weights.map(({ name: file }) => [file, bytes(file)])),
    device,
    layers: model.config.n_layer,
  });
  const text = (file) => new TextDecoder().decode(bytes(file));
  let tokenizer;
  try {
    tokenizer = Tokenizer.parse(text("encoder.json"), text("vocab.bpe"));
  } catch (error) {
    throw new EngineError(error.message);
  }
  const DeviceDecoder = device === "webgpu" ? GpuDecoder : Decoder;
  const decoder = new DeviceDecoder(opened.run, model.config);
  engine = new Engine(tokenizer, decoder, model, preset, beforePass);
  // The first pass compiles the GPU's programs, and shows whether it can run the graph.
  if (device === "webgpu") await decoder.logits([tokenizer.endOfText]);
  return { threads: opened.threads, device };
}
