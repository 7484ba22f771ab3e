"""Options: metadata, validation and conversion of every field."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.config import (
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
    SamplingConfig,
)
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import Field, fields_of
from gpt2_helpers.training.pretrain_config import PretrainConfig

CONFIGS: list[type] = [
    ModelConfig,
    SamplingConfig,
    FinetuneConfig,
    DatasetConfig,
    RunConfig,
    PretrainConfig,
]
OPTIONS = [(config, field) for config in CONFIGS for field in fields_of(config)]
# Fields that accept a name or a number and store text.
NUMBERS_AS_TEXT = {"column", "prompt_column", "keywords_from"}


def named(options: list[tuple[type, Field]]) -> pytest.MarkDecorator:
    ids = [f"{config.__name__}.{field.name}" for config, field in options]
    return pytest.mark.parametrize(("config", "field"), options, ids=ids)


def of_kind(*kinds: type) -> list[tuple[type, Field]]:
    return [(config, field) for config, field in OPTIONS if field.kind in kinds]


def error_message(config: type, **values: Any) -> str:
    """The one-line error message for invalid values."""
    with pytest.raises(OptionError) as caught:
        config(**values)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- What every option has ---------------------------------------------------------------------


@named(OPTIONS)
def test_every_option_has_valid_metadata(config: type, field: Field) -> None:
    assert field.help.strip()
    assert "\n" not in field.help
    assert not field.help.endswith(".")
    assert field.kind in (int, float, bool, str, tuple, dict)
    assert field.default is not dataclasses.MISSING
    assert field.default is not None or field.optional
    assert isinstance(field.advanced, bool)
    if field.choices is not None:
        assert field.kind is str
        assert field.default in field.choices
    if field.kind in (bool, str):
        assert field.minimum is None
        assert field.maximum is None


@pytest.mark.parametrize("config", CONFIGS)
def test_the_defaults_are_valid(config: type) -> None:
    values = config()
    for field in fields_of(config):
        value = getattr(values, field.name)
        assert value == field.default
        assert value is None or type(value) is field.kind
    assert [field.name for field in fields_of(config)] == [
        field.name for field in dataclasses.fields(config)
    ]


@pytest.mark.parametrize("config", CONFIGS)
def test_configs_are_frozen_and_reject_unknown_names(config: type) -> None:
    values = config()
    name = fields_of(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(values, name, 1)
    with pytest.raises(TypeError, match="nonsense"):
        config(nonsense=1)


def test_the_resolved_fields() -> None:
    fields = {field.name: field for field in fields_of(FinetuneConfig)}
    assert (fields["seed"].kind, fields["seed"].optional) == (int, True)
    assert (fields["learning_rate"].kind, fields["learning_rate"].optional) == (float, False)
    assert fields["learning_rate"].maximum == 10.0
    assert fields["optimizer"].choices is not None
    assert "adafactor" in fields["optimizer"].choices
    assert fields["multi_gpu"].advanced
    assert not fields["steps"].advanced


# -- Wrong types and ranges --------------------------------------------------------------------


@named(of_kind(int, float))
@pytest.mark.parametrize(
    "wrong",
    ["1", "", True, np.True_, [1], (1,), {}, b"1", 1j, float("nan"), float("inf")],
    ids=repr,
)
def test_invalid_numbers(config: type, field: Field, wrong: object) -> None:
    message = error_message(config, **{field.name: wrong})
    wanted = "a whole number" if field.kind is int else "a number"
    assert message.startswith(f"{field.name} must be {wanted}, got ")
    assert str(wrong).strip("'") in message


@named(of_kind(int))
@pytest.mark.parametrize("wrong", [1.5, np.float32(2.25), Fraction(1, 2)], ids=repr)
def test_invalid_whole_numbers(config: type, field: Field, wrong: object) -> None:
    assert error_message(config, **{field.name: wrong}).startswith(
        f"{field.name} must be a whole number"
    )


@named(of_kind(bool))
@pytest.mark.parametrize("wrong", [0, 1, "True", "", 1.0, np.int64(1), []], ids=repr)
def test_invalid_booleans(config: type, field: Field, wrong: object) -> None:
    message = error_message(config, **{field.name: wrong})
    assert message.startswith(f"{field.name} must be True or False, got ")


@named(of_kind(str))
@pytest.mark.parametrize("wrong", [1, 2.5, True, b"text", ["text"]], ids=repr)
def test_invalid_text(config: type, field: Field, wrong: object) -> None:
    if field.name in NUMBERS_AS_TEXT and type(wrong) in (int, float):
        assert getattr(config(**{field.name: wrong}), field.name) == str(wrong)
    else:
        message = error_message(config, **{field.name: wrong})
        assert message == f"{field.name} must be a string, got {wrong!r}"


@named(OPTIONS)
def test_none_is_valid_only_for_optional_fields(config: type, field: Field) -> None:
    if field.optional:
        assert getattr(config(**{field.name: None}), field.name) is None
    else:
        assert error_message(config, **{field.name: None}).endswith("got None")


@named([(config, field) for config, field in of_kind(int, float) if field.minimum is not None])
def test_below_the_minimum(config: type, field: Field) -> None:
    assert field.minimum is not None
    step = 1 if field.kind is int else 0.001
    wrong = field.kind(field.minimum) - step
    message = error_message(config, **{field.name: wrong})
    assert message.startswith(f"{field.name} must be ")
    assert str(field.minimum) in message
    assert message.endswith(f"got {wrong}")


@named([(config, field) for config, field in of_kind(int, float) if field.maximum is not None])
def test_above_the_maximum(config: type, field: Field) -> None:
    assert field.maximum is not None
    wrong = field.kind(field.maximum) + 1
    message = error_message(config, **{field.name: wrong})
    assert (
        message == f"{field.name} must be between {field.minimum} and {field.maximum}, got {wrong}"
    )


@named([(config, field) for config, field in OPTIONS if field.choices])
def test_an_unknown_choice(config: type, field: Field) -> None:
    assert field.choices is not None
    misspelt = field.choices[-1] + "x"
    message = error_message(config, **{field.name: misspelt})
    assert message.startswith(f"{field.name} must be one of {', '.join(field.choices)}, ")
    assert f"got {misspelt!r}" in message
    assert f"did you mean {field.choices[-1]!r}?" in message


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=4), st.booleans(), st.none()))
def test_any_value_is_accepted_or_raises_option_error(value: Any) -> None:
    for config, field in OPTIONS:
        try:
            kept = getattr(config(**{field.name: value}), field.name)
        except OptionError:
            continue
        assert kept is None or type(kept) is field.kind


def test_a_number_too_large_for_a_float() -> None:
    assert error_message(FinetuneConfig, steps=10**400).startswith("steps must be a whole number")
    assert error_message(FinetuneConfig, learning_rate=10**400).startswith("learning_rate must be")


# -- Conversions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_as",
    [5, 5.0, np.int64(5), np.uint8(5), np.float32(5), np.array(5), Fraction(5)],
    ids=repr,
)
def test_whole_numbers_are_converted_to_int(given_as: Any) -> None:
    assert type(FinetuneConfig(steps=given_as).steps) is int
    assert FinetuneConfig(steps=given_as) == FinetuneConfig(steps=5)


@pytest.mark.parametrize("given_as", [1, np.int32(1), np.float64(1), np.float16(1)], ids=repr)
def test_numbers_are_converted_to_float(given_as: Any) -> None:
    value = SamplingConfig(temperature=given_as).temperature
    assert type(value) is float
    assert value == 1.0


def test_other_conversions() -> None:
    assert SamplingConfig(include_prefix=np.False_).include_prefix is False  # type: ignore[arg-type]
    path = Path("some") / "where"
    assert RunConfig(checkpoint_dir=path).checkpoint_dir == str(path)  # type: ignore[arg-type]
    assert RunConfig(validation_data=path).validation_data == str(path)  # type: ignore[arg-type]


def test_the_limits_are_inclusive() -> None:
    assert SamplingConfig(top_p=0, temperature=0).top_p == 0.0
    assert SamplingConfig(top_p=1).top_p == 1.0
    assert FinetuneConfig(seed=2**63 - 1).seed == 2**63 - 1
    assert FinetuneConfig(steps=-1).steps == -1


# -- Options that must fit each other ----------------------------------------------------------


def test_the_embedding_size_must_be_divisible_by_the_heads() -> None:
    expected = "n_embd must be divisible by n_head, got 10 and 3"
    assert error_message(ModelConfig, n_embd=10, n_head=3) == expected
    assert error_message(PretrainConfig, n_embd=10, n_head=3) == expected
    assert ModelConfig(n_embd=12, n_head=3).head_dim == 4


def test_the_shape_of_a_new_model() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=16, n_embd=32, n_layer=2, n_head=4)
    assert config.model_config() == ModelConfig(300, 16, 32, 4, 2)
    assert "vocab_size" in error_message(
        PretrainConfig, vocab_size=256
    )  # the bytes and the end token
