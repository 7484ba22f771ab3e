"""JSON files of models and adapters from strangers, with any value in any field."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt2_helpers.errors import CheckpointError, printable
from gpt2_helpers.exchange.model_folder import open_model
from gpt2_helpers.exchange.peft_adapters import read_adapters
from hugging_face import GOLDEN, copy_model

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "adapter_config.json")
MAX_DEPTH, MAX_ITEMS = 4, 30  # of the fields that are replaced

Place = tuple[str | int, ...]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


# A file with 400 levels can be parsed, but Python cannot always print or write the value.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.floats() | st.text(max_size=5)
    | st.sampled_from([10**4000, -(10**400), 2**64, nested(400), "\ud800", "\x1b[2J\n"]),
    lambda values: st.lists(values, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "content", "id", "a"]), values, max_size=3),
    max_leaves=5,
)  # fmt: skip


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of values in a JSON file, outer ones first."""
    yield place
    if len(place) < MAX_DEPTH and isinstance(value, dict | list):
        keys = [*value] if isinstance(value, dict) else [*range(len(value))]
        for key in keys[:MAX_ITEMS]:
            yield from places(value[key], (*place, key))


def replaced(value: Any, place: Place, new: Any) -> Any:
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and adapters in one folder."""
    folder = copy_model(tmp_path_factory.mktemp("hostile") / "model")
    shutil.copytree(GOLDEN / "adapters", folder, dirs_exist_ok=True)
    return folder


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_in_any_field_is_accepted_or_refused(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from(FILES))
    whole = path.read_text(encoding="utf-8")
    content = json.loads(whole)
    place = data.draw(st.sampled_from([*places(content)]))
    path.write_text(json.dumps(replaced(content, place, data.draw(VALUES))), encoding="utf-8")
    shape, message = open_model(GOLDEN / "model").config, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            open_model(folder)
            read_adapters(folder, shape)
    except CheckpointError as error:
        message = str(error)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert message == printable(message)
    assert len(message) < 800
