"""The token ids where parts of a text meet."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.beam.seams import EdgeSplitter, join_parts
from gpt2_helpers.data.deduplicate import Deduplicator
from gpt2_helpers.data.documents import needs_end
from gpt2_helpers.tokenizer import END_OF_TEXT
from toy import toy_tokenizer

PIECES = st.sampled_from(["\n", "\n\n", " ", "a", "the best ", END_OF_TEXT, "wo rd", "\u3000"])
FILES = st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=5)


def whole(files: list[str]) -> str:
    """The files as one text, as `iter_text` joins them."""
    text = ""
    for file in files:
        if file and needs_end(text):
            text += END_OF_TEXT
        text += file
    return text


def joined(files: list[str], dropped: list[list[int]], size: int) -> list[int]:
    """The ids of the files, each a part that is read in chunks."""
    tokenizer = toy_tokenizer()
    middles, edges = [], []
    for file, numbers in zip(files, dropped, strict=True):
        splitter = EdgeSplitter(True, numbers)
        chunks = [file[start : start + size] for start in range(0, len(file), size)]
        middles.append(tokenizer.encode("".join(splitter.split(chunks)), special=True))
        edges.append(splitter.edges)
    before, after = join_parts(edges, lambda text: tokenizer.encode(text, special=True))
    pairs = zip(before, middles, strict=True)
    return [*np.concatenate([[], *(ids + middle for ids, middle in pairs), after]).astype(int)]


@given(FILES, st.integers(1, 7))
def test_the_ids_of_parts_are_those_of_the_whole_text(files: list[str], size: int) -> None:
    found = joined(files, [[] for _ in files], size)
    assert found == toy_tokenizer().encode(whole(files), special=True)


def test_a_word_and_spaces_are_joined_across_parts() -> None:
    files = ["One<|endoftext|>\n", "\n\n", "\n  two words"]
    tokenizer = toy_tokenizer()
    expected = tokenizer.encode("One<|endoftext|>\n\n\n\n  two words", special=True)
    assert joined(files, [[], [], []], 3) == expected


def test_documents_are_left_out_as_in_one_process() -> None:
    files = ["One text here", "one  TEXT here", "Two<|endoftext|>\n", "two<|endoftext|>\nThree"]
    text = "".join(Deduplicator().filter([whole(files)]))
    assert text == "One text here<|endoftext|>Two<|endoftext|>\nThree"
    found = joined(files, [[], [0], [], [0]], 100)
    assert found == toy_tokenizer().encode(text, special=True)
