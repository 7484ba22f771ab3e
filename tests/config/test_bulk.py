"""Options of files of prompts and texts."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import BulkConfig
from gpt2_helpers.errors import OptionError


def test_an_unknown_format_is_refused() -> None:
    assert BulkConfig().output_format == "auto"
    with pytest.raises(OptionError, match="output_format must be one of auto, text, csv, jsonl"):
        BulkConfig(output_format="json")
