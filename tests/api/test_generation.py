"""Generated texts: printed, returned, in a file."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import gpt2_helpers as gpt2
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.session import Session
from sampler_options import SAMPLER_OPTIONS
from toy_runs import train, write_model, write_text

Captured = pytest.CaptureFixture[str]
DELIMITER = "=" * 20 + "\n"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with the toy model, compiled once for all tests that only generate."""
    session = Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("loaded"))
        write_model()
        session.load_pretrained("toy", precision="float32")
    return session


def written(session: Session, **options: Any) -> list[str]:
    texts = gpt2.generate(session, length=8, seed=2, return_as_list=True, **options)
    assert texts is not None
    return texts


@pytest.mark.parametrize("options", SAMPLER_OPTIONS, ids=lambda options: "-".join(options))
def test_samplers_give_the_texts_of_the_session(loaded: Session, options: dict[str, Any]) -> None:
    if "regex" in options:
        pytest.importorskip("llguidance")
    shared = {"length": 12, "seed": 2, **options}
    (expected,) = loaded.generate("What", SamplingConfig(**shared))
    assert gpt2.generate(loaded, prefix="What", return_as_list=True, **shared) == [expected.text]
    gpt2.generate_to_file(loaded, prefix="What", destination_path="text.out", **shared)
    assert Path("text.out").read_text(encoding="utf-8") == f"{expected.text}\n"


def test_texts_are_printed_with_the_delimiter_after_each(loaded: Session, capsys: Captured) -> None:
    expected = written(loaded, nsamples=3, batch_size=2)
    assert capsys.readouterr().out == ""
    assert gpt2.generate(loaded, length=8, seed=2, nsamples=3, batch_size=3) is None
    assert capsys.readouterr().out == "".join(f"{text}\n{DELIMITER}" for text in expected)
    gpt2.generate(loaded, length=8, seed=2, nsamples=3, sample_delim="--")
    assert capsys.readouterr().out == "".join(f"{text}\n--" for text in expected)


def test_texts_written_to_a_file_are_not_kept_in_memory(
    loaded: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = (GenerationResult(f"{n}" * 100_000, "", n, 1, "length") for n in range(100))
    monkeypatch.setattr(loaded, "generate", lambda *_, **__: texts)
    tracemalloc.start()
    try:
        gpt2.generate_to_file(loaded, destination_path="texts.txt", length=8, nsamples=100)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert Path("texts.txt").stat().st_size > 19_000_000
    assert most < 5_000_000


def test_a_single_text_has_no_delimiter(loaded: Session, capsys: Captured) -> None:
    (expected,) = written(loaded)
    gpt2.generate(loaded, length=8, seed=2)
    assert capsys.readouterr().out == f"{expected}\n"
    gpt2.generate(loaded, length=8, seed=2, destination_path="text.out")
    assert Path("text.out").read_bytes().decode("utf-8") == f"{expected}\n"
    gpt2.generate(loaded, length=8, seed=2, prefix=["What", "How"])  # one for each is two
    assert capsys.readouterr().out.count(DELIMITER) == 2


def test_a_file_has_the_printed_texts_and_a_progress_bar_is_shown(
    loaded: Session, capsys: Captured
) -> None:
    expected = written(loaded, nsamples=3)
    gpt2.generate_to_file(loaded, length=8, seed=2, nsamples=3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"generating: 100%.* 3/3", shown.err)
    content = Path("gpt_2_gen_texts.txt").read_bytes().decode("utf-8")
    assert content == "".join(f"{text}\n{DELIMITER}" for text in expected)


def test_a_file_and_a_list(loaded: Session) -> None:
    expected = written(loaded, nsamples=2)
    assert written(loaded, nsamples=2, destination_path="out/texts.txt") == expected
    content = Path("out/texts.txt").read_bytes().decode("utf-8")
    assert content == "".join(f"{text}\n{DELIMITER}" for text in expected)


def test_texts_are_in_the_order_of_their_prompts(loaded: Session, capsys: Captured) -> None:
    prefixes = ["What is", "How", " the best people", "I"]
    options: dict[str, Any] = {"nsamples": 3, "batch_size": 4, "truncate": "e"}
    finished = [
        text.index
        for text in loaded.generate(prefixes, SamplingConfig(length=8, seed=2, **options))
    ]
    assert finished != sorted(finished), "these texts finish in order: take another seed"
    texts = written(loaded, prefix=prefixes, **options)
    assert len(texts) == 12
    for order, text in enumerate(texts):
        assert text.startswith(prefixes[order // 3])
    gpt2.generate(loaded, length=8, seed=2, prefix=prefixes, **options)
    expected = "".join(f"{text}\n{DELIMITER}" for text in texts)
    assert capsys.readouterr().out == expected
    gpt2.generate(loaded, length=8, seed=2, prefix=prefixes, destination_path="t", **options)
    assert Path("t").read_bytes().decode("utf-8") == expected


def test_an_error_before_the_first_text_keeps_an_existing_file(loaded: Session) -> None:
    Path("texts.txt").write_text("older")
    with pytest.raises(OptionError, match="the prefix has .* tokens"):
        gpt2.generate_to_file(loaded, destination_path="texts.txt", prefix="What is", length=2)
    with pytest.raises(OptionError, match="temperature"):
        gpt2.generate_to_file(loaded, destination_path="texts.txt", temperature=-1)
    assert Path("texts.txt").read_text() == "older"


def test_a_batch_size_of_none_is_one(loaded: Session) -> None:
    assert written(loaded, batch_size=None) == written(loaded)


def test_an_empty_prompt_is_the_same_as_none(loaded: Session) -> None:
    assert written(loaded, prefix="") == written(loaded) == written(loaded, prefix=[""])
    with pytest.raises(OptionError, match="prefix must be a string or a list of strings"):
        written(loaded, prefix=[])
    for wrong in (5, [5], b"What"):
        with pytest.raises(OptionError):
            written(loaded, prefix=wrong)


def test_a_run_of_a_table_says_which_option_generates_rows(capsys: Captured) -> None:
    write_model()
    write_text("titles.csv", "title\n" + "What is the best thing?\n" * 40)
    tf.config.run_functions_eagerly(True)
    train("titles.csv", steps=1)
    tf.config.run_functions_eagerly(False)
    session = gpt2.start_tf_sess()
    options: dict[str, Any] = {"length": 24, "seed": 2}
    gpt2.generate(session, **options)
    shown = capsys.readouterr()
    assert 'pass prompt_prefix="<|startoftext|>"' in shown.err
    assert "prompt_prefix" not in shown.out
    for decided in ("<|startoftext|>", ""):
        gpt2.generate(session, prompt_prefix=decided, prefix="What", **options)
    gpt2.generate(session, prefix="<|startoftext|>", **options)
    assert "prompt_prefix" not in capsys.readouterr().err
