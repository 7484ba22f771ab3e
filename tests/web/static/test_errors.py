"""engine/errors.js explains errors of the runtime, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from javascript import run_javascript

CODE = """
import { EngineError, explained } from "./static/engine/errors.js";
function main(thrown) {
  const values = {
    number: 12345678,
    range: new RangeError("WebAssembly.Memory(): could not allocate memory"),
    allocation: new Error("ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc"),
    other: new Error("no kernel."),
    text: "aborted",
    nothing: undefined,
    stop: new DOMException("stopped", "AbortError"),
    own: new EngineError("Own sentence."),
  };
  return explained(values[thrown], 124e6).message;
}
"""
MEMORY = "This device has too little memory for the model of 124 MB."


@pytest.mark.parametrize(
    ("thrown", "message"),
    [
        ("number", MEMORY),
        ("range", MEMORY),
        ("allocation", MEMORY),
        (
            "other",
            "does not run in this browser: no kernel. Update the browser, or use another one.",
        ),
        ("text", "does not run in this browser: aborted. Update"),
        ("nothing", "does not run in this browser: undefined. Update"),
        ("stop", "stopped"),
        ("own", "Own sentence."),
    ],
)
def test_an_error_is_explained(tmp_path: Path, thrown: str, message: str) -> None:
    assert message in run_javascript(tmp_path, CODE, thrown)
