"""Command-line options generated from config fields, in every notation."""

from __future__ import annotations

from typing import Any

import pytest

from gpt2_helpers.cli import finetune, generate, pretrain
from gpt2_helpers.cli.command import Command
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import Field, ValidatedConfig, fields_of, format_value
from gpt2_helpers.training.pretrain_config import PretrainConfig

CONFIGS = (FinetuneConfig, RunConfig, DatasetConfig, SamplingConfig, PretrainConfig)
# Where the default plus one is invalid.
OTHER = {
    "n_embd": 512,
    "n_head": 8,
    "vocab_size": 5000,
    "dropout": 0.5,
    "top_p": 0.9,
    "encoding": "cp1250",
}


def read(*arguments: str, kind: type[ValidatedConfig] = FinetuneConfig) -> Any:
    """Parse arguments into a config."""
    return config_from(kind, a_parser(kind).parse(arguments))


def a_parser(*kinds: type[ValidatedConfig]) -> Parser:
    parser = Parser("test", "[FILE]", "Reads options.")
    parser.add_argument("file", nargs="?")
    for kind in kinds:
        parser.add_config(kind)
    return parser


def another(field: Field) -> Any:
    """A valid value that is not the default."""
    if field.name in OTHER:
        return OTHER[field.name]
    if field.choices:
        return next(choice for choice in field.choices if choice != field.default)
    if field.kind is bool:
        return not field.default
    if field.kind is str:
        return "another"
    if field.kind is tuple:
        return ("another",)
    if field.kind is dict:
        return {" another": -1.5}
    return field.kind((field.default or 0) + 1)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(kind, field, id=f"{kind.__name__}.{field.name}")
        for kind in CONFIGS
        for field in fields_of(kind)
    ],
)
def test_every_field_is_an_option(kind: type[ValidatedConfig], field: Field) -> None:
    value = another(field)
    assert value != field.default
    with_dashes, as_named = f"--{field.name.replace('_', '-')}", f"--{field.name}"
    text = format_value(value)
    for arguments in (
        [with_dashes, text],
        [as_named, text],
        [f"{with_dashes}={text}"],
        [f"{as_named}={text}"],
    ):
        config = read(*arguments, kind=kind)
        assert getattr(config, field.name) == value
        assert type(getattr(config, field.name)) is field.kind
        others = {f.name for f in fields_of(kind)} - {field.name}
        assert all(getattr(config, name) == getattr(kind(), name) for name in others)


@pytest.mark.parametrize("kind", CONFIGS)
def test_without_options_the_config_has_its_defaults(kind: type[ValidatedConfig]) -> None:
    assert read(kind=kind) == kind()


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_help_lists_every_field_with_its_default(kind: type[ValidatedConfig]) -> None:
    parser = a_parser(kind)
    plain, _, advanced = " ".join(parser.format_help().split()).partition("advanced options:")
    for field in fields_of(kind):
        place = advanced if field.advanced else plain
        assert f"--{field.name.replace('_', '-')} " in place
        # The help breaks long words too, so it is compared without spaces.
        line = f"{field.help} (default: {field.shown_default})"
        assert "".join(line.split()) in "".join(place.split())


@pytest.mark.parametrize("word", ["True", "true", "yes", "YES", "1"])
def test_words_for_true(word: str) -> None:
    assert read("--overwrite", word, kind=RunConfig).overwrite is True
    assert read(f"--overwrite={word}", kind=RunConfig).overwrite is True


@pytest.mark.parametrize("word", ["False", "false", "no", "No", "0"])
def test_words_for_false(word: str) -> None:
    assert read("--include-prefix", word, kind=SamplingConfig).include_prefix is False
    assert read(f"--include_prefix={word}", kind=SamplingConfig).include_prefix is False


def test_a_boolean_option_without_a_value_is_true() -> None:
    options = a_parser(RunConfig).parse(["--overwrite", "titles.csv"])
    assert options.file == "titles.csv"
    assert config_from(RunConfig, options).overwrite is True
    assert read("--overwrite", kind=RunConfig).overwrite is True
    both = read("--overwrite", "--run-name", "run2", kind=RunConfig)
    assert (both.overwrite, both.run_name) == (True, "run2")


@pytest.mark.parametrize("word", ["none", "None", "NONE"])
def test_none_is_parsed_for_optional_fields(word: str) -> None:
    assert read("--seed", "7", "--seed", word).seed is None
    assert read("--truncate", word, kind=SamplingConfig).truncate is None
    with pytest.raises(OptionError, match="steps must be a whole number"):
        read("--steps", word)
    assert read("--run-name", word, kind=RunConfig).run_name == word


@pytest.mark.parametrize(
    "value", ["-----", "--- x ---", "-5", "--x", "--titles.txt", "", " ", "a=b", "--x=--y"]
)
def test_a_value_may_start_with_dashes(value: str) -> None:
    assert read("--prompt-prefix", value, kind=SamplingConfig).prompt_prefix == value
    assert read(f"--prompt-prefix={value}", kind=SamplingConfig).prompt_prefix == value


def test_the_name_of_an_option_is_a_value_only_after_an_equals_sign() -> None:
    with pytest.raises(OptionError, match="--truncate needs a value"):
        read("--truncate", "--top_k", "5", kind=SamplingConfig)
    assert read("--truncate=--top_k", kind=SamplingConfig).truncate == ("--top_k",)


