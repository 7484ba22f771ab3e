"""Adapters of one base model, switched in a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers import loaded_model
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import CheckpointError, OptionError
from gpt2_helpers.generation.tflite_decoder import TfliteWeights
from gpt2_helpers.session import Session
from lora_runs import write_base_and_runs


@pytest.fixture(scope="module", autouse=True)
def _workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("adapters"))
        write_base_and_runs()
        yield


@pytest.fixture
def base() -> Session:
    session = Session()
    session.load_pretrained("base")
    return session


def text_of(session: Session) -> str:
    (result,) = session.generate("What", SamplingConfig(length=25, seed=1))
    return result.text


def alone(run_name: str) -> str:
    session = Session()
    session.load_run(run_name)
    return text_of(session)


def test_each_adapter_gives_the_texts_of_its_run(base: Session) -> None:
    plain = text_of(base)
    base.load_adapter("one")
    base.load_adapter("two", name="second")
    assert (base.adapters, base.adapter) == (("one", "second"), None)
    assert text_of(base) == plain
    for name, run_name in [("one", "one"), ("second", "two"), ("one", "one")]:
        base.use_adapter(name)
        assert (base.adapter, base.run_name, base.model_name) == (name, run_name, None)
        assert text_of(base) == alone(run_name) != plain
    base.use_adapter(None)
    assert (base.run_name, base.model_name) == (None, "base")
    assert text_of(base) == plain


def test_adapters_share_the_embeddings_of_their_base(base: Session) -> None:
    base.load_adapter("one")
    pools = base.decoders, base._adapters["one"].decoders
    ours, theirs = (pool.get(1, 1, "int8").weights for pool in pools)
    assert isinstance(ours, TfliteWeights)
    assert isinstance(theirs, TfliteWeights)
    assert ours.tokens is theirs.tokens
    assert ours.positions is theirs.positions


def test_another_model_replaces_the_adapters(base: Session) -> None:
    base.load_adapter("one")
    base.use_adapter("one")
    base.load_pretrained("other")
    assert (base.adapters, base.adapter, base.model_name) == ((), None, "other")


def test_adapters_that_do_not_fit_are_errors(base: Session) -> None:
    with pytest.raises(CheckpointError, match="full has no adapters: it was trained with"):
        base.load_adapter("full")
    with pytest.raises(CheckpointError, match="no run"):
        base.load_adapter("missing")
    with pytest.raises(CheckpointError, match="load the adapters' base model first"):
        Session().load_adapter("one")
    other = loaded_model.load_pretrained("other", "models", "auto")
    with pytest.raises(CheckpointError, match="one was not finetuned from the loaded model"):
        loaded_model.load_adapter(other, "one", "checkpoint")
    base.load_adapter("one")
    with pytest.raises(OptionError, match=r"no adapter 'on' \(did you mean 'one'\?\): one loaded"):
        base.use_adapter("on")


def test_the_functions_switch_adapters(capsys: pytest.CaptureFixture[str]) -> None:
    session = gpt2.start_tf_sess()
    gpt2.load_gpt2(session, model_name="base")
    gpt2.load_adapter(session, run_name="two", name="titles")
    gpt2.use_adapter(session, "titles")
    (text,) = gpt2.generate(session, prefix="What", length=25, seed=1, return_as_list=True) or []
    assert text == alone("two")
    gpt2.use_adapter(session)
    assert session.model_name == "base"
    assert "loaded the adapter titles" in capsys.readouterr().out


def test_a_name_is_that_of_a_run_or_of_a_model() -> None:
    session = Session()
    session.load_named("one")
    assert session.run_name == "one"
    session.load_named("other")
    assert session.model_name == "other"
    with pytest.raises(CheckpointError):
        session.load_named(str(Path("neither")))
