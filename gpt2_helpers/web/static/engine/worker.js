// The web worker that runs the model. It takes messages {id, method, value} and {cancel: id}, and
// answers with {id, event}, {id, result} or {id, error}; see client.js.

import { Decoder } from "./decoder.js";
import { chooseDevice } from "./device.js";
import { fetchFiles } from "./downloads.js";
import { Engine } from "./engine.js";
import { EngineError, explained, isOfRuntime } from "./errors.js";
import { GpuDecoder } from "./gpu_decoder.js";
import { openModel } from "./runtime.js";
import { Tokenizer } from "./tokenizer.js";

const GRAPHS = { wasm: "model.onnx", webgpu: "model.gpu.onnx" };
const GPU_STOPPED = "The GPU stopped working. Try again: the model now runs on the processor.";

let engine = null;
let device = null; // what computes the model
let modelSize = 0; // bytes
let running = null; // the request that runs
const queue = []; // requests that wait
let interrupted = null; // a request that has started, and waits for others

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
  const pending = [interrupted, running, ...queue].filter(Boolean);
  if ("cancel" in data) {
    for (const request of pending) request.isCancelled ||= request.id === data.cancel;
    return;
  }
  // Preparing for a prompt never delays another request.
  for (const request of pending) request.isCancelled ||= request.method === "prepare";
  queue.push({ ...data, isCancelled: false });
  if (!running) answerAll();
});

async function answerAll() {
  while (queue.length) await answer(queue.shift());
}

// Awaited between the tokens of a text that is scored: other requests take less time, and go first.
async function letOthersPass() {
  interrupted = running;
  for (;;) {
    const next = queue.find(({ method }) => method !== "score");
    if (!next) break;
    queue.splice(queue.indexOf(next), 1);
    await answer(next);
  }
  [running, interrupted] = [interrupted, null];
}

async function answer(request) {
  const { id, method, value } = request;
  running = request;
  try {
    const outcome = methods[method](value, (event) => postMessage({ id, event }));
    if (outcome[Symbol.asyncIterator]) for await (const event of outcome) postMessage({ id, event });
    postMessage({ id, result: await (outcome[Symbol.asyncIterator] ? null : outcome) });
  } catch (error) {
    const { message, name, status } = explained(error, modelSize);
    const isUnexpected = isOfRuntime(error);
    const isOfGpu = isUnexpected && device === "webgpu";
    const shown = isOfGpu ? GPU_STOPPED : message;
    postMessage({ id, error: { message: shown, name, status, isOfGpu, isOfRuntime: isUnexpected } });
  } finally {
    running = null;
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
// null, `wantedThreads` a number or 0. Returns {threads, device}.
async function load({ site, base, wanted, wantedThreads }, onProgress) {
  const { model, runtime, preset } = site;
  device = await chooseDevice(runtime.builds, wanted, navigator.gpu);
  const { module, ...files } = filesOf(site, base, device);
  const isOwn = new URL(module.url).origin === location.origin; // then `import` below fetches it
  const fetched = isOwn ? files : { module, ...files };
  modelSize = model.files.reduce((sum, { name, size }) => sum + (name in files ? size : 0), 0);
  // The files for a GPU are kept beside those for WebAssembly: a GPU that fails is tried on each visit.
  const kept = Object.keys(runtime.builds).flatMap((name) => Object.values(filesOf(site, base, name)));
  const found = await fetchFiles(Object.values(fetched), kept, new URL(base).pathname, onProgress);
  const bytes = (file) => found.get(files[file].url);
  const weights = Object.keys(files).filter((file) => file.endsWith(".bin"));
  const opened = await openModel({
    // A module of another site must be the one whose hash was checked.
    moduleUrl: isOwn ? module.url : URL.createObjectURL(new Blob([found.get(module.url)], { type: "text/javascript" })),
    binary: bytes("binary"),
    model: bytes(GRAPHS[device]),
    weights: Object.fromEntries(weights.map((file) => [file, bytes(file)])),
    device,
    wantedThreads,
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
  engine = new Engine(tokenizer, decoder, model, preset, beforePass, letOthersPass);
  // The first pass compiles the GPU's programs, and shows whether it can run the graph.
  if (device === "webgpu") await decoder.logits([tokenizer.endOfText]);
  return { threads: opened.threads, device };
}

// The files that a device needs, each {name, size, sha256, url}: the runtime's `module` and `binary`, and
// those of the model by their names.
function filesOf({ model, runtime, folder }, base, device) {
  const at = (folder, file) => ({ ...file, url: new URL(folder + file.name, base).href });
  const { module, binary } = runtime.builds[device];
  const used = model.files.filter(({ name }) => !name.endsWith(".onnx") || name === GRAPHS[device]);
  return {
    module: at(runtime.folder, module),
    binary: at(runtime.folder, binary),
    ...Object.fromEntries(used.map((file) => [file.name, at(folder, file)])),
  };
}
