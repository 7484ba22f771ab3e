"""What the Beam commands share."""

from __future__ import annotations

import pytest

from gpt2_helpers.cli import beam_generate
from gpt2_helpers.cli.beam_options import BEAM_OPTIONS, describe_texts, table_from
from gpt2_helpers.cli.parser import Parser
from gpt2_helpers.config import BeamOutputConfig
from gpt2_helpers.errors import OptionError


def parse(*arguments: str) -> tuple[dict[str, object], list[str]]:
    options = vars(beam_generate.parser().parse(arguments))
    return options, options.pop(BEAM_OPTIONS)


def test_other_options_are_passed_on_to_beam() -> None:
    options, others = parse(
        *("--seed", "1", "--runner", "DataflowRunner", "--prefix", "--- Once"),
        *("--streaming", "--region=europe-west1", "--length", "9", "--", "--seed", "2"),
    )
    assert options == {"seed": 1, "prefix": ["--- Once"], "length": 9}
    assert others == [
        *("--runner=DataflowRunner", "--streaming", "--region=europe-west1", "--seed", "2")
    ]


def test_other_commands_reject_unknown_options() -> None:
    with pytest.raises(OptionError, match="unknown option --runner"):
        Parser("generate", "", "").parse(["--runner", "x"])


def test_a_table_needs_its_name() -> None:
    options = beam_generate.parser().parse(["--text-column", "title"])
    with pytest.raises(OptionError, match="text_column needs table"):
        table_from(options)
    options = beam_generate.parser().parse(
        [
            *("--table", "my-project.texts.titles", "--text-column", "title", "--limit", "5"),
            *("--project", "my-project"),
        ]
    )
    table = table_from(options)
    assert table is not None
    assert (table.source, table.limit, table.min_length) == ("own", 5, 1)
    assert table.project == "my-project"


def test_the_result_is_described() -> None:
    output = BeamOutputConfig(destination_path="a.jsonl")
    assert describe_texts(output, {"new_texts": 1000}) == "1,000 texts in a.index.json"
    assert describe_texts(output, {"new_texts": 5, "kept_texts": 2}) == (
        "7 texts in a.index.json, of which 2 are from an earlier attempt"
    )
    assert "complete already" in describe_texts(output, {})
