"""The options of an export."""

from __future__ import annotations

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.exchange.export_config import ExportConfig


def test_the_dtype_is_checked() -> None:
    assert ExportConfig().dtype == "float32"
    with pytest.raises(OptionError, match="float16"):
        ExportConfig(dtype="int4")
