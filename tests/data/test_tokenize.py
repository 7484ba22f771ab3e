"""Splitting and encoding: the ids are those of the whole text, however many processes encode."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from child_processes import children, needs_proc
from gpt2_helpers.data import tokenize
from gpt2_helpers.data.fast_encoder import FastEncoder, fast_encoder
from gpt2_helpers.data.tokenize import (
    encode_texts,
    split_at_word_boundaries,
    token_dtype,
)
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.types import AnyIds
from paths import ROOT
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()

# Words, all kinds of whitespace, contractions, digits and punctuation.
PARTS = st.sampled_from(
    ["the", "People", "é", "幸福", " ", "  ", "\n", "\n\n", "\u3000", "\x1c", "'s", "'", "'ll"]
    + ["12", "½", ".", "...", "<", "|>", "e\u0301", "😂", END_OF_TEXT, "<|endof", "text|>"]
)
TEXTS = st.lists(PARTS, max_size=60).map("".join) | st.text(max_size=60)


def encode(texts: Iterator[str], special: bool = True, processes: int = 1) -> list[int]:
    arrays = encode_texts(texts, TOKENIZER, special, processes)
    return [index for ids in arrays for index in ids.tolist()]


@given(chunks=st.lists(TEXTS, max_size=6), size=st.integers(1, 40), special=st.booleans())
def test_the_parts_encode_to_the_ids_of_the_whole(
    chunks: list[str], size: int, special: bool
) -> None:
    text = "".join(chunks)
    parts = list(split_at_word_boundaries(chunks, size))
    assert "".join(parts) == text
    assert encode(iter(parts), special) == TOKENIZER.encode(text, special)


@given(chunks=st.lists(TEXTS, max_size=6), size=st.integers(1, 40))
def test_no_split_inside_an_end_of_text(chunks: list[str], size: int) -> None:
    parts = list(split_at_word_boundaries(chunks, size))
    assert sum(part.count(END_OF_TEXT) for part in parts) == "".join(chunks).count(END_OF_TEXT)


def test_the_parts_have_about_the_requested_size() -> None:
    words = ["the best thing ever "] * 5000
    for chunks in (words, ["".join(words)]):
        lengths = [len(part) for part in split_at_word_boundaries(chunks, 1000)]
        assert len(lengths) > 90
        assert 990 <= min(lengths[:-1]) <= max(lengths) <= 1000 + 2 * len(words[0])


def test_a_long_run_without_boundaries_is_split_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 20_000
    monkeypatch.setattr(tokenize, "MAX_UNBROKEN_CHARS", longest)
    chunks = ["幸" * 1000] * 50
    parts = list(split_at_word_boundaries(chunks, 1000))
    assert "".join(parts) == "".join(chunks)
    assert max(map(len, parts)) <= longest + 2000
    ends = [END_OF_TEXT] * (2 * longest // len(END_OF_TEXT))
    assert len(encode(split_at_word_boundaries(ends, 1000))) == len(ends)


def test_a_long_run_is_split_beside_an_end_of_text_and_not_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest, after = 60, "\u5e78" * 200
    monkeypatch.setattr(tokenize, "MAX_UNBROKEN_CHARS", longest)
    monkeypatch.setattr(tokenize, "_WORD_BOUNDARY", regex.compile("(?!)"))  # there is none
    for before in range(30, 80):
        text = "\u5e78" * before + END_OF_TEXT + after
        first, *rest = split_at_word_boundaries([text], 10)
        assert first + "".join(rest) == text
        if longest - len(END_OF_TEXT) < before < longest:
            assert first == "\u5e78" * before  # the split is before it
        else:
            assert first == text[:longest]  # it is as a whole before or after the split


def test_the_dtype_depends_on_the_vocabulary() -> None:
    assert token_dtype(50257) == np.uint16
    assert token_dtype(65536) == np.uint16
    assert token_dtype(65537) == np.int32


TEXT = "".join(f"What would {number} people\n have to say? {END_OF_TEXT}" for number in range(1000))


@pytest.mark.parametrize("special", [True, False])
def test_the_ids_do_not_depend_on_the_number_of_processes(special: bool) -> None:
    expected = TOKENIZER.encode(TEXT, special)
    for processes in (1, 2, 3):
        assert encode(split_at_word_boundaries([TEXT], 2000), special, processes) == expected


def test_texts_are_read_lazily() -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "the best thing ever"

    arrays = encode_texts(endless(), TOKENIZER, True, 2)
    for _ in range(10):
        assert TOKENIZER.decode(next(arrays).tolist()) == "the best thing ever"
    arrays.close()
    assert read <= 10 + 6


@pytest.mark.parametrize("special", [True, False])
def test_the_ids_do_not_depend_on_the_number_of_threads(special: bool) -> None:
    pytest.importorskip("tiktoken", reason="needs the package tiktoken")
    fast = fast_encoder(TOKENIZER)
    assert fast is not None
    expected = TOKENIZER.encode(TEXT, special)
    for threads in (1, 2, 3):
        texts = split_at_word_boundaries([TEXT], 2000)
        arrays = list(encode_texts(texts, TOKENIZER, special, threads, fast))
        assert {array.dtype for array in arrays} == {token_dtype(TOKENIZER.n_vocab)}
        assert np.concatenate(arrays).tolist() == expected


class CountingEncoder(FastEncoder):
    """Counts the texts that it has encoded, with the tokenizer; fails at a certain text."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, text: str, special: bool) -> AnyIds:
        if text == "fail":
            raise DatasetError("the text contains a lone surrogate")
        self.encoded += 1
        return np.array(TOKENIZER.encode(text, special), np.uint16)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_encode_only_a_few_texts_ahead(threads: int) -> None:
    fast = CountingEncoder()
    arrays = encode_texts(itertools.repeat("the best"), TOKENIZER, True, threads, fast)
    for _ in range(10):
        assert TOKENIZER.decode(next(arrays).tolist()) == "the best"
    arrays.close()
    assert fast.encoded <= 10 + 2 * threads + 1


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_thread_is_raised(threads: int) -> None:
    texts = iter(["the best", "thing", "fail", *["ever"] * 100])
    arrays = encode_texts(texts, TOKENIZER, True, threads, CountingEncoder())
    assert [TOKENIZER.decode(next(arrays).tolist()) for _ in range(2)] == ["the best", "thing"]
    with pytest.raises(DatasetError, match="lone surrogate"):
        next(arrays)


