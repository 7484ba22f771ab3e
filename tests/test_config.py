"""Every option is checked once, at birth, and says what was wrong with it."""

from __future__ import annotations

import dataclasses
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    MODEL_NAMES,
    SIZES,
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
    SamplingConfig,
    canonical_model_name,
)
from gpt2_helpers.errors import CheckpointError, OptionError
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
# Names or numbers: they take both and keep text.
NUMBERS_AS_TEXT = {"column"}


def named(options: list[tuple[type, Field]]) -> pytest.MarkDecorator:
    ids = [f"{config.__name__}.{field.name}" for config, field in options]
    return pytest.mark.parametrize(("config", "field"), options, ids=ids)


def of_kind(*kinds: type) -> list[tuple[type, Field]]:
    return [(config, field) for config, field in OPTIONS if field.kind in kinds]


def refusal(config: type, **values: Any) -> str:
    """The message with which `config` refuses the values: one line."""
    with pytest.raises(OptionError) as caught:
        config(**values)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- What every option has ---------------------------------------------------------------------


@named(OPTIONS)
def test_every_option_can_be_shown(config: type, field: Field) -> None:
    assert field.help.strip()
    assert "\n" not in field.help
    assert not field.help.endswith(".")
    assert field.kind in (int, float, bool, str)
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
def test_the_defaults_are_valid_and_already_converted(config: type) -> None:
    values = config()
    for field in fields_of(config):
        value = getattr(values, field.name)
        assert value == field.default
        assert value is None or type(value) is field.kind
    assert [field.name for field in fields_of(config)] == [
        field.name for field in dataclasses.fields(config)
    ]


@pytest.mark.parametrize("config", CONFIGS)
def test_they_cannot_be_changed_or_misspelt(config: type) -> None:
    values = config()
    name = fields_of(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(values, name, 1)
    with pytest.raises(TypeError, match="nonsense"):
        config(nonsense=1)


def test_a_field_as_a_face_sees_it() -> None:
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
def test_a_number_must_be_a_number(config: type, field: Field, wrong: object) -> None:
    message = refusal(config, **{field.name: wrong})
    wanted = "a whole number" if field.kind is int else "a number"
    assert message.startswith(f"{field.name} must be {wanted}, got ")
    assert str(wrong).strip("'") in message


@named(of_kind(int))
@pytest.mark.parametrize("wrong", [1.5, np.float32(2.25), Fraction(1, 2)], ids=repr)
def test_a_whole_number_must_be_whole(config: type, field: Field, wrong: object) -> None:
    assert refusal(config, **{field.name: wrong}).startswith(f"{field.name} must be a whole number")


@named(of_kind(bool))
@pytest.mark.parametrize("wrong", [0, 1, "True", "", 1.0, np.int64(1), []], ids=repr)
def test_a_switch_must_be_true_or_false(config: type, field: Field, wrong: object) -> None:
    message = refusal(config, **{field.name: wrong})
    assert message.startswith(f"{field.name} must be True or False, got ")


@named(of_kind(str))
@pytest.mark.parametrize("wrong", [1, 2.5, True, b"text", ["text"]], ids=repr)
def test_a_text_must_be_a_text(config: type, field: Field, wrong: object) -> None:
    if field.name in NUMBERS_AS_TEXT and type(wrong) in (int, float):
        assert getattr(config(**{field.name: wrong}), field.name) == str(wrong)
    else:
        message = refusal(config, **{field.name: wrong})
        assert message == f"{field.name} must be a text, got {wrong!r}"


@named(OPTIONS)
def test_nothing_only_where_nothing_is_a_choice(config: type, field: Field) -> None:
    if field.optional:
        assert getattr(config(**{field.name: None}), field.name) is None
    else:
        assert refusal(config, **{field.name: None}).endswith("got None")


@named([(config, field) for config, field in of_kind(int, float) if field.minimum is not None])
def test_below_the_minimum(config: type, field: Field) -> None:
    assert field.minimum is not None
    step = 1 if field.kind is int else 0.001
    wrong = field.kind(field.minimum) - step
    message = refusal(config, **{field.name: wrong})
    assert message.startswith(f"{field.name} must be ")
    assert str(field.minimum) in message
    assert message.endswith(f"got {wrong}")


@named([(config, field) for config, field in of_kind(int, float) if field.maximum is not None])
def test_above_the_maximum(config: type, field: Field) -> None:
    assert field.maximum is not None
    wrong = field.kind(field.maximum) + 1
    message = refusal(config, **{field.name: wrong})
    assert (
        message == f"{field.name} must be between {field.minimum} and {field.maximum}, got {wrong}"
    )


@named([(config, field) for config, field in OPTIONS if field.choices])
def test_an_unknown_choice_lists_the_known_ones(config: type, field: Field) -> None:
    assert field.choices is not None
    misspelt = field.choices[-1] + "x"
    message = refusal(config, **{field.name: misspelt})
    assert message.startswith(f"{field.name} must be one of {', '.join(field.choices)}, ")
    assert f"got {misspelt!r}" in message
    assert f"did you mean {field.choices[-1]!r}?" in message


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=4), st.booleans(), st.none()))
def test_nothing_else_than_an_option_error_comes_out(value: Any) -> None:
    for config, field in OPTIONS:
        try:
            kept = getattr(config(**{field.name: value}), field.name)
        except OptionError:
            continue
        assert kept is None or type(kept) is field.kind


