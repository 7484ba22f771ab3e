// What went wrong with a model in this browser, as a sentence for its reader.

export class EngineError extends Error {
  // `isTemporary` says whether it may work if it is tried again in a few seconds.
  constructor(message, isTemporary = false) {
    super(message);
    this.status = isTemporary ? 0 : 400; // as the server's API has it
  }
}

const OUT_OF_MEMORY = /out of memory|OOM|bad_alloc|allocation failed|could not allocate|Failed to allocate|memory access out of bounds/i;

// Returns the sentence for an error of the runtime or the browser. `size` is that of the model in bytes.
export function explained(error, size) {
  if (!isOfRuntime(error)) return error;
  const reason = String(error?.message ?? error);
  // The address of a C++ exception is all that the runtime throws in some cases, mostly of memory.
  if (typeof error === "number" || error instanceof RangeError || OUT_OF_MEMORY.test(reason)) {
    return new EngineError(
      `This device has too little memory for the model of ${megabytes(size)} MB. Close other tabs and ` +
        "programs and reload the page, or open it on another device.",
    );
  }
  return new EngineError(
    `The model does not run in this browser: ${reason.replace(/[.\s]+$/, "")}. Update the browser, or use ` +
      "another one.",
  );
}

// Whether an error is one that the engine did not expect, after which the runtime may be unusable.
export function isOfRuntime(error) {
  return !(error instanceof EngineError) && error?.name !== "AbortError";
}

// Bytes as a number of megabytes for a reader.
export function megabytes(bytes) {
  return Number((bytes / 1e6).toPrecision(bytes < 1e7 ? 2 : 3)).toLocaleString("en");
}
