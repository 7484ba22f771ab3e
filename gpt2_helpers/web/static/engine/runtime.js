// ONNX Runtime Web: chooses the build for this browser, and opens a model with it.

import { EngineError } from "./errors.js";

const MAX_THREADS = 4;

// Returns the build to use: "webgpu" or "wasm". `builds` are those that the site has.
export async function chooseBuild(builds) {
  if (typeof WebAssembly !== "object") {
    throw new EngineError("This browser has no WebAssembly, which the model needs: use another browser.");
  }
  // The build with WebGPU suspends WebAssembly while the GPU computes.
  if (!builds.webgpu || !("Suspending" in WebAssembly) || !globalThis.navigator?.gpu) return "wasm";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter ? "webgpu" : "wasm";
}

// Opens a model. `moduleUrl` and `binary` are the build's, `model` and `weights` the graph and its
// external files by name. Returns {run, threads}; see `Decoder` for `run`.
export async function openModel({ name, moduleUrl, binary, model, weights }) {
  const ort = await import(moduleUrl);
  const threads = globalThis.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency ?? 1) : 1;
  Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary: binary, proxy: false });
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(model, {
    executionProviders: name === "webgpu" ? ["webgpu", "wasm"] : ["wasm"],
    externalData: Object.entries(weights).map(([path, data]) => ({ path, data })),
    graphOptimizationLevel: "all",
  });
  const run = (inputs) => {
    const feeds = Object.entries(inputs).map(([key, { type, data, dims }]) => [key, new ort.Tensor(type, data, dims)]);
    return session.run(Object.fromEntries(feeds));
  };
  return { run, threads };
}