def test_a_number_too_long_for_a_float_is_refused() -> None:
    assert refusal(FinetuneConfig, steps=10**400).startswith("steps must be a whole number")
    assert refusal(FinetuneConfig, learning_rate=10**400).startswith("learning_rate must be")


# -- Conversions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_as",
    [5, 5.0, np.int64(5), np.uint8(5), np.float32(5), np.array(5), Fraction(5)],
    ids=repr,
)
def test_whole_numbers_of_any_type_become_int(given_as: Any) -> None:
    assert type(FinetuneConfig(steps=given_as).steps) is int
    assert FinetuneConfig(steps=given_as) == FinetuneConfig(steps=5)


@pytest.mark.parametrize("given_as", [1, np.int32(1), np.float64(1), np.float16(1)], ids=repr)
def test_numbers_of_any_type_become_float(given_as: Any) -> None:
    value = SamplingConfig(temperature=given_as).temperature
    assert type(value) is float
    assert value == 1.0


def test_other_conversions() -> None:
    assert SamplingConfig(include_prefix=np.False_).include_prefix is False  # type: ignore[arg-type]
    path = Path("some") / "where"
    assert RunConfig(checkpoint_dir=path).checkpoint_dir == str(path)  # type: ignore[arg-type]
    assert RunConfig(validation_data=path).validation_data == str(path)  # type: ignore[arg-type]
    assert DatasetConfig(column=2).column == "2"  # type: ignore[arg-type]
    assert DatasetConfig(column=np.int64(2)).column == "2"  # type: ignore[arg-type]


def test_the_edges_of_a_range_belong_to_it() -> None:
    assert SamplingConfig(top_p=0, temperature=0).top_p == 0.0
    assert SamplingConfig(top_p=1).top_p == 1.0
    assert FinetuneConfig(seed=2**63 - 1).seed == 2**63 - 1
    assert FinetuneConfig(steps=-1).steps == -1


# -- Options that must fit each other ----------------------------------------------------------


def test_a_width_must_divide_by_the_heads() -> None:
    expected = "n_embd must be divisible by n_head, got 10 and 3"
    assert refusal(ModelConfig, n_embd=10, n_head=3) == expected
    assert refusal(PretrainConfig, n_embd=10, n_head=3) == expected
    assert ModelConfig(n_embd=12, n_head=3).head_dim == 4


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [0, -1])
def test_a_schedule_needs_an_end(schedule: str, steps: int) -> None:
    message = refusal(FinetuneConfig, lr_schedule=schedule, steps=steps)
    assert schedule in message
    assert message.endswith(f"got steps={steps}")
    assert FinetuneConfig(lr_schedule="constant", steps=steps).steps == steps


def test_validation_is_a_share_of_the_dataset_or_another_file() -> None:
    message = refusal(RunConfig, validation_split=0.1, validation_data="unseen.txt")
    assert message.startswith("give validation_split or validation_data, not both")
    assert RunConfig(validation_data="unseen.txt").validation_split == 0.0


@pytest.mark.parametrize("name", ["run_name", "checkpoint_dir", "restore_from", "model_name"])
@pytest.mark.parametrize("empty", ["", "  "])
def test_names_must_not_be_empty(name: str, empty: str) -> None:
    assert refusal(RunConfig, **{name: empty}) == f"{name} must not be empty"


