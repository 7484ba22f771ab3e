// ONNX Runtime Web: opens a model.

const MAX_THREADS = 4;

// Opens a model. `moduleUrl` and `binary` are the runtime's, `model` and `weights` the graph and its
// external files by name. Returns {run, threads}; see `Decoder` for `run`.
export async function openModel({ moduleUrl, binary, model, weights }) {
  const ort = await import(moduleUrl);
  const threads = globalThis.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency ?? 1) : 1;
  Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary: binary, proxy: false });
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    externalData: Object.entries(weights).map(([path, data]) => ({ path, data })),
    graphOptimizationLevel: "all",
  });
  const run = (inputs) => {
    const feeds = Object.entries(inputs).map(([key, { type, data, dims }]) => [key, new ort.Tensor(type, data, dims)]);
    return session.run(Object.fromEntries(feeds));
  };
  return { run, threads };
}
