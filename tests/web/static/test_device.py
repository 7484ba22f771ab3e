"""Which device computes the model of a static site."""

from __future__ import annotations

from typing import Any

import pytest

from javascript import run_javascript

_CODE = """
import { chooseDevice } from "./static/engine/device.js";
const gpu = (adapter) => adapter === undefined ? undefined : {
  requestAdapter: async () => {
    if (adapter === "broken") throw new Error("lost");
    return adapter;
  },
};
const main = (cases) => Promise.all(cases.map(
  ([builds, wanted, adapter]) => chooseDevice(builds, wanted, gpu(adapter ?? undefined)),
));
"""
BOTH: dict[str, Any] = {"wasm": {}, "webgpu": {}}
ONE: dict[str, Any] = {"wasm": {}}
REAL = {"info": {"vendor": "nvidia", "architecture": "ampere", "description": ""}}
SOFTWARE = {"info": {"vendor": "google", "architecture": "swiftshader"}}
CASES: list[tuple[list[Any], str]] = [
    ([BOTH, None, REAL], "webgpu"),
    ([BOTH, None, {}], "webgpu"),
    ([BOTH, "wasm", REAL], "wasm"),
    ([ONE, "webgpu", REAL], "wasm"),
    ([BOTH, None, None], "wasm"),
    ([BOTH, "webgpu", None], "wasm"),
    ([BOTH, "webgpu", "broken"], "wasm"),
    ([BOTH, None, SOFTWARE], "wasm"),
    ([BOTH, None, {"isFallbackAdapter": True}], "wasm"),
    ([BOTH, None, {"info": {"isFallbackAdapter": True}}], "wasm"),
    ([BOTH, "webgpu", SOFTWARE], "webgpu"),
]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    found: list[str] = run_javascript(
        tmp_path_factory.mktemp("device"), _CODE, [case for case, _ in CASES]
    )
    return found


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_gpu_is_used_if_there_is_a_real_one(chosen: list[str], number: int) -> None:
    case, expected = CASES[number]
    assert chosen[number] == expected, case
