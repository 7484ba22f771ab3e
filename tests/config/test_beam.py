"""Options of the Beam jobs."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import BeamEncodeConfig, BeamOutputConfig
from gpt2_helpers.errors import OptionError


def test_the_index_gets_its_suffix() -> None:
    assert BeamEncodeConfig(out_path="gs://bucket/a").out_path == "gs://bucket/a.tokens"
    assert BeamEncodeConfig(out_path="a.tokens").out_path == "a.tokens"


def test_the_format_is_that_of_the_suffix() -> None:
    config = BeamOutputConfig(destination_path="s3://bucket/a.b.parquet")
    assert (config.output_format, config.index) == ("parquet", "s3://bucket/a.b.index.json")
    with pytest.raises(OptionError, match=r"must end with \.jsonl or \.parquet, got 'a\.csv'"):
        BeamOutputConfig(destination_path="a.csv")


@pytest.mark.parametrize("table", ["titles", "a.b", "a..c", "a.b.c.d"])
def test_a_table_has_three_names(table: str) -> None:
    with pytest.raises(OptionError, match=r"must be project\.dataset\.table"):
        BeamOutputConfig(destination_table=table)
