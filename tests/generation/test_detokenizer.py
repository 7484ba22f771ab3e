"""Chunks of text: stop strings, incomplete characters, and blank text are held back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.generation.batch import BLANK_RETRIES
from gpt2_helpers.generation.detokenizer import StreamingDetokenizer
from gpt2_helpers.tokenizer import END_OF_TEXT
from scripted import (
    END,
    TOKENIZER,
    Script,
    chunks_of,
    ids_of,
    scripted,
    text_of,
)


def segments(*tokens: bytes, prefix: str = "", stop: str | None = None) -> list[str]:
    """The segment after each token, up to a stop string, and the one after finalizing."""
    detokenizer, found = StreamingDetokenizer(prefix, stop), []
    for token in tokens:
        detokenizer.add(token)
        found.append(detokenizer.next_segment())
        if detokenizer.is_finished:
            break
    else:
        detokenizer.finalize()
        found.append(detokenizer.next_segment())
    assert detokenizer.text == "".join(found)
    return found


def test_text_is_returned_as_soon_as_it_is_certain() -> None:
    assert segments(b"What", b" is", b" it") == ["What", " is", " it", ""]


def test_the_prefix_is_part_of_the_first_segment() -> None:
    assert segments(b" no", b"w", prefix="Say:") == ["Say: no", "w", ""]


def test_an_incomplete_character_is_held_back_until_it_is_complete() -> None:
    assert segments(b"a\xe6", b"\x97", b"\xa5") == ["a", "", "日", ""]
    assert segments(b"a\xe6", b"b") == ["a", "\ufffdb", ""]


def test_a_possible_stop_string_is_held_back() -> None:
    assert segments(b"one E", b"N", b"d", b" EN", b"D two", stop="END") == [
        "one ", "", "ENd", " ", "",
    ]  # fmt: skip
    assert segments(b"one <|endof", b"text|> two") == ["one ", ""]


def test_blank_text_is_held_back() -> None:
    detokenizer = StreamingDetokenizer()
    detokenizer.add(b"\n ")
    assert (detokenizer.is_blank, detokenizer.next_segment()) == (True, "")
    detokenizer.add(b"a")
    assert (detokenizer.is_blank, detokenizer.next_segment()) == (False, " a")


# --- In a batch


def test_there_is_a_chunk_for_each_token() -> None:
    script = scripted(ids_of("What is it?") + [END])
    tokens = [TOKENIZER.decode([index]) for index in ids_of("What is it?")]
    assert chunks_of(script, "Q: ") == {0: ["Q: " + tokens[0], *tokens[1:], ""]}


def test_no_chunk_splits_a_character() -> None:
    script = scripted([*"aé日😀".encode(), END])
    assert chunks_of(script) == {0: ["a", "é", "日", "😀", ""]}


def test_no_chunk_shows_part_of_a_stop_string() -> None:
    script = scripted(b"one ENd two END three")
    found = chunks_of(script, truncate="END")[0]
    assert "".join(found) == "one ENd two "
    # Held back until it turned out not to be the stop string.
    assert "ENd" in found
    assert not any("END".startswith(chunk) for chunk in found if chunk)


def test_no_chunk_of_a_blank_text_is_shown() -> None:
    script = scripted(ids_of(" \n") + [END], [*b" yes", END])
    assert chunks_of(script, "Say:")[0] == ["Say: y", "e", "s", ""]


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        (b"a\xe6\x97", "a\ufffd"),  # two bytes of three
        (b"a\xe6b", "a\ufffdb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x80a\xf0\x9f\x98", "\ufffda\ufffd"),
    ],
)
def test_incomplete_characters_become_replacement_characters(generated: bytes, text: str) -> None:
    script = scripted(generated, [*generated, END])
    assert text_of(script, length=len(generated)) == text
    assert "".join(chunks_of(script)[0]) == text


@given(
    chunks=st.lists(
        st.one_of(
            st.binary(max_size=4),
            st.sampled_from(["é", "日", "😀", "ab", "<|endof", "text|>", "\n"]).map(str.encode),
        ),
        max_size=12,
    ),
    truncate=st.sampled_from([None, "ab", "aba", "日", "\n"]),
    prefix=st.sampled_from(["", "Q: ", "\n"]),
)
def test_joined_chunks_equal_the_text_decoded_at_once(
    chunks: list[bytes], truncate: str | None, prefix: str
) -> None:
    generated = b"".join(chunks)
    starts = [generated.find(stop.encode()) for stop in (END_OF_TEXT, truncate or END_OF_TEXT)]
    kept = generated[: min((at for at in starts if at >= 0), default=len(generated))]
    expected = (prefix + kept.decode("utf-8", errors="replace")).lstrip("\n")

    script = Script([[*generated, END]] * (1 + BLANK_RETRIES))
    found = chunks_of(script, prefix, truncate=truncate, length=200)[0]
    assert "".join(found) == expected
