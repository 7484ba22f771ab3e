"""Every public function documents its parameters, results and errors, and has an example."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.config import FinetuneConfig, SamplingConfig
from gpt2_helpers.docstrings import document
from gpt2_helpers.fields import fields_of
from gpt2_helpers.web.config import ServeConfig

FUNCTIONS = [name for name in gpt2.__all__ if inspect.isfunction(getattr(gpt2, name))]
ENTRY = re.compile(r"^    (\w+) \(([^)]+)\): (.+?)(?=^    \w|^$|\Z)", re.DOTALL | re.MULTILINE)


def parameters_in(doc: str) -> dict[str, tuple[str, str]]:
    """Type and text of each parameter in a docstring, in order."""
    _, _, rest = doc.partition("\nArgs:\n")
    section = re.split(r"^\w", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return {name: (kind, " ".join(text.split())) for name, kind, text in ENTRY.findall(section)}


def doc_of(name: str) -> str:
    return inspect.getdoc(getattr(gpt2, name)) or ""


def test_there_are_public_functions() -> None:
    assert {"finetune", "generate", "serve", "plot_loss"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_documented_in_order(name: str) -> None:
    expected: list[str] = []
    for parameter in inspect.signature(getattr(gpt2, name)).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            expected += [field.name for field in fields_of(ServeConfig)]
        else:
            expected.append(parameter.name)
    documented = parameters_in(doc_of(name))
    assert list(documented) == expected
    for kind, text in documented.values():
        assert kind
        assert re.match(r"[A-Z0-9].*\.$|[a-z]+ .*\.$", text), text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_default_is_given_once(name: str) -> None:
    documented = parameters_in(doc_of(name))
    for parameter in inspect.signature(getattr(gpt2, name)).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        text = documented[parameter.name][1]
        has_default = parameter.default is not parameter.empty
        assert text.count("Defaults to ") == has_default, text
        if has_default:
            shown = " ".join(f"Defaults to {parameter.default!r}".split())
            assert shown in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example_and_says_what_it_returns(name: str) -> None:
    doc = doc_of(name)
    assert doc.count("\nExample:\n") == 1
    returns = inspect.signature(getattr(gpt2, name)).return_annotation
    assert ("\nReturns:\n" in doc) == (returns not in ("None", None))


@pytest.mark.parametrize(
    ("function", "config"),
    [
        ("finetune", FinetuneConfig),
        ("generate", SamplingConfig),
        ("generate_to_file", SamplingConfig),
    ],
)
def test_options_have_the_text_of_their_fields(function: str, config: type) -> None:
    documented = parameters_in(doc_of(function))
    for field in fields_of(config):
        text = documented[field.name][1].replace(" ", "").lower()
        assert text.startswith(field.help.replace(" ", "").lower())
        if field.default is None and field.default_text:
            assert field.default_text.replace(" ", "").lower() in text


def test_sections_keep_their_order_and_own_text_wins() -> None:
    def function(dataset: str, steps: int = 5, seed: int | None = None) -> int:
        """Do it.

        More about it.

        Args:
            dataset: The file,
                or a folder.
            steps: Only here.

        Returns:
            A number.
        """
        return 1

    document(function, FinetuneConfig)
    assert inspect.getdoc(function) == (
        "Do it.\n\nMore about it.\n\nArgs:\n"
        "    dataset (str): The file, or a folder.\n"
        "    steps (int): Only here. Defaults to 5.\n"
        "    seed (int | None): Fixes the random numbers, for reproducible training. Defaults to\n"
        "        None (random).\n"
        "\nReturns:\n    A number."
    )


def test_a_function_without_a_docstring_is_left_alone() -> None:
    def function(steps: int = 1) -> None: ...

    document(function, FinetuneConfig)
    assert function.__doc__ is None


def test_documenting_twice_changes_nothing() -> None:
    before: Any = gpt2.finetune.__doc__
    from gpt2_helpers.config import DatasetConfig, RunConfig

    document(gpt2.finetune, FinetuneConfig, RunConfig, DatasetConfig)
    assert gpt2.finetune.__doc__ == before


def test_it_works_without_docstrings() -> None:
    script = "import gpt2_helpers as gpt2; assert gpt2.finetune.__doc__ is None"
    subprocess.run([sys.executable, "-OO", "-c", script], check=True, timeout=300)
