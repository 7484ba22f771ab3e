// The browser's storage, which may be blocked, full, or contain anything.

// Returns the stored value if `isValid`, else null.
export function read(storage, name, isValid) {
  try {
    const value = JSON.parse(globalThis[storage].getItem(name));
    return isValid(value) ? value : null;
  } catch {
    return null;
  }
}

// Returns whether the browser stored the value.
export function write(storage, name, value) {
  try {
    globalThis[storage].setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
