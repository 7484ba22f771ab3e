"""The options of an export."""

from __future__ import annotations

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.exchange.export_config import ExportConfig


def test_the_dtype_is_checked() -> None:
    with pytest.raises(OptionError, match="float16"):
        ExportConfig(dtype="int4")


@pytest.mark.parametrize(
    ("format", "dtypes"),
    [
        ("huggingface", ["float32", "float16"]),
        ("onnx", ["int8", "float32"]),
        ("web", ["int8"]),
    ],
)
def test_each_format_has_dtypes(format: str, dtypes: list[str]) -> None:
    assert ExportConfig(format=format).weights_dtype == dtypes[0]
    for dtype in ("float32", "float16", "int8"):
        if dtype in dtypes:
            assert ExportConfig(format=format, dtype=dtype).weights_dtype == dtype
        else:
            named = f"dtype must be one of auto, {', '.join(dtypes)} with format={format}, got"
            with pytest.raises(OptionError, match=named):
                ExportConfig(format=format, dtype=dtype)


def test_adapters_have_one_format() -> None:
    with pytest.raises(OptionError, match="adapters cannot be exported with format=web"):
        ExportConfig(format="web", adapters=True)