@needs_proc
def test_closing_the_generator_ends_its_processes() -> None:
    before = children()
    arrays = encode_texts(itertools.repeat("the best"), TOKENIZER, True, 2)
    next(arrays)
    assert len(children() - before) == 2
    arrays.close()
    assert children() <= before


@needs_proc
def test_a_killed_process_is_an_error() -> None:
    before = children()
    arrays = encode_texts(itertools.repeat("the best"), TOKENIZER, True, 2)
    next(arrays)
    for pid in children() - before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(DatasetError, match=r"ended early \(exit code -9\)"):
        list(arrays)
    assert children() <= before


def test_a_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    message = "cannot start another process: No such file or directory; try again with processes=1"
    with pytest.raises(DatasetError, match=message):
        encode(iter(["the best"]), processes=2)


def test_an_embedded_python_encodes_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert encode(iter(["the best"]), processes=2) == TOKENIZER.encode("the best")


def worker_output(frames: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What a worker writes to stdout if it reads these bytes from stdin."""
    sink = io.BytesIO()
    stdout = io.TextIOWrapper(sink)  # closes `sink` when it is deleted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(frames)))
    monkeypatch.setattr(sys, "stdout", stdout)
    tokenize.run_worker()
    return sink.getvalue()


@pytest.mark.parametrize("special", [True, False])
def test_a_worker_answers_each_text_until_its_input_ends(
    special: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"the best{END_OF_TEXT}", "", "thing ever"]
    setup = json.dumps([TOKENIZER.vocabulary, TOKENIZER.merges, special])
    sent = [text.encode() for text in (setup, *texts)]
    frames = b"".join(struct.pack("<Q", len(content)) + content for content in sent)
    read = worker_output(frames, monkeypatch)
    assert sys.stdout is sys.stderr
    answers = []
    while read:
        (size,) = struct.unpack("<Q", read[:8])
        answers.append(np.frombuffer(read[8 : 8 + size], np.uint16).tolist())
        read = read[8 + size :]
    assert answers == [TOKENIZER.encode(text, special) for text in texts]


def test_a_script_without_a_main_guard_runs_once_and_loads_no_tensorflow(tmp_path: Path) -> None:
    """multiprocessing would run such a script again in each process."""
    TOKENIZER.save(tmp_path)
    fake = tmp_path / "modules" / "tensorflow.py"
    fake.parent.mkdir()
    fake.write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
            from gpt2_helpers.data.tokenize import encode_texts
            from gpt2_helpers.tokenizer import Tokenizer
            print("begin")
            tokenizer = Tokenizer.load({str(tmp_path)!r})
            for ids in encode_texts(["What is", " the best"] * 3, tokenizer, True, 2):
                print(tokenizer.decode(ids.tolist()))
        """)
    )
    path = os.pathsep.join([str(fake.parent), str(ROOT)])
    output = subprocess.check_output(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        timeout=300,
    )
    assert output.splitlines() == ["begin"] + ["What is", " the best"] * 3
    assert not (tmp_path / "loaded").exists()


def test_the_parts_encode_to_the_ids_of_the_whole_with_openai_s_vocabulary(shared: Path) -> None:
    tokenizer = Tokenizer.load(shared / "gpt2-vocab")
    text = (shared / "corpus" / "tinyshakespeare.txt").read_text(encoding="utf-8")[:200_000]
    arrays = encode_texts(split_at_word_boundaries([text], 5000), tokenizer, True, 1)
    assert np.concatenate(list(arrays)).tolist() == tokenizer.encode(text)
