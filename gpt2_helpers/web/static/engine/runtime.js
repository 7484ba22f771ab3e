// ONNX Runtime Web: opens a model.

import { EngineError } from "./errors.js";

const MAX_THREADS = 4;
const SMALL_MODEL = 32e6; // bytes of weights: with fewer, threads take longer to wait for each other than they save

// The number of threads for a model. `size` is that of its weights in bytes, `wanted` a number or 0.
export function threadsFor(size, wanted) {
  if (!globalThis.crossOriginIsolated) return 1; // then WebAssembly has no threads
  return Math.min(wanted || (size < SMALL_MODEL ? 1 : MAX_THREADS), navigator.hardwareConcurrency ?? 1);
}

// Opens a model. `moduleUrl` and `binary` are the runtime's, `model` and `weights` the graph and its
// external files by name, `device` is "webgpu" or "wasm", and `wantedThreads` as for `threadsFor`. Returns
// {run, threads}; see `Decoder` for `run`.
export async function openModel({ moduleUrl, binary, model, weights, device, wantedThreads, layers }) {
  const ort = await import(moduleUrl).catch((error) => {
    if (!(error instanceof TypeError)) throw error; // it was fetched, and this browser refuses it
    throw new EngineError(`The file ${moduleUrl.split("/").at(-1)} cannot be loaded: check the connection.`, true);
  });
  const size = Object.values(weights).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const threads = threadsFor(size, wantedThreads);
  Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary: binary, proxy: false });
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [device],
    externalData: Object.entries(weights).map(([path, data]) => ({ path, data })),
    graphOptimizationLevel: "all",
    ...(device === "webgpu" ? { preferredOutputLocation: onGpu(layers) } : {}),
  });
  ort.env.wasm.wasmBinary = undefined; // many megabytes, and no longer needed
  // Tensors on the GPU are passed on as they are.
  const tensor = (value) => (value instanceof ort.Tensor ? value : new ort.Tensor(value.type, value.data, value.dims));
  const run = (inputs) => {
    const feeds = Object.entries(inputs).map(([key, value]) => [key, tensor(value)]);
    return session.run(Object.fromEntries(feeds));
  };
  return { run, threads };
}

// Keys and values stay on the GPU; the logits don't.
function onGpu(layers) {
  const names = Array.from({ length: layers }, (_, layer) => [`new_recent_k_${layer}`, `new_recent_v_${layer}`]).flat();
  return Object.fromEntries([["logits", "cpu"], ...names.map((name) => [name, "gpu-buffer"])]);
}
