"""Cutting and encoding: the ids are those of the whole text, by one process or by several."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.data.tokenize import (
    MAX_UNBROKEN_CHARS,
    encode_texts,
    split_at_word_boundaries,
    token_dtype,
)
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from paths import ROOT
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()

# Words, spaces of all kinds, contractions, digits and punctuation, in every order.
PARTS = st.sampled_from(
    ["the", "People", "é", "幸福", " ", "  ", "\n", "\n\n", "\u3000", "\x1c", "'s", "'", "'ll"]
    + ["12", "½", ".", "...", "<", "|>", "e\u0301", "😂", END_OF_TEXT, "<|endof", "text|>"]
)
TEXTS = st.lists(PARTS, max_size=60).map("".join) | st.text(max_size=60)


def encoded(texts: Iterator[str], special: bool = True, processes: int = 1) -> list[int]:
    blocks = encode_texts(texts, TOKENIZER, special, processes)
    return [index for block in blocks for index in block.tolist()]


@given(blocks=st.lists(TEXTS, max_size=6), size=st.integers(1, 40), special=st.booleans())
def test_pieces_encode_to_the_ids_of_the_whole(blocks: list[str], size: int, special: bool) -> None:
    text = "".join(blocks)
    cut = list(split_at_word_boundaries(blocks, size))
    assert "".join(cut) == text
    assert encoded(iter(cut), special) == TOKENIZER.encode(text, special)


@given(blocks=st.lists(TEXTS, max_size=6), size=st.integers(1, 40))
def test_no_piece_ends_within_an_end_of_text(blocks: list[str], size: int) -> None:
    cut = list(split_at_word_boundaries(blocks, size))
    assert sum(piece.count(END_OF_TEXT) for piece in cut) == "".join(blocks).count(END_OF_TEXT)


def test_pieces_are_about_as_long_as_asked() -> None:
    words = ["the best thing ever "] * 5000
    for blocks in (words, ["".join(words)]):
        lengths = [len(piece) for piece in split_at_word_boundaries(blocks, 1000)]
        assert len(lengths) > 90
        assert 990 <= min(lengths[:-1]) <= max(lengths) <= 1000 + 2 * len(words[0])


def test_a_run_without_an_end_is_cut_all_the_same() -> None:
    blocks = ["幸" * 1000] * 500
    cut = list(split_at_word_boundaries(blocks, 1000))
    assert "".join(cut) == "".join(blocks)
    assert max(map(len, cut)) <= MAX_UNBROKEN_CHARS + 2000
    ends = [END_OF_TEXT] * (2 * MAX_UNBROKEN_CHARS // len(END_OF_TEXT))
    assert len(encoded(split_at_word_boundaries(ends, 1000))) == len(ends)


def test_the_dtype_fits_the_vocabulary() -> None:
    assert token_dtype(50257) == np.uint16
    assert token_dtype(65536) == np.uint16
    assert token_dtype(65537) == np.int32


TEXT = "".join(f"What would {number} people\n have to say? {END_OF_TEXT}" for number in range(5000))


@pytest.mark.parametrize("special", [True, False])
def test_the_ids_are_the_same_for_any_number_of_processes(special: bool) -> None:
    expected = TOKENIZER.encode(TEXT, special)
    for processes in (1, 2, 3):
        assert encoded(split_at_word_boundaries([TEXT], 7000), special, processes) == expected


def test_texts_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "the best thing ever"

    blocks = encode_texts(endless(), TOKENIZER, True, 2)
    for _ in range(10):
        assert TOKENIZER.decode(next(blocks).tolist()) == "the best thing ever"
    blocks.close()
    assert taken <= 10 + 6


def children() -> set[int]:
    found = subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(os.getpid())], text=True)
    return {int(pid) for pid in found.split() if (Path("/proc") / pid).exists()}


needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc and ps")


@needs_proc
def test_no_process_is_left_behind() -> None:
    before = children()
    blocks = encode_texts(itertools.repeat("the best"), TOKENIZER, True, 2)
    next(blocks)
    assert len(children() - before) == 2
    blocks.close()
    assert children() <= before


@needs_proc
def test_a_process_that_dies_is_an_error_and_not_a_wait() -> None:
    before = children()
    blocks = encode_texts(itertools.repeat("the best"), TOKENIZER, True, 2)
    next(blocks)
    for pid in children() - before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(DatasetError, match=r"ended early \(exit code -9\)"):
        list(blocks)
    assert children() <= before


def test_a_script_without_a_guard_runs_once_and_loads_no_tensorflow(tmp_path: Path) -> None:
    """As from a user's plain script; multiprocessing would run it again in each process."""
    TOKENIZER.save(tmp_path)
    trap = tmp_path / "modules" / "tensorflow.py"
    trap.parent.mkdir()
    trap.write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n")
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
    path = os.pathsep.join([str(trap.parent), str(ROOT)])
    said = subprocess.check_output(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path}, text=True, timeout=60
    )
    assert said.splitlines() == ["begin"] + ["What is", " the best"] * 3
    assert not (tmp_path / "loaded").exists()


def test_openai_s_vocabulary_too(shared: Path) -> None:
    tokenizer = Tokenizer.load(shared / "gpt2-vocab")
    text = (shared / "corpus" / "tinyshakespeare.txt").read_text(encoding="utf-8")[:200_000]
    blocks = encode_texts(split_at_word_boundaries([text], 5000), tokenizer, True, 1)
    assert np.concatenate(list(blocks)).tolist() == tokenizer.encode(text)
