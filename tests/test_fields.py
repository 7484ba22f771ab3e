"""The metadata of options, and parsing text as values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import (
    Field,
    ValidatedConfig,
    fields_of,
    format_value,
    option,
    parse_value,
    validate_value,
)
from gpt2_helpers.training.pretrain_config import PretrainConfig

CONFIGS = (FinetuneConfig, RunConfig, DatasetConfig, SamplingConfig, PretrainConfig)
FILLERS = {"a", "an", "the", "of", "to", "in", "and", "or", "for", "each", "per", "it", "thi", "n"}
OPTIONS = [
    pytest.param(field, id=f"{config.__name__}.{field.name}")
    for config in CONFIGS
    for field in fields_of(config)
]


@dataclass(frozen=True)
class Meal(ValidatedConfig):
    table_size: int = option(
        4, "people at the table", minimum=1, maximum=20, suggested_range=(2, 8)
    )
    salt: float = option(0.5, "grams of salt", label="Salt (g)", minimum=0.0)
    wine: bool = option(False, "serve wine")
    song: str | None = option(None, "what is sung")
    guests: Sequence[str] | None = option(None, "who comes", max_items=3)
    portions: Mapping[str, float] | None = option(None, "of each dish", minimum=0.0, maximum=9.0)


FIELDS = {field.name: field for field in fields_of(Meal)}


def test_the_default_label_is_the_name_in_words() -> None:
    assert FIELDS["table_size"].label == "Table size"
    assert FIELDS["salt"].label == "Salt (g)"


def test_values_outside_the_usual_range_are_valid() -> None:
    assert FIELDS["table_size"].suggested_range == (2, 8)
    assert Meal(table_size=20).table_size == 20
    with pytest.raises(OptionError, match="between 1 and 20"):
        Meal(table_size=21)


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("table_size", " 7 ", 7),
        ("table_size", "7.5", 7.5),
        ("table_size", "many", "many"),
        ("salt", "1e-3", 0.001),
        ("wine", "Yes", True),
        ("wine", "0", False),
        ("wine", "perhaps", "perhaps"),
        ("song", "None", None),
        ("song", " la la", " la la"),
        ("guests", "Ann\n\n Bob\\n\\\\n", ["Ann", " Bob\n\\n"]),
        ("guests", "None", ["None"]),
        ("portions", "soup=2\na=b=.5", {"soup": 2.0, "a=b": 0.5}),
        ("portions", "soup", "soup"),
    ],
)
def test_text_is_parsed_as_the_type_of_the_field(name: str, word: str, value: object) -> None:
    found = parse_value(FIELDS[name], word)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("word", ["7.5", "many", "nan", "inf", ""])
def test_text_that_cannot_be_parsed_is_rejected_by_validation(word: str) -> None:
    with pytest.raises(OptionError, match="^table_size must be a whole number, got"):
        validate_value(FIELDS["table_size"], parse_value(FIELDS["table_size"], word))


@pytest.mark.parametrize(
    ("given", "value"),
    [("Ann", ("Ann",)), (["a", "", "b"], ("a", "b")), ((), None), ("", None), (None, None)],
)
def test_a_list_takes_one_text_or_several(given: Any, value: object) -> None:
    assert Meal(guests=given).guests == value


@pytest.mark.parametrize(
    ("given", "value"), [({"a": 1}, {"a": 1.0}), ({7: 2, "": 3}, {"7": 2.0}), ({}, None)]
)
def test_a_mapping_takes_texts_with_numbers(given: Any, value: object) -> None:
    assert Meal(portions=given).portions == value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guests": 5}, "guests must be a string or a list of strings, got 5"),
        ({"guests": ["a", None]}, "guests must be a string or a list of strings"),
        ({"guests": list("abcd")}, "guests must have at most 3 entries, got 4"),
        ({"portions": "soup"}, "portions must be strings with a number each, such as text=2"),
        ({"portions": {"soup": 10}}, "portions must be between 0.0 and 9.0, got 10"),
        ({"portions": {"soup": None}}, "portions must be a number, got None"),
        ({"portions": {"": "x"}}, "portions must be a number, got 'x'"),
    ],
)
def test_invalid_lists_and_mappings(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Meal(**options)


@pytest.mark.parametrize("value", [("Ann", " B\\n\n\t"), ("a=1",)])
def test_a_formatted_list_is_parsed_again(value: tuple[str, ...]) -> None:
    assert Meal(guests=parse_value(FIELDS["guests"], format_value(value))).guests == value
    numbers = dict.fromkeys(value, 1.5)
    parsed = parse_value(FIELDS["portions"], format_value(numbers))
    assert Meal(portions=parsed).portions == numbers


@pytest.mark.parametrize("field", OPTIONS)
def test_labels_and_help_fit_into_a_form(field: Field) -> None:
    assert field.label[0].isupper() or field.label.startswith("gpt-2-simple")
    assert "_" not in field.label
    assert len(field.label) <= 24
    assert len(field.help) <= 100


def content_words(text: str) -> list[str]:
    """Return the words without plurals and without those that say little."""
    words = (word.rstrip("s") for word in re.findall(r"[a-z0-9]+", text.lower()))
    return [word for word in words if word not in FILLERS]


@pytest.mark.parametrize("field", OPTIONS)
def test_the_help_does_not_repeat_the_label(field: Field) -> None:
    label, help = set(content_words(field.label)), content_words(re.split("[;:,(]", field.help)[0])
    repeated = [word for word in help if word in label]
    assert len(repeated) <= len(help) / 3, f"{field.label}: {field.help}"


@pytest.mark.parametrize("field", OPTIONS)
def test_the_usual_range_is_within_the_limits(field: Field) -> None:
    if field.suggested_range is None:
        return
    assert field.kind in (int, float)
    low, high = field.suggested_range
    assert low < high
    assert validate_value(field, field.kind(low)) == low
    assert validate_value(field, field.kind(high)) == high
    assert low <= field.default <= high