def test_underscores_in_a_value_are_kept() -> None:
    assert read("--run_name=my_run", kind=RunConfig).run_name == "my_run"
    assert read("--run-name", "my_run", kind=RunConfig).run_name == "my_run"


@pytest.mark.parametrize(("typed", "steps"), [("-1", -1), ("1e3", 1000), ("20.0", 20), ("0", 0)])
def test_whole_numbers(typed: str, steps: int) -> None:
    assert read("--steps", typed).steps == steps


def test_a_large_seed_keeps_every_digit() -> None:
    assert read("--seed", str(2**63 - 1)).seed == 2**63 - 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "many"], "steps must be a whole number, got 'many'"),
        (["--steps", "1.5"], "steps must be a whole number, got 1.5"),
        (["--learning-rate", "nan"], "learning_rate must be a number"),
        (["--learning-rate", ""], "learning_rate must be a number, got ''"),
        (["--batch-size", "0"], "batch_size must be at least 1, got 0"),
        (["--optimizer", "adm"], "did you mean 'adam'"),
        (["--multi-gpu=perhaps"], "multi_gpu must be True or False, got 'perhaps'"),
        (["--stpes", "5"], "unknown option --stpes .did you mean '--steps'"),
        (
            ["--step", "5"],
            "unknown option --step .did you mean '--steps'",
        ),  # never taken for --steps
        (["--steps"], "--steps needs a value"),
        (["--steps", "--seed", "1"], "--steps needs a value"),
        (["one", "two"], "unexpected argument 'two'"),
        (["one", "--multi_gpu", "maybe"], "--multi_gpu must be True or False, got 'maybe'"),
        (["-s", "5"], "unexpected argument '-s'"),
    ],
)
def test_invalid_arguments(arguments: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        read(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "typed", "meant"),
    [
        (finetune, "--lr", "--learning-rate"),
        (finetune, "--bs", "--batch-size"),
        (finetune, "--epochs", "--steps"),
        (finetune, "--modelname", "--model-name"),
        (finetune, "--drop", "--dropout"),
        (finetune, "--hlep", "--help"),
        (finetune, "--zz", None),
        (finetune, "--x", None),
        (finetune, "--help-me-please", None),
        (generate, "--model", "--model-name"),
        (generate, "--samples", "--nsamples"),
        (generate, "--temp", "--temperature"),
        (generate, "--max-tokens", "--length"),
        (generate, "--prompt", "--prefix"),
        (generate, "--output", "--destination-path"),
        (pretrain, "--epochs", "--steps"),
    ],
)
def test_an_unknown_option_is_answered_with_a_similar_one(
    command: Command, typed: str, meant: str | None
) -> None:
    with pytest.raises(OptionError) as caught:
        command.parser().parse(["text.txt", typed, "1"])
    hint = f" (did you mean {meant!r}?)" if meant else ""
    assert str(caught.value).startswith(f"unknown option {typed}{hint}: see ")


def test_a_repeated_option_overrides_the_first() -> None:
    assert read("--steps", "5", "--steps", "6").steps == 6


def test_after_two_dashes_everything_is_an_argument() -> None:
    assert a_parser(RunConfig).parse(["--", "--run-name"]).file == "--run-name"


def test_a_missing_argument() -> None:
    parser = Parser("test", "FILE", "Reads options.")
    parser.add_argument("file", metavar="FILE")
    with pytest.raises(OptionError, match="FILE.*gpt2-helpers test --help"):
        parser.parse([])


def test_a_command_can_have_its_own_defaults() -> None:
    own = FinetuneConfig(steps=7, dropout=0.1)
    parser = Parser("test", "", "Reads options.")
    parser.add_config(FinetuneConfig, defaults=own)
    config = config_from(FinetuneConfig, parser.parse(["--steps", "8"]), own)
    assert (config.steps, config.dropout) == (8, 0.1)
    assert config_from(FinetuneConfig, parser.parse([]), own) == own
    assert "(default: 7)" in parser.format_help()


def test_a_command_can_use_some_fields_and_change_them() -> None:
    parser = Parser("test", "", "Reads options.")
    parser.add_config(RunConfig, "run_name")
    parser.add_field(field_of(RunConfig, "model_name", default=None, help="100% another"))
    shown = parser.format_help()
    assert "--run-name" in shown
    assert "--restore-from" not in shown
    assert "100% another (default: none)" in shown
    assert "model_name" not in parser.parse([])


def test_examples_are_complete_commands() -> None:
    shown = Parser("info", "[RUN]", "Shows.", ["", "run1"]).format_help()
    assert shown.startswith("usage: gpt2-helpers info [RUN] [OPTION ...]\n")
    assert "examples:\n  gpt2-helpers info\n  gpt2-helpers info run1\n" in shown


def test_lists_and_mappings_are_given_by_repeating_an_option() -> None:
    stops = ["--truncate", "a", "--truncate", "-\n"]
    config = read(*stops, "--logit-bias", " x==2", "--logit-bias=7=-1", kind=SamplingConfig)
    assert config.truncate == ("a", "-\n")
    assert config.logit_bias == {" x=": 2.0, "7": -1.0}
    with pytest.raises(OptionError, match="must be strings with a number each.* got 'x'"):
        read("--logit-bias", "x", kind=SamplingConfig)