@pytest.mark.parametrize("name", [".", "..", "a/b", "../run1", "/run1", "run1/"])
def test_a_run_name_is_one_folders(name: str) -> None:
    assert (
        refusal(RunConfig, run_name=name) == f"run_name must be a plain folder name, got {name!r}"
    )


def test_a_new_models_shape() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=16, n_embd=32, n_layer=2, n_head=4)
    assert config.model_config() == ModelConfig(300, 16, 32, 4, 2)
    assert "vocab_size" in refusal(PretrainConfig, vocab_size=256)  # the bytes and the end token


# -- The models --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("124M", 124_439_808),
        ("355M", 354_823_168),
        ("774M", 774_030_080),
        ("1558M", 1_557_611_200),
    ],
)
def test_the_published_sizes(name: str, parameters: int) -> None:
    config = SIZES[name]
    assert config.n_parameters == parameters
    assert (config.n_vocab, config.n_ctx, config.head_dim) == (50257, 1024, 64)


def test_the_parameters_counted_by_hand() -> None:
    # Embeddings 5 x 4 and 3 x 4; two norms 2 x 8; attention 4 x 12 + 12 and 4 x 4 + 4;
    # feed-forward 4 x 16 + 16 and 16 x 4 + 4; the last norm 8.
    config = ModelConfig(n_vocab=5, n_ctx=3, n_embd=4, n_head=2, n_layer=1)
    assert config.n_parameters == (20 + 12) + (16 + 60 + 20 + 80 + 68) + 8


@pytest.mark.parametrize(
    ("given_name", "canonical"),
    [("117M", "124M"), ("345M", "355M"), *((name, name) for name in MODEL_NAMES)],
)
def test_model_names(given_name: str, canonical: str) -> None:
    assert canonical_model_name(given_name) == canonical
    assert canonical in MODEL_NAMES


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("124m", "124M"), ("124", "124M"), ("1.5B", None), ("Tiny", "tiny"), ("775M", "774M")],
)
def test_an_unknown_model_name_gets_a_hint(wrong: str, meant: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        canonical_model_name(wrong)
    message = str(caught.value)
    assert message.startswith(f"model_name must be one of {', '.join(MODEL_NAMES)}, got {wrong!r}")
    assert re.findall(r"did you mean '(.*)'", message) == ([meant] if meant else [])


def test_the_bundled_model_belongs_to_the_package() -> None:
    assert BUNDLED_FOLDER.parents[1].name == "gpt2_helpers"


# -- hparams.json ------------------------------------------------------------------------------


def test_hparams_round_trip(tmp_path: Path) -> None:
    config = ModelConfig(300, 16, 32, 4, 2)
    config.save(tmp_path)
    assert ModelConfig.load(str(tmp_path)) == config
    assert json.loads((tmp_path / "hparams.json").read_text("utf-8")) == {
        "n_vocab": 300,
        "n_ctx": 16,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
    }


def test_hparams_may_hold_more(tmp_path: Path) -> None:
    values = {**dataclasses.asdict(ModelConfig()), "res_dropout": 0.0}
    (tmp_path / "hparams.json").write_text(json.dumps(values), encoding="utf-8")
    assert ModelConfig.load(tmp_path) == SIZES["124M"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("<html>", "cannot be read as JSON"),
        ("{}", "is missing n_vocab, n_ctx, n_embd, n_head, n_layer"),
        ("[1, 2]", "is missing n_vocab"),
        ("null", "is missing n_vocab"),
        ('{"n_vocab": 9, "n_ctx": 8, "n_embd": 4, "n_head": 2}', "is missing n_layer"),
        (
            '{"n_vocab": "9", "n_ctx": 8, "n_embd": 4, "n_head": 2, "n_layer": 1}',
            "n_vocab must be a whole number, got '9'",
        ),
        (
            '{"n_vocab": 9, "n_ctx": 0, "n_embd": 4, "n_head": 2, "n_layer": 1}',
            "n_ctx must be between 1",
        ),
        (
            '{"n_vocab": 9, "n_ctx": 8, "n_embd": 4, "n_head": 3, "n_layer": 1}',
            "n_embd must be divisible by n_head",
        ),
    ],
)
def test_unfit_hparams_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "hparams.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        ModelConfig.load(tmp_path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hparams.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        ModelConfig.load(tmp_path)


def test_missing_hparams_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"hparams\.json is missing"):
        ModelConfig.load(tmp_path / "nowhere")
