// Chooses what computes the model: "webgpu" or "wasm".

// `builds` are those of the runtime in site.json. `wanted` is a reader's choice, or null. `gpu` is
// navigator.gpu, which browsers without WebGPU lack. A GPU that is emulated in software is slower than
// WebAssembly, and is used only if the reader chose it.
export async function chooseDevice(builds, wanted, gpu) {
  if (wanted === "wasm" || !builds.webgpu || !gpu) return "wasm";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) return "wasm";
  return wanted === "webgpu" || !isSoftware(adapter) ? "webgpu" : "wasm";
}

function isSoftware({ isFallbackAdapter, info = {} }) {
  return Boolean(isFallbackAdapter || info.isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(
    `${info.architecture} ${info.device} ${info.description}`,
  ));
}
